"""Journal lines in the database: there before any effect, found anywhere, written by one engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from cuttable import CuttableLine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wavecrew.errors import DatabaseLost
from wavecrew.journal.attempt import AttemptJournal, read_records
from wavecrew.journal.records import Fenced, PostgresRecords, materialise
from wavecrew.journal.schema import ensure_schema
from wavecrew.testing.event_log_contract import HOSTILE

TALK = "task/1.1/1"
Engine = Callable[[], PostgresRecords]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """One more engine on the same database each time it is called."""
    ensure_schema(database_url)
    with ExitStack() as open_ones:
        yield lambda: open_ones.enter_context(closing(PostgresRecords(database_url, "r1")))


def never() -> dict[str, object]:
    raise AssertionError("a recorded exchange was carried out again")


def journal(records: PostgresRecords, path: Path, talk: str = TALK) -> AttemptJournal:
    """As an agent has it: the file made anew, then opened with the copy."""
    materialise(records, talk, path)
    return AttemptJournal.open(path, copy=lambda number, line: records.append(talk, number, line))


def test_every_line_of_the_file_is_in_the_database_too(engine: Engine, tmp_path: Path) -> None:
    records = engine()
    with closing(journal(records, tmp_path / "j")) as one:
        one.exchange("model", {"n": 1}, lambda: {"text": HOSTILE}, beside={"why": "x"})
        one.exchange("tool", {"n": 2}, lambda: {"snapshot": "t2"})
        one.mark_restored()
    assert b"".join(engine().lines(TALK)) == (tmp_path / "j").read_bytes()
    assert len(records.lines(TALK)) == 5


def test_the_intent_is_there_before_the_effect_and_the_reply_before_the_answer(
    engine: Engine, tmp_path: Path
) -> None:
    here, there = engine(), engine()
    seen: list[int] = []

    def effect() -> dict[str, object]:
        seen.append(len(there.lines(TALK)))
        return {"text": "one"}

    with closing(journal(here, tmp_path / "j")) as one:
        one.exchange("model", {"n": 1}, effect)
        seen.append(len(there.lines(TALK)))
    assert seen == [1, 2]


def test_another_machine_goes_on_where_the_first_one_was(engine: Engine, tmp_path: Path) -> None:
    with closing(journal(engine(), tmp_path / "here" / "j")) as first:
        first.exchange("model", {"n": 1}, lambda: {"text": "paid"})
        with pytest.raises(ConnectionError):
            first.exchange("model", {"n": 2}, lost)
    with closing(journal(engine(), tmp_path / "there" / "j")) as second:
        assert second.exchange("model", {"n": 1}, never) == {"text": "paid"}
        assert not second.replaying
        assert second.exchange("model", {"n": 2}, lambda: {"text": "two"}) == {"text": "two"}
    kept = [record["record"] for record in read_records(tmp_path / "there" / "j")]
    assert kept == ["intent", "reply", "intent", "intent", "reply"]


def lost() -> dict[str, object]:
    raise ConnectionError


def test_a_stale_file_of_an_earlier_stay_is_replaced(engine: Engine, tmp_path: Path) -> None:
    with closing(journal(engine(), tmp_path / "a")) as first:
        first.exchange("model", {"n": 1}, lambda: {"text": "one"})
    with closing(journal(engine(), tmp_path / "b")) as elsewhere:
        elsewhere.exchange("model", {"n": 1}, never)
        elsewhere.exchange("model", {"n": 2}, lambda: {"text": "two"})
    with closing(journal(engine(), tmp_path / "a")) as back:
        assert back.exchange("model", {"n": 1}, never) == {"text": "one"}
        assert back.exchange("model", {"n": 2}, never) == {"text": "two"}
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_of_which_nothing_is_known_goes(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b'{"record":"reply"}\n')
    materialise(engine(), TALK, tmp_path / "j")
    assert not (tmp_path / "j").exists()


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(min_value=0, max_value=700))
def test_a_torn_local_tail_never_breaks_the_numbering(
    engine: Engine, tmp_path: Path, cut: int
) -> None:
    records, talk, path = engine(), f"task/cut {cut}/1", tmp_path / str(cut)
    with closing(journal(records, path, talk)) as first:
        first.exchange("model", {"n": 1}, lambda: {"text": "one", "snapshot": "t"})
        first.mark_restored()
        first.exchange("tool", {"n": 2}, lambda: {"text": "two"})
    data = path.read_bytes()
    path.write_bytes(data[: max(0, len(data) - cut)])
    with closing(journal(records, path, talk)) as again:
        assert again.exchange("model", {"n": 1}, never)["text"] == "one"
        assert again.exchange("tool", {"n": 2}, never)["text"] == "two"
        again.exchange("model", {"n": 3}, lambda: {"text": "three"})
    assert b"".join(records.lines(talk)) == path.read_bytes()


def test_one_of_two_engines_on_the_same_attempt_is_fenced(engine: Engine, tmp_path: Path) -> None:
    dead, heir = journal(engine(), tmp_path / "a"), journal(engine(), tmp_path / "b")
    with closing(dead), closing(heir):
        heir.exchange("model", {"n": 1}, lambda: {"text": "one"})
        with pytest.raises(Fenced, match=TALK):
            dead.exchange("model", {"n": 1}, never)
    assert read_records(tmp_path / "a") == ()


def test_a_reply_that_came_too_late_is_fenced(engine: Engine, tmp_path: Path) -> None:
    dead = journal(engine(), tmp_path / "a")

    def slow() -> dict[str, object]:
        heir = journal(engine(), tmp_path / "b")
        with closing(heir):
            heir.exchange("model", {"n": 1}, lambda: {"text": "the heir's"})
        return {"text": "too late"}

    with closing(dead), pytest.raises(Fenced):
        dead.exchange("model", {"n": 1}, slow)
    with closing(journal(engine(), tmp_path / "c")) as third:
        assert third.exchange("model", {"n": 1}, never) == {"text": "the heir's"}


def test_the_same_line_again_is_harmless_and_a_gap_is_not(engine: Engine) -> None:
    records = engine()
    records.append(TALK, 1, b"one\n")
    records.append(TALK, 1, b"one\n")
    for number, line in ((1, b"other\n"), (3, b"three\n")):
        with pytest.raises(Fenced):
            records.append(TALK, number, line)
    assert records.lines(TALK) == (b"one\n",)


def test_conversations_and_runs_stay_apart(engine: Engine, database_url: str) -> None:
    records = engine()
    records.append(TALK, 1, b"one\n")
    records.append(f"task/{HOSTILE}/1", 1, b"hostile\n")
    with closing(PostgresRecords(database_url, "r2")) as other:
        assert other.lines(TALK) == ()
    assert records.lines(f"task/{HOSTILE}/1") == (b"hostile\n",)


def test_lines_of_any_size_and_bytes_come_back(engine: Engine) -> None:
    records, lines = engine(), (bytes(range(256)) * 20_000, b"", b"\n")
    for number, line in enumerate(lines, start=1):
        records.append(TALK, number, line)
    assert engine().lines(TALK) == lines


def test_an_answer_that_was_lost_leaves_the_line_written_once(postgres, database_url: str) -> None:
    ensure_schema(database_url)
    with CuttableLine(postgres.host, postgres.port) as line:
        way = database_url.replace(f":{postgres.port}/", f":{line.port}/")
        with closing(PostgresRecords(way, "r1")) as records:
            records.append(TALK, 1, b"one\n")
            line.cut_at_the_answer(b"COMMIT")
            with pytest.raises(DatabaseLost):
                records.append(TALK, 2, b"two\n")
            records.append(TALK, 2, b"two\n")
            assert records.lines(TALK) == (b"one\n", b"two\n")

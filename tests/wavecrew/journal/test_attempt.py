"""The attempt journal keeps what was paid for, whatever happens to the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.journal.attempt import (
    AttemptJournal,
    JournalDiverged,
    last_snapshot,
    read_records,
)


def record_three(path: Path) -> None:
    journal = AttemptJournal.open(path)
    journal.exchange("model", {"n": 1}, lambda: {"text": "one"})
    journal.exchange("tool", {"n": 2}, lambda: {"text": "two", "snapshot": "t2"})
    journal.exchange("model", {"n": 3}, lambda: {"text": "three"})
    journal.close()


def never() -> dict[str, object]:
    raise AssertionError("a recorded exchange was carried out again")


def test_recorded_exchanges_are_replayed_without_their_effect(tmp_path: Path) -> None:
    record_three(tmp_path / "j")
    journal = AttemptJournal.open(tmp_path / "j")
    assert journal.replaying
    assert journal.last_snapshot == "t2"
    assert journal.exchange("model", {"n": 1}, never) == {"text": "one"}
    assert journal.exchange("tool", {"n": 2}, never)["snapshot"] == "t2"
    assert journal.exchange("model", {"n": 3}, never) == {"text": "three"}
    assert not journal.replaying
    assert journal.exchange("tool", {"n": 4}, lambda: {"text": "new"}) == {"text": "new"}
    journal.close()


def test_another_request_in_the_same_place_is_named(tmp_path: Path) -> None:
    record_three(tmp_path / "j")
    journal = AttemptJournal.open(tmp_path / "j")
    with pytest.raises(JournalDiverged, match="exchange 1 was a model call"):
        journal.exchange("model", {"n": 99}, never)
    journal.close()


def test_an_intent_without_a_reply_is_carried_out_again(tmp_path: Path) -> None:
    journal = AttemptJournal.open(tmp_path / "j")

    def fails() -> dict[str, object]:
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        journal.exchange("model", {"n": 1}, fails)
    journal.close()
    again = AttemptJournal.open(tmp_path / "j")
    assert not again.replaying
    assert again.exchange("model", {"n": 1}, lambda: {"text": "now"}) == {"text": "now"}
    again.close()


@given(cut=st.integers(min_value=0, max_value=900))
def test_any_torn_tail_leaves_whole_exchanges_in_order(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "j"
    record_three(path)
    data = path.read_bytes()
    path.write_bytes(data[: max(0, len(data) - cut)])
    journal = AttemptJournal.open(path)
    replies = [journal.exchange("model", {"n": 1}, lambda: {"text": "one"})]
    replies.append(journal.exchange("tool", {"n": 2}, lambda: {"text": "two", "snapshot": "t2"}))
    replies.append(journal.exchange("model", {"n": 3}, lambda: {"text": "three"}))
    journal.close()
    assert [reply["text"] for reply in replies] == ["one", "two", "three"]
    assert [r["reply"]["text"] for r in read_records(path) if r["record"] == "reply"] == [
        "one",
        "two",
        "three",
    ]


@given(garbage=st.binary(max_size=60))
def test_garbage_behind_the_last_record_is_cut_off(
    tmp_path_factory: pytest.TempPathFactory, garbage: bytes
) -> None:
    path = tmp_path_factory.mktemp("garbage") / "j"
    record_three(path)
    whole = path.read_bytes()
    path.write_bytes(whole + garbage)
    AttemptJournal.open(path).close()
    assert path.read_bytes() == whole


def test_text_of_every_kind_survives(tmp_path: Path) -> None:
    text = "a\u2028b\r\nc\x85 \ud800 \x00 ü"
    journal = AttemptJournal.open(tmp_path / "j")
    journal.exchange("tool", {"text": text}, lambda: {"text": text})
    journal.close()
    again = AttemptJournal.open(tmp_path / "j")
    assert again.exchange("tool", {"text": text}, never) == {"text": text}
    again.close()


def test_what_was_replied_before_kill_9_is_there_after(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from wavecrew.journal.attempt import AttemptJournal\n"
        "j = AttemptJournal.open(Path(sys.argv[1]))\n"
        "j.exchange('model', {'n': 1}, lambda: {'text': 'paid'})\n"
        "j.exchange('tool', {'n': 2}, lambda: os.kill(os.getpid(), signal.SIGKILL) or {})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "j")],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    journal = AttemptJournal.open(tmp_path / "j")
    assert journal.exchange("model", {"n": 1}, never) == {"text": "paid"}
    assert not journal.replaying
    journal.close()


def test_reading_a_journal_that_is_not_there_gives_nothing(tmp_path: Path) -> None:
    assert read_records(tmp_path / "none") == ()


def test_the_newest_snapshot_is_found_in_the_records_of_a_killed_agent(tmp_path: Path) -> None:
    journal = AttemptJournal.open(tmp_path / "journal.jsonl")
    for number in (1, 2):
        journal.exchange("tool", {"n": number}, lambda n=number: {"snapshot": f"t{n}"})
    journal.exchange("model", {}, lambda: {"say": "no tree"})
    journal.close()
    assert last_snapshot(read_records(tmp_path / "journal.jsonl")) == "t2"
    assert last_snapshot(()) == ""

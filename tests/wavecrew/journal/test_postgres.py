"""One log for many engines: same order for all, told once each, and never in doubt for long."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from cuttable import CuttableLine
from postgres import PostgresServer

from wavecrew.errors import DatabaseLost, EnvironmentBroken
from wavecrew.journal import events as e
from wavecrew.journal.postgres import PostgresEventLog, ensure_schema
from wavecrew.journal.state import RunState, apply, fold
from wavecrew.testing.event_log_contract import HOSTILE, note

WRITER = """
import sys
from wavecrew.journal import events as e
from wavecrew.journal.postgres import PostgresEventLog
url, task = sys.argv[1:]
log = PostgresEventLog(url, "r1")
told = []
first = log.read()
log.on_append = lambda event: told.append(event.seq)
for number in range(40):
    log.append(e.NotePosted(task, 1, number, "x"))
    log.append(e.NotePosted("shared", 1, number, "x"))
known = [event.seq for event in first] + told
assert known == list(range(1, len(known) + 1)), known
log.close()
"""


@pytest.fixture
def url(database_url: str) -> str:
    ensure_schema(database_url)
    return database_url


@pytest.fixture
def two(url: str) -> Iterator[tuple[PostgresEventLog, PostgresEventLog]]:
    with closing(PostgresEventLog(url, "r1")) as one, closing(PostgresEventLog(url, "r1")) as other:
        yield one, other


def test_what_others_wrote_is_told_in_order_before_ones_own(two) -> None:
    here, there = two
    told: list[str] = []
    here.on_append = lambda event: told.append(event.id.rpartition("/")[2])
    there.append(note(1))
    there.append(note(2))
    here.append(note(3))
    here.refresh()
    assert told == ["1", "2", "3"]


def test_a_fact_of_another_engine_is_not_written_again_and_told_all_the_same(two) -> None:
    here, there = two
    told: list[int] = []
    here.on_append = lambda event: told.append(event.seq)
    there.append(note(1))
    assert here.append(note(1)) is None
    assert told == [1]


def test_a_state_folded_from_a_reading_and_kept_current_misses_nothing(two) -> None:
    here, there = two
    there.append(e.RunPaused(1, "a"))
    there.append(e.RunResumed(1))
    state = fold(here.read())
    here.on_append = lambda event: apply(state, event)
    there.append(e.RunPaused(2, "b"))
    here.refresh()
    assert state == fold(there.read())
    assert state != RunState()


def test_processes_that_write_at_once_see_one_gapless_order(url: str) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, str(n)], stderr=subprocess.PIPE)
        for n in range(3)
    ]
    ended = [(writer.communicate(timeout=50)[1].decode(), writer.returncode) for writer in writers]
    assert ended == [("", 0)] * 3
    with closing(PostgresEventLog(url, "r1")) as log:
        events = log.read()
    assert [event.seq for event in events] == list(range(1, 161))
    assert len({event.id for event in events}) == 160


def test_runs_in_one_database_know_nothing_of_each_other(url: str) -> None:
    with closing(PostgresEventLog(url, "r1")) as one, closing(PostgresEventLog(url, "r2")) as two:
        one.append(note(1))
        assert two.append(note(1))
        assert [event.run for event in two.read()] == ["r2"]


def test_a_watcher_sees_an_event_soon(two) -> None:
    here, there = two
    threading.Timer(0.3, lambda: there.append(note(1))).start()
    start = time.monotonic()
    assert [event.fact for event in here.wait(20)] == [note(1)]
    assert 0.2 < time.monotonic() - start < 10
    assert here.wait(0.05) == ()


def test_ids_of_every_kind_and_length_stay_apart(url: str) -> None:
    tasks = [HOSTILE, HOSTILE.replace("\x00", "\\u0000"), "ü" * 9000, "ü" * 9001, "\\", ""]
    with closing(PostgresEventLog(url, "r1")) as log:
        assert all(log.append(note(1, task=task)) for task in tasks)
        assert not any(log.append(note(1, task=task)) for task in tasks)
        assert log.has(e.id_of(note(1, task=HOSTILE)))
    with closing(PostgresEventLog(url, "r1")) as again:
        assert [event.id for event in again.read()] == [e.id_of(note(1, task=t)) for t in tasks]


def test_kinds_that_this_version_does_not_know_are_passed_over(url: str) -> None:
    with closing(PostgresEventLog(url, "r1")) as log:
        log.append(note(1))
        with psycopg.connect(url) as there:
            there.execute("insert into wavecrew.events values ('r1', 2, 'new/1', '', 'new', '{}')")
        log.append(note(2))
        assert [event.seq for event in log.read()] == [1, 3]
        assert [event.seq for event in log.read(after=2)] == [3]


def test_the_log_is_durable_even_where_the_server_is_set_otherwise(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as there:
        there.execute(f'alter database "{there.info.dbname}" set synchronous_commit = off')
    with closing(PostgresEventLog(url, "r1")) as log, log._database.transaction() as here:
        assert here.execute("show synchronous_commit").fetchone() == ("on",)


@contextmanager
def through(server: PostgresServer, url: str) -> Iterator[tuple[CuttableLine, str]]:
    with CuttableLine(server.host, server.port) as line:
        yield line, url.replace(f":{server.port}/", f":{line.port}/")


def test_a_cut_line_is_told_and_the_next_append_connects_again(postgres, url: str) -> None:
    with through(postgres, url) as (line, way), closing(PostgresEventLog(way, "r1")) as log:
        log.append(note(1))
        line.cut()
        with pytest.raises(DatabaseLost, match="lost"):
            log.append(note(2))
        event = log.append(note(2))
        assert event is not None
        assert event.seq == 2


def test_an_append_whose_answer_was_lost_is_written_and_told_once(postgres, url: str) -> None:
    with through(postgres, url) as (line, way), closing(PostgresEventLog(way, "r1")) as log:
        told: list[int] = []
        log.on_append = lambda event: told.append(event.seq)
        log.append(note(1))
        line.cut_at_the_answer(b"COMMIT")
        with pytest.raises(DatabaseLost):
            log.append(note(2))
        assert log.append(note(2)) is None
        assert told == [1, 2]
        assert len(log.read()) == 2


@pytest.mark.parametrize("how", ["fast", "immediate", "kill"])
def test_what_was_appended_before_a_server_died_is_there_after(how) -> None:
    with PostgresServer(durable=True) as server:
        url = server.create_database("one")
        ensure_schema(url)
        with closing(PostgresEventLog(url, "r1")) as log:
            for number in range(5):
                log.append(note(number))
            server.stop(how)
            for _ in range(2):
                with pytest.raises(DatabaseLost) as told:
                    log.append(note(5))
            assert server.password not in str(told.value)
            server.start()
            assert log.append(note(5))
            assert [event.seq for event in log.read()] == [1, 2, 3, 4, 5, 6]


def test_a_database_that_was_put_back_is_named_and_gets_nothing(url: str) -> None:
    with closing(PostgresEventLog(url, "r1")) as log:
        log.append(note(1))
        log.append(note(2))
        with psycopg.connect(url) as there:
            there.execute("delete from wavecrew.events where seq > 1")
        with pytest.raises(EnvironmentBroken, match="fewer events"):
            log.append(note(3))
    with closing(PostgresEventLog(url, "r1")) as again:
        assert [event.seq for event in again.read()] == [1]
        assert again.append(note(2))

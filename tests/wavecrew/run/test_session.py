"""A session whose journal is copied: from the database at its start, into it before any effect."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from wavecrew.journal.attempt import AttemptJournal
from wavecrew.journal.records import Fenced, PostgresRecords
from wavecrew.journal.schema import ensure_schema
from wavecrew.plan.settings import Limits
from wavecrew.run import wire
from wavecrew.run.parts import Parts
from wavecrew.run.session import run_session

TALK = "task/1.1/1"
Work = Callable[[AttemptJournal], None]


class ThreadHost:
    """Agents as threads that follow a script; what they talk through is real."""

    def __init__(self, *works: Work) -> None:
        self._works = list(works)
        self._agents: dict[str, threading.Thread] = {}

    def start(self, name: str, assignment: Path) -> None:
        given = wire.Assignment.model_validate_json(assignment.read_bytes())
        work = self._works.pop(0)
        agent = threading.Thread(target=_agent, args=(given, work), daemon=True)
        self._agents[name] = agent
        agent.start()

    def wait(self, name: str, timeout_s: float) -> bool:
        self._agents[name].join(timeout_s)
        return not self._agents[name].is_alive()

    def stop(self, name: str) -> None: ...

    def kill(self, name: str) -> None: ...

    def close(self) -> None: ...


def _agent(given: wire.Assignment, work: Work) -> None:
    end = wire.EngineLine(given.socket, timeout_s=20)

    def copy(number: int, content: bytes) -> None:
        assert end.ask(wire.Recorded.of(number, content)) == wire.Noted()

    with closing(AttemptJournal.open(given.journal, copy=copy if given.copied else None)) as one:
        try:
            work(one)
        except (ConnectionError, GoneDown):
            return  # its engine is gone, or it went down with its host
        finally:
            end.close()
        said = json.dumps({"outcome": "passed"})
        given.journal.with_name("outcome.json").write_text(said)


class GoneDown(Exception):
    pass


def never() -> dict[str, Any]:
    raise AssertionError("a recorded exchange was carried out again")


@pytest.fixture
def records(database_url: str) -> Iterator[PostgresRecords]:
    ensure_schema(database_url)
    with closing(PostgresRecords(database_url, "r1")) as made:
        yield made


@pytest.fixture
def session(parts: Parts, tmp_path: Path) -> Callable[..., Any]:
    """Runs the scripted agents of one attempt to their end."""
    folder = tmp_path / "attempt"
    folder.mkdir()
    place = wire.WorkspacePlace(root=folder / "ws", objects=(), base=parts.spec.base)
    assignment = wire.Assignment(
        run="r1",
        kind="task",
        subject="1.1",
        attempt=1,
        role=parts.spec.roles[0],
        model=parts.spec.settings.model,
        limits=Limits(),
        sandbox=parts.spec.settings.sandbox,
        workspace=place,
        journal=folder / "journal.jsonl",
        home=folder / "home",
        socket=folder / "s",
        deadline_s=30,
    )

    def run(*works: Work) -> Any:
        parts.host = ThreadHost(*works)
        return run_session(parts, "1.1/1", assignment, lambda request: wire.Noted())

    return run


def two_steps(journal: AttemptJournal) -> None:
    journal.exchange("model", {"n": 1}, lambda: {"text": "one"})
    journal.exchange("model", {"n": 2}, lambda: {"text": "two"})


def test_on_one_machine_nothing_is_copied(parts, session, records) -> None:
    assert session(two_steps).outcome == "passed"
    assert records.lines(TALK) == ()


def test_the_lines_are_in_the_database_when_the_agent_is_done(parts, session, records) -> None:
    parts.records = records
    assert session(two_steps).outcome == "passed"
    assert len(records.lines(TALK)) == 4


def test_an_agent_that_went_down_with_its_host_pays_nothing_twice(parts, session, records) -> None:
    parts.records = records

    def goes_down(journal: AttemptJournal) -> None:
        journal.exchange("model", {"n": 1}, lambda: {"text": "one"})
        journal.path.write_bytes(b"")  # its file did not get what the database has
        raise GoneDown

    def goes_on(journal: AttemptJournal) -> None:
        assert journal.exchange("model", {"n": 1}, never) == {"text": "one"}
        journal.exchange("model", {"n": 2}, lambda: {"text": "two"})

    assert session(goes_down, goes_on).outcome == "passed"
    assert len(records.lines(TALK)) == 4


def test_an_engine_whose_attempt_went_to_another_records_nothing(
    parts, session, records, database_url
) -> None:
    parts.records = records
    with closing(PostgresRecords(database_url, "r1")) as heir:
        halted = threading.Thread(
            target=lambda: session(lambda one: (heir.append(TALK, 1, b"{}\n"), two_steps(one))),
            daemon=True,
        )
        halted.start()
        assert parts.stop.requested.wait(20)
        until = time.monotonic() + 30
        while parts.at_work() and time.monotonic() < until:
            time.sleep(0.02)
        halted.join(0.5)
        assert halted.is_alive()  # its step never returns, so it is never recorded
    assert isinstance(parts.stop.error, Fenced)
    assert records.lines(TALK) == (b"{}\n",)
    assert not parts.at_work()

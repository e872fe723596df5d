"""One agent process from start to end: its line, its deadline, how it is stopped.

What the agent is for, and what its requests mean, is its caller's business.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from wavecrew.errors import EnvironmentBroken, LimitReached, WavecrewError
from wavecrew.journal.attempt import JournalTail, read_records
from wavecrew.journal.records import Fenced, materialise
from wavecrew.run.line import Line
from wavecrew.run.moving import keep_state, state_in
from wavecrew.run.parts import Parts
from wavecrew.run.spec import given_name
from wavecrew.run.stall import Allowed, StallWatch
from wavecrew.run.stop import fault
from wavecrew.run.wire import Assignment, Noted, Recorded, Reply, Request

PARK_S = 3.0
"""How long a stopped agent may take to park its work before it is killed."""
MOST_STARTS_IN_VAIN = 6
"""How often an agent that went down may be started again without a new reply in its journal."""
GRACE_S = 10.0
"""Beyond an assignment's own deadline, before the engine ends the process itself."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How an agent process ended, in its own words; evidence never comes from here."""

    outcome: str
    detail: str = ""
    model_calls: int = 0
    tokens: int = 0
    last_snapshot: str = ""


def run_session(
    parts: Parts, name: str, assignment: Assignment, answer: Callable[[Request], Reply]
) -> Ended:
    """Start the agent and wait until it is gone. Nothing of it is alive afterwards.

    An agent that went down (killed, with its host, with a command's sandbox) is
    started again and goes on from its journal. The session stays in
    `parts.sessions` until the caller has parked what it left.
    """
    outcome = assignment.journal.parent / "outcome.json"
    outcome.unlink(missing_ok=True)
    place = outcome.with_name("assignment.json")
    assignment = assignment.model_copy(update={"copied": parts.records is not None})
    place.write_text(assignment.model_dump_json(), encoding="utf-8")
    if parts.records is not None:  # for who reads the run on another machine
        parts.shelf.save(given_name(assignment.conversation), place.read_bytes())
    watch = StallWatch(Allowed.of(assignment), time.monotonic)
    desk = Copying(parts, assignment, answer)
    watched = _watched(parts, watch, desk)
    parts.sessions.add(name)
    journal = JournalTail(assignment.journal)
    in_vain = 0
    while True:
        if parts.records is not None:
            materialise(parts.records, assignment.conversation, assignment.journal)
        replies = _replies(assignment.journal)
        left = _work(parts, name, place, assignment, watched, watch, journal)
        ended = _ended(outcome)
        in_vain = in_vain + 1 if _replies(assignment.journal) == replies else 0
        may_go_on = left.by_itself and in_vain < MOST_STARTS_IN_VAIN
        if ended.outcome != "lost" or not may_go_on or parts.stop.requested.is_set():
            break
        outcome.unlink(missing_ok=True)
    if desk.fenced:
        parts.sessions.discard(name)
        parts.stop.halt()  # what it left, and what it has reserved, is another engine's
    parts.purse.end(name)
    if ended.outcome == "lost":
        ended = replace(ended, outcome="crashed")
    if left.stalled and ended.outcome in ("parked", "crashed"):
        return replace(ended, outcome="stalled", detail=left.stalled)
    return ended


@dataclass(frozen=True, slots=True)
class Left:
    """How an agent process went: by itself, or because it had to."""

    by_itself: bool
    stalled: str = ""
    """The evidence, when it got nowhere any more."""


def _work(
    parts: Parts,
    name: str,
    place: Path,
    assignment: Assignment,
    answer: Callable[[Request], Reply],
    watch: StallWatch,
    journal: JournalTail,
) -> Left:
    """One process of the agent, to its end."""
    parts.purse.begin(name)
    line = Line(assignment.socket, answer)
    try:
        parts.host.start(name, place)
        return _wait(parts, name, assignment, watch, journal)
    finally:
        parts.host.kill(name)
        parts.host.wait(name, PARK_S)
        line.close()


def session_name(task: str, attempt: int) -> str:
    return f"{task}/{attempt}"


def socket_for(parts: Parts) -> Path:
    """A fresh short path; the folder is private to this engine."""
    return parts.sockets / f"{next(_numbers)}.sock"


_numbers = itertools.count(1)


class Copying:
    """A desk in front of which lines of the journal go into the run's records.

    The state of the workspace that a line names is at the hub before the line
    counts. When either fails there is no reply: the agent must not go on, nor the
    engine.
    """

    def __init__(
        self, parts: Parts, assignment: Assignment, answer: Callable[[Request], Reply]
    ) -> None:
        self._parts = parts
        self._assignment = assignment
        self._answer = answer
        self.fenced = False

    def __call__(self, request: Request) -> Reply:
        records = self._parts.records
        if not isinstance(request, Recorded) or records is None:
            return self._answer(request)
        try:
            self._keep_state(request.line)
            records.append(self._assignment.conversation, request.number, request.line)
        except WavecrewError as error:
            self.fenced = isinstance(error, Fenced)
            self._parts.stop.halt(error)
        return Noted()

    def _keep_state(self, line: bytes) -> None:
        given = self._assignment
        tree = state_in(line) if given.kind == "task" else ""
        if tree:
            keep_state(self._parts, given.subject, given.attempt, given.workspace, tree)


def _watched(
    parts: Parts, watch: StallWatch, answer: Callable[[Request], Reply]
) -> Callable[[Request], Reply]:
    """`answer`, one request at a time; what it cannot answer stops the run and hangs up.

    An agent that went down may have left a request behind that is still being
    answered (a gate) when its successor asks.
    """
    one_at_a_time = threading.Lock()

    def reply_to(request: Request) -> Reply:
        with one_at_a_time, watch.answering():
            try:
                reply = answer(request)
            except (EnvironmentBroken, LimitReached) as error:
                parts.stop.request(error)
                raise ConnectionAbortedError from error
            except Exception as error:
                parts.stop.request(fault(error))
                raise ConnectionAbortedError from error
        watch.heard(request, reply)
        return reply

    return reply_to


def _wait(
    parts: Parts, name: str, assignment: Assignment, watch: StallWatch, journal: JournalTail
) -> Left:
    """Until the agent is gone, or has to go. What the provider cost it does not count."""
    deadline = time.monotonic() + assignment.deadline_s + GRACE_S
    while not parts.host.wait(name, 0.2):
        for record in journal.new():
            watch.recorded(record)
        stalled = watch.stalled()
        if stalled or parts.stop.requested.is_set():
            parts.host.stop(name)
            parts.host.wait(name, PARK_S)
            return Left(by_itself=False, stalled=stalled)
        if time.monotonic() > deadline + watch.idle_s:
            return Left(by_itself=False)
    return Left(by_itself=True)


def _ended(path: Path) -> Ended:
    try:
        said = json.loads(path.read_bytes())
        fields = {key: said[key] for key in Ended.__dataclass_fields__ if key in said}
        return Ended(**fields)
    except (OSError, ValueError, TypeError):
        return Ended("lost", "the agent process ended without saying why; see its log")


def _replies(journal: Path) -> int:
    """How far an attempt has got."""
    return sum(record["record"] == "reply" for record in read_records(journal))

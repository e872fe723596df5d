"""One agent process from start to end: its line, its deadline, how it is stopped.

What the agent is for, and what its requests mean, is its caller's business.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from wavecrew.journal.attempt import JournalTail
from wavecrew.run.line import Line
from wavecrew.run.parts import Parts
from wavecrew.run.stall import Allowed, StallWatch
from wavecrew.run.wire import Assignment, Reply, Request

PARK_S = 3.0
"""How long a stopped agent may take to park its work before it is killed."""
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

    The session stays in `parts.sessions` until the caller has parked what it left.
    """
    folder = assignment.journal.parent
    (folder / "outcome.json").unlink(missing_ok=True)
    place = folder / "assignment.json"
    place.write_text(assignment.model_dump_json(), encoding="utf-8")
    watch = StallWatch(Allowed.of(assignment), time.monotonic)
    line = Line(assignment.socket, _watched(watch, answer))
    parts.sessions.add(name)
    try:
        parts.host.start(name, place)
        stalled = _wait(parts, name, assignment, watch)
    finally:
        parts.host.kill(name)
        parts.host.wait(name, PARK_S)
        line.close()
    ended = _ended(folder / "outcome.json")
    if stalled and ended.outcome in ("parked", "crashed"):
        return replace(ended, outcome="stalled", detail=stalled)
    return ended


def socket_for(parts: Parts) -> Path:
    """A fresh short path; the folder is private to this engine."""
    return parts.sockets / f"{next(_numbers)}.sock"


_numbers = itertools.count(1)


def _watched(watch: StallWatch, answer: Callable[[Request], Reply]) -> Callable[[Request], Reply]:
    def reply_to(request: Request) -> Reply:
        with watch.answering():
            reply = answer(request)
        watch.heard(request, reply)
        return reply

    return reply_to


def _wait(parts: Parts, name: str, assignment: Assignment, watch: StallWatch) -> str:
    """Until the agent is gone or has to go; why it counts as stalled, empty when it does not."""
    deadline = time.monotonic() + assignment.deadline_s + GRACE_S
    journal = JournalTail(assignment.journal)
    while not parts.host.wait(name, 0.2):
        for record in journal.new():
            watch.recorded(record)
        stalled = watch.stalled()
        if stalled or parts.stop.requested.is_set():
            parts.host.stop(name)
            parts.host.wait(name, PARK_S)
            return stalled
        if time.monotonic() > deadline:
            break
    return ""


def _ended(path: Path) -> Ended:
    try:
        said = json.loads(path.read_bytes())
        fields = {key: said[key] for key in Ended.__dataclass_fields__ if key in said}
        return Ended(**fields)
    except (OSError, ValueError, TypeError):
        return Ended("crashed", "the agent process ended without saying why; see its log")

"""One agent process from start to end: its line, its deadline, how it is stopped.

What the agent is for, and what its requests mean, is its caller's business.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wavecrew.run.line import Line
from wavecrew.run.parts import Parts
from wavecrew.run.wire import Assignment, Reply, Request

PARK_S = 3.0
"""How long a stopped agent may take to park its work before it is killed."""
MOST_STARTS = 3
"""How often an agent is started that its host took down with it."""
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

    An agent that went down with its host is started again and goes on from its
    journal. The session stays in `parts.sessions` until the caller has parked
    what it left.
    """
    outcome = assignment.journal.parent / "outcome.json"
    outcome.unlink(missing_ok=True)
    place = outcome.with_name("assignment.json")
    place.write_text(assignment.model_dump_json(), encoding="utf-8")
    parts.sessions.add(name)
    for _ in range(MOST_STARTS):
        ended_by_itself = _work(parts, name, place, assignment, answer)
        if outcome.exists() or not ended_by_itself:
            break
    return _ended(outcome)


def _work(
    parts: Parts, name: str, place: Path, assignment: Assignment, answer: Callable[[Request], Reply]
) -> bool:
    """One process of the agent, to its end; False when it had to be ended."""
    line = Line(assignment.socket, answer)
    try:
        parts.host.start(name, place)
        return _wait(parts, name, assignment.deadline_s + GRACE_S)
    finally:
        parts.host.kill(name)
        line.close()


def socket_for(parts: Parts) -> Path:
    """A fresh short path; the folder is private to this engine."""
    return parts.sockets / f"{next(_numbers)}.sock"


_numbers = itertools.count(1)


def _wait(parts: Parts, name: str, limit_s: float) -> bool:
    """True when it ended by itself, False when the run stops or its time is over."""
    deadline = time.monotonic() + limit_s
    while not parts.host.wait(name, 0.2):
        if parts.stop.requested.is_set():
            parts.host.stop(name)
            parts.host.wait(name, PARK_S)
            return False
        if time.monotonic() > deadline:
            return False
    return True


def _ended(path: Path) -> Ended:
    try:
        said = json.loads(path.read_bytes())
        fields = {key: said[key] for key in Ended.__dataclass_fields__ if key in said}
        return Ended(**fields)
    except (OSError, ValueError, TypeError):
        return Ended("crashed", "the agent process ended without saying why; see its log")

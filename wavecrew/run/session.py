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
    line = Line(assignment.socket, answer)
    parts.sessions.add(name)
    try:
        parts.host.start(name, place)
        _wait(parts, name, assignment.deadline_s + GRACE_S)
    finally:
        parts.host.kill(name)
        line.close()
    return _ended(folder / "outcome.json")


def socket_for(parts: Parts) -> Path:
    """A fresh short path; the folder is private to this engine."""
    return parts.sockets / f"{next(_numbers)}.sock"


_numbers = itertools.count(1)


def _wait(parts: Parts, name: str, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while not parts.host.wait(name, 0.2):
        if parts.stop.requested.is_set():
            parts.host.stop(name)
            parts.host.wait(name, PARK_S)
            return
        if time.monotonic() > deadline:
            return


def _ended(path: Path) -> Ended:
    try:
        said = json.loads(path.read_bytes())
        fields = {key: said[key] for key in Ended.__dataclass_fields__ if key in said}
        return Ended(**fields)
    except (OSError, ValueError, TypeError):
        return Ended("crashed", "the agent process ended without saying why; see its log")

"""How long does a run think before each step, with thousands of tasks and a tenth as many agents?

    python bench/deciding.py [SIZE ...]

Whole runs in simulation, so that only the deciding costs time. The plans are so wide that all
agents find work; beside each size stands the ratio to the one before.
"""

from __future__ import annotations

import heapq
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import count
from random import Random
from typing import Any, NamedTuple

from plans import random_plan
from rows import Row, ms, show

from wavecrew.plan.settings import Limits, Settings
from wavecrew.run.progress import Progress, StartSync
from wavecrew.run.spec import RunSpec
from wavecrew.schedule.ready import Schedule, hours_of

SIZES = (2500, 5000, 10_000)


def main() -> None:
    sizes = tuple(int(size) for size in sys.argv[1:]) or SIZES
    show("deciding", decisions(sizes))


def decisions(sizes: Sequence[int]) -> Iterator[Row]:
    before = 0.0
    for size in sizes:
        played = play(size, size // 10)
        each = played.seconds / played.made
        beside = f"slowest {ms(played.slowest)}; {played.grown_mb:.0f} MB more"
        if before:
            beside += f"; x{each / before:.1f} per decision"
        before = each
        name = f"one decision, {size:,} tasks, {size // 10:,} agents, {played.most:,} at work"
        yield Row(name, ms(each), beside, "<= 5 ms", each <= 0.005)


class Played(NamedTuple):
    made: int
    """Decisions."""
    seconds: float
    """Of processor time in all of them together."""
    slowest: float
    most: int
    """Tasks at work at once."""
    grown_mb: float
    """What the process grew by."""


def play(size: int, agents: int) -> Played:
    """The order of a plan so wide that its agents all find work."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    loaded = random_plan(size, reach=size // 3)
    share = {"parallel": max(1, agents // len(loaded.roles))}
    roles = tuple(role.model_copy(update=share) for role in loaded.roles.values())
    spec = RunSpec(
        run="r1",
        plan=loaded.plan,
        roles=roles,
        settings=Settings(limits=Limits(agents=agents)),
        base="0" * 40,
        only=tuple(task.id for task in loaded.plan.tasks),
    )
    progress = Progress(spec, Schedule(spec.plan, {role.name: role for role in roles}))
    random, order = Random(size), count()
    pending: list[tuple[float, int, dict[str, Any]]] = []
    now, taken, most = 0.0, list[float](), 0
    result: dict[str, Any] = {}
    while True:
        began = time.process_time()
        if result:
            progress.take(result)
            assert not progress.is_off_course
        steps = progress.next()
        taken.append(time.process_time() - began)
        for step in steps:
            ends = now + random.random()
            heapq.heappush(pending, (ends, next(order), answer(step, spec)))
        if not pending:
            break
        most = max(most, len(pending))
        now, _, result = heapq.heappop(pending)
    assert progress.outcome() == ("done", 0)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held
    return Played(len(taken), sum(taken), max(taken), most, grown / 1024)


def answer(step: Any, spec: RunSpec) -> dict[str, Any]:
    """What a workflow returns when all goes as estimated."""
    if isinstance(step, StartSync):
        return {"kind": "sync", "id": step.sync, "status": "open", "send_back": "", "rework": None}
    spent = hours_of(spec.plan.tasks_by_id[step.task])
    done = {"kind": "task", "status": "merged", "lap": 0, "spent_s": spent}
    return done | {"id": step.task, "attempt": step.attempt}


if __name__ == "__main__":
    main()

"""What has to be scheduled, and what must every schedule keep?

A plan under one policy, reduced to what matters for time: jobs with their
length, what each needs, barriers that open when all before them is done, pairs
that exclude each other, and how many may be at work. Sync points are barriers;
with policy `wave` each wave is one for the wave behind it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from wavecrew.plan.graph import Node, knots
from wavecrew.plan.model import Plan, Role, TaskId
from wavecrew.schedule.ready import Barrier, hours_of
from wavecrew.schedule.timeline import MINUTES


class Deadlock(ValueError):
    """Tasks and barriers wait for each other; `names` is one such circle."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(" -> ".join([*names, names[0]]))
        self.names = names


class Job(NamedTuple):
    id: TaskId
    role: str
    minutes: int
    attempts: int
    """How often its role may try it."""


class Gate(NamedTuple):
    """A sync point or the end of a wave."""

    name: str
    before: tuple[TaskId, ...]
    holds: tuple[TaskId, ...]


@dataclass(frozen=True)
class Problem:
    jobs: Mapping[TaskId, Job]
    """In plan order."""
    needs: Mapping[TaskId, tuple[TaskId, ...]]
    gates: tuple[Gate, ...]
    apart: tuple[tuple[TaskId, TaskId], ...]
    """Pairs that must not be at work at the same time, each once."""
    agents: int
    parallel: Mapping[str, int]
    """Role -> how many of its tasks may be at work at once."""

    @cached_property
    def work(self) -> int:
        """Minutes of all jobs together."""
        return sum(job.minutes for job in self.jobs.values())

    @cached_property
    def roles(self) -> dict[str, tuple[Job, ...]]:
        """Role -> its jobs."""
        found: dict[str, list[Job]] = {}
        for job in self.jobs.values():
            found.setdefault(job.role, []).append(job)
        return {role: tuple(jobs) for role, jobs in found.items()}

    @cached_property
    def before(self) -> dict[Node, tuple[Node, ...]]:
        """Jobs and gates -> what must be done first; gates are nodes of kind `gate`."""
        held: dict[TaskId, list[Node]] = {one: [] for one in self.jobs}
        for at, gate in enumerate(self.gates):
            for one in gate.holds:
                held[one].append(Node("gate", str(at)))
        graph = {
            Node("task", one): (*(Node("task", need) for need in self.needs[one]), *held[one])
            for one in self.jobs
        }
        for at, gate in enumerate(self.gates):
            graph[Node("gate", str(at))] = tuple(Node("task", one) for one in gate.before)
        return graph

    @cached_property
    def order(self) -> tuple[Node, ...]:
        """Jobs and gates, each after all it needs."""
        after: dict[Node, list[Node]] = {node: [] for node in self.before}
        missing = {node: len(needed) for node, needed in self.before.items()}
        for node, needed in self.before.items():
            for one in needed:
                after[one].append(node)
        done = [node for node, count in missing.items() if not count]
        for node in done:
            for one in after[node]:
                missing[one] -= 1
                if not missing[one]:
                    done.append(one)
        return tuple(done)


def problem(
    plan: Plan,
    roles: Mapping[str, Role],
    *,
    agents: int,
    barrier: Barrier = "sync",
    parallel: Mapping[str, int] | None = None,
    only: Collection[str] | None = None,
) -> Problem:
    """The plan as a scheduling problem. Deadlock when it can never be carried out.

    `parallel` replaces what the roles allow, `only` keeps these tasks and what
    holds among them. An estimate counts to the minute, and more than nothing
    is at least a minute.
    """
    tasks = [task for task in plan.tasks if only is None or task.id in only]
    kept = {task.id for task in tasks}
    tries = {name: role.attempts for name, role in roles.items()}
    jobs = {
        task.id: Job(task.id, task.agent, minutes(hours_of(task)), tries.get(task.agent, 1))
        for task in tasks
    }
    given = {name: role.parallel for name, role in roles.items()} | dict(parallel or {})
    made = Problem(
        jobs=jobs,
        needs={
            task.id: tuple(dict.fromkeys(need for need in task.depends_on if need in kept))
            for task in tasks
        },
        gates=(*_syncs(plan, kept), *_waves(plan, kept, barrier)),
        apart=_apart(plan, kept),
        agents=agents,
        parallel={job.role: given.get(job.role, 1) for job in jobs.values()},
    )
    if len(made.order) < len(made.before):
        raise Deadlock(_circle(made))
    return made


def minutes(hours: float) -> int:
    return max(1, round(hours * MINUTES)) if hours > 0 else 0


def _syncs(plan: Plan, kept: set[TaskId]) -> list[Gate]:
    gates = []
    for sync in plan.sync_points:
        before = tuple(task.id for task in plan.before(sync) if task.id in kept)
        holds = tuple(task.id for task in plan.held_by(sync) if task.id in kept)
        gates.append(Gate(f"sync point {sync.id}", before, holds))
    return gates


def _waves(plan: Plan, kept: set[TaskId], barrier: Barrier) -> list[Gate]:
    if barrier == "sync":
        return []
    members: dict[str, list[TaskId]] = {wave.id: [] for wave in plan.waves}
    for task in plan.tasks:
        if task.wave in members and task.id in kept:
            members[task.wave].append(task.id)
    filled = [(wave, tuple(tasks)) for wave, tasks in members.items() if tasks]
    return [
        Gate(f"end of wave {wave}", before, holds)
        for (wave, before), (_, holds) in pairwise(filled)
    ]


def _apart(plan: Plan, kept: set[TaskId]) -> tuple[tuple[TaskId, TaskId], ...]:
    position = {task.id: at for at, task in enumerate(plan.tasks)}
    pairs: dict[tuple[TaskId, TaskId], None] = {}
    for task in plan.tasks:
        for other in task.conflicts_with:
            if task.id in kept and other in kept and task.id != other:
                first, second = sorted((task.id, other), key=position.__getitem__)
                pairs[first, second] = None
    return tuple(pairs)


def _circle(made: Problem) -> tuple[str, ...]:
    knot = set(knots(made.before)[0])
    node = next(iter(sorted(knot)))
    walk: list[Node] = []
    while node not in walk:
        walk.append(node)
        node = next(one for one in made.before[node] if one in knot)
    circle = walk[walk.index(node) :]
    return tuple(one.id if one.kind == "task" else made.gates[int(one.id)].name for one in circle)

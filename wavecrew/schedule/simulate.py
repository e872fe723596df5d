"""What does the run's scheduler make of a plan when every task takes so long?

List scheduling: whenever something ends, what may start is started in the
given order, as far as there is room. It decides as `Schedule.ready` does (a
test holds the two against each other) but keeps what may start between two
decisions, so that ten thousand tasks take a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from heapq import heappop, heappush

from wavecrew.plan.model import TaskId
from wavecrew.schedule.problem import Problem
from wavecrew.schedule.timeline import Span, Timeline

Watch = Callable[[int, frozenset[TaskId], tuple[TaskId, ...]], None]
"""Told of each decision: the minute, what is done, what was started."""


def dispatch(
    problem: Problem,
    order: Mapping[TaskId, int],
    lengths: Mapping[TaskId, int] | None = None,
    watch: Watch | None = None,
) -> Timeline:
    """The schedule that comes of starting ready tasks in `order`.

    `lengths` are minutes that differ from the problem's own: what really comes.
    """
    floor = _Floor(problem, order)
    ends: list[tuple[int, int, TaskId]] = []
    spans: list[Span] = []
    now = 0
    while True:
        started = floor.start()
        for task in started:
            job = problem.jobs[task]
            end = now + (job.minutes if lengths is None else lengths[task])
            spans.append(Span(task, job.role, now, end))
            heappush(ends, (end, order[task], task))
        if watch:
            watch(now, frozenset(floor.done), tuple(started))
        if not ends:
            return Timeline.of(spans)
        now = ends[0][0]
        while ends and ends[0][0] == now:
            floor.end(heappop(ends)[2])


class _Floor:
    """Who is at work, who may start, who waits for what."""

    def __init__(self, problem: Problem, order: Mapping[TaskId, int]) -> None:
        self._jobs = problem.jobs
        self._order = order
        self._free = problem.agents
        self._room = dict(problem.parallel)
        self._ready: dict[str, list[tuple[int, TaskId]]] = {role: [] for role in problem.roles}
        self._running: set[TaskId] = set()
        self._apart: dict[TaskId, set[TaskId]] = {}
        for one, other in problem.apart:
            self._apart.setdefault(one, set()).add(other)
            self._apart.setdefault(other, set()).add(one)
        self._gates = problem.gates
        self._feeds: dict[TaskId, list[TaskId]] = {}
        self._missing = {task: len(needs) for task, needs in problem.needs.items()}
        for task, needs in problem.needs.items():
            for need in needs:
                self._feeds.setdefault(need, []).append(task)
        self._closes: dict[TaskId, list[int]] = {}
        self._closed = [len(gate.before) for gate in problem.gates]
        for at, gate in enumerate(problem.gates):
            for task in gate.before:
                self._closes.setdefault(task, []).append(at)
            if gate.before:
                for task in gate.holds:
                    self._missing[task] += 1
        self.done: set[TaskId] = set()
        for task, missing in self._missing.items():
            if not missing:
                self._enter(task)

    def start(self) -> list[TaskId]:
        """Start all there is room for, most urgent first."""
        started: list[TaskId] = []
        aside: list[TaskId] = []
        while self._free:
            open_roles = [role for role, line in self._ready.items() if line and self._room[role]]
            if not open_roles:
                break
            role = min(open_roles, key=lambda one: self._ready[one][0])
            task = heappop(self._ready[role])[1]
            if task in self._apart and not self._running.isdisjoint(self._apart[task]):
                aside.append(task)
                continue
            self._free -= 1
            self._room[role] -= 1
            self._running.add(task)
            started.append(task)
        for task in aside:
            self._enter(task)
        return started

    def end(self, task: TaskId) -> None:
        self._running.remove(task)
        self.done.add(task)
        self._free += 1
        self._room[self._jobs[task].role] += 1
        for other in self._feeds.get(task, ()):
            self._one_less(other)
        for at in self._closes.get(task, ()):
            self._closed[at] -= 1
            if not self._closed[at]:
                for other in self._gates[at].holds:
                    self._one_less(other)

    def _one_less(self, task: TaskId) -> None:
        self._missing[task] -= 1
        if not self._missing[task]:
            self._enter(task)

    def _enter(self, task: TaskId) -> None:
        heappush(self._ready[self._jobs[task].role], (self._order[task], task))

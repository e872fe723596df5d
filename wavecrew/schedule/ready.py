"""What may start now?

A pure function of the plan and of what has happened: the same input gives the
same answer. A `Schedule` holds what never changes during a run, so that one
decision over ten thousand tasks takes a few milliseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from copy import copy
from typing import Literal, NamedTuple

from wavecrew.plan.graph import Graph, Node
from wavecrew.plan.model import Plan, Role, SyncId, Task, TaskId

Barrier = Literal["sync", "wave"]
ASSUMED_H = 1.0
"""Hours a task without an estimate counts for when the order is made."""
_NONE: frozenset[str] = frozenset()


def hours_of(task: Task) -> float:
    """The estimate, or what is assumed where there is none; zero hours are an estimate."""
    return ASSUMED_H if task.estimate_h is None else task.estimate_h


class _Entry(NamedTuple):
    id: TaskId
    role: str
    needs: frozenset[str]
    """Dependencies that must be merged."""
    gates: frozenset[str]
    """Sync points that must be open."""
    rank: int
    """Position of its wave; -1 without one."""
    apart: frozenset[str]
    """Tasks that must not run at the same time, whichever side says so."""


class Schedule:
    """The index of one plan. ValueError when the plan has a cycle."""

    def __init__(
        self,
        plan: Plan,
        roles: Mapping[str, Role],
        *,
        barrier: Barrier = "sync",
        order: Mapping[TaskId, int] | None = None,
    ) -> None:
        """`order` is task -> position and goes before the longest path; see `order.py`."""
        self.plan = plan
        self.barrier = barrier
        self.parallel = {name: role.parallel for name, role in roles.items()}
        graph = Graph(plan)
        weighted = {task.id: hours_of(task) for task in plan.tasks}
        for node in graph.nodes:
            if node.kind == "task":
                graph.hours[node] = weighted[TaskId(node.id)]
        rest = graph.remaining()
        gates = {task.id: set[str]() for task in plan.tasks}
        self._before = [
            (sync.id, frozenset(task.id for task in plan.before(sync))) for sync in plan.sync_points
        ]
        for sync in plan.sync_points:
            for task in plan.held_by(sync):
                gates[task.id].add(sync.id)
        ranks = {wave.id: at for at, wave in enumerate(plan.waves)}
        apart = {task.id: set[str]() for task in plan.tasks}
        for task in plan.tasks:
            for one in task.conflicts_with:
                apart[task.id].add(one)
                apart.setdefault(one, set()).add(task.id)
        entries = [
            _Entry(
                task.id,
                task.agent,
                frozenset(task.depends_on),
                frozenset(gates[task.id]),
                ranks.get(task.wave, -1) if task.wave else -1,
                frozenset(apart[task.id]),
            )
            for task in plan.tasks
        ]
        self._entries: dict[str, _Entry] = {entry.id: entry for entry in entries}
        self._by_urgency = sorted(entries, key=lambda one: -rest[Node("task", one.id)])
        if order:
            self._by_urgency.sort(key=lambda one: order.get(one.id, len(order)))
        self._waiters: dict[str, list[_Entry]] = {}
        for entry in entries:
            for need in entry.needs:
                self._waiters.setdefault(need, []).append(entry)
        self._graph = graph

    def reordered(self, order: Mapping[TaskId, int]) -> Schedule:
        """The same with another order; tasks it does not name come after, as they stood."""
        other = copy(self)
        other._by_urgency = sorted(self._by_urgency, key=lambda one: order.get(one.id, len(order)))
        return other

    @property
    def order(self) -> dict[TaskId, int]:
        """Task -> position in the order in which ready tasks are started."""
        return {entry.id: at for at, entry in enumerate(self._by_urgency)}

    def apart(self, task: str) -> frozenset[str]:
        """The tasks that must not run at the same time as this one, whichever side says so."""
        return self._entries[task].apart

    def ready(
        self,
        *,
        merged: Set[str],
        running: Set[str],
        blocked: Set[str],
        open_syncs: Set[str],
        agents: int,
        only: Set[str] | None = None,
    ) -> tuple[TaskId, ...]:
        """The tasks to start now, most urgent first: the given order, then the longest path to
        the end, then plan order.

        Never more than `agents` less those running, nor more of a role than it allows.
        """
        free = agents - len(running)
        busy = Counter(self._entries[one].role for one in running if one in self._entries)
        chosen: list[TaskId] = []
        together = set(running)
        if free <= 0:
            return ()
        for entry in self._startable(merged, running, blocked, open_syncs, only):
            if busy[entry.role] >= self.parallel.get(entry.role, 1):
                continue
            if entry.apart and entry.apart & together:
                continue
            busy[entry.role] += 1
            together.add(entry.id)
            chosen.append(entry.id)
            if len(chosen) >= free:
                break
        return tuple(chosen)

    def _startable(
        self,
        merged: Set[str],
        running: Set[str],
        blocked: Set[str],
        open_syncs: Set[str],
        only: Set[str] | None,
    ) -> Iterator[_Entry]:
        """Everything that nothing but capacity keeps back, most urgent first."""
        reached = self._reached(merged)
        for entry in self._by_urgency:
            one = entry.id
            if one in merged or not entry.needs <= merged or not entry.gates <= open_syncs:
                continue
            if one in running or one in blocked or entry.rank > reached:
                continue
            if only is None or one in only:
                yield entry

    def _reached(self, merged: Set[str]) -> int:
        """The last wave that may start: with barrier `wave` the first that is not all merged."""
        if self.barrier == "sync":
            return len(self.plan.waves)
        unfinished = (
            entry.rank
            for entry in self._entries.values()
            if entry.rank >= 0 and entry.id not in merged
        )
        return min(unfinished, default=len(self.plan.waves))

    def due_syncs(self, merged: Set[str], open_syncs: Set[str]) -> tuple[SyncId, ...]:
        """The closed sync points whose tasks are all merged, in plan order."""
        return tuple(
            sync for sync, before in self._before if sync not in open_syncs and before <= merged
        )

    def unblocks(
        self, merged_before: Set[str], task: str, open_syncs: Set[str] | None = None
    ) -> tuple[TaskId, ...]:
        """The tasks whose last missing dependency is `task`, in plan order.

        With `open_syncs` given, those that a closed sync point still holds are left out.
        """
        merged = {*merged_before, task}
        return tuple(
            entry.id
            for entry in self._waiters.get(task, ())
            if entry.id not in merged
            and task not in merged_before
            and entry.needs <= merged
            and (open_syncs is None or entry.gates <= open_syncs)
        )

    def next_for(
        self,
        role: str,
        *,
        merged: Set[str],
        running: Set[str],
        blocked: Set[str],
        open_syncs: Set[str],
        only: Set[str] | None = None,
    ) -> TaskId | None:
        """The task this role would take next if it were free; None: it awaits one."""
        startable = self._startable(merged, running, blocked, open_syncs, only)
        return next((entry.id for entry in startable if entry.role == role), None)

    def dead(self, blocked: Set[str]) -> tuple[TaskId, ...]:
        """The tasks that can never start while `blocked` stay so, in plan order."""
        nodes = [Node("task", one) for one in blocked if one in self._entries]
        waiting = {node.id for node in self._graph.downstream(*nodes) if node.kind == "task"}
        if self.barrier == "wave" and nodes:
            ranks = [self._entries[node.id].rank for node in nodes] + [
                self._entries[one].rank for one in waiting
            ]
            first = min((rank for rank in ranks if rank >= 0), default=len(self.plan.waves))
            later = [entry for entry in self._entries.values() if entry.rank > first]
            waiting |= {entry.id for entry in later}
            after = self._graph.downstream(*(Node("task", entry.id) for entry in later))
            waiting |= {node.id for node in after if node.kind == "task"}
        return tuple(TaskId(one) for one in self._entries if one in waiting and one not in blocked)


def ready(
    plan: Plan,
    roles: Mapping[str, Role],
    *,
    merged: Set[str],
    running: Set[str],
    blocked: Set[str] = _NONE,
    open_syncs: Set[str] = _NONE,
    agents: int,
    barrier: Barrier = "sync",
    only: Set[str] | None = None,
) -> tuple[TaskId, ...]:
    """`Schedule.ready` for a single question; a loop keeps a `Schedule` instead."""
    return Schedule(plan, roles, barrier=barrier).ready(
        merged=merged,
        running=running,
        blocked=blocked,
        open_syncs=open_syncs,
        agents=agents,
        only=only,
    )


def due_syncs(plan: Plan, merged: Set[str], open_syncs: Set[str]) -> tuple[SyncId, ...]:
    """`Schedule.due_syncs` for a single question."""
    return Schedule(plan, {}).due_syncs(merged, open_syncs)


def unblocks(
    plan: Plan, merged_before: Set[str], task: str, open_syncs: Set[str] | None = None
) -> tuple[TaskId, ...]:
    """`Schedule.unblocks` for a single question."""
    return Schedule(plan, {}).unblocks(merged_before, task, open_syncs)


def dead(plan: Plan, blocked: Set[str], barrier: Barrier = "sync") -> tuple[TaskId, ...]:
    """`Schedule.dead` for a single question."""
    return Schedule(plan, {}, barrier=barrier).dead(blocked)

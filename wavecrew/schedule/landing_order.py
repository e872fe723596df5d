"""In which order do branches land when the plan decides it, and who need not be waited for?

A total order: any other depends on what has started when somebody asks, which
is to say on timing.
"""

from __future__ import annotations

from collections.abc import Set

from wavecrew.plan.graph import Graph
from wavecrew.plan.model import Plan, TaskId
from wavecrew.schedule.ready import Barrier


class LandingOrder:
    """All tasks of a plan in its order, each after all that it can only start after.

    ValueError when the plan has a cycle.
    """

    def __init__(self, plan: Plan, barrier: Barrier) -> None:
        self._graph = Graph(plan)
        self._nodes = self._graph.order()
        self._is_by_wave = barrier == "wave"
        places = {wave.id: at for at, wave in enumerate(plan.waves)}
        self._ranks = {
            task.id: places.get(task.wave, -1) if task.wave else -1 for task in plan.tasks
        }
        self.tasks = self._tasks()
        self.position = {task: at for at, task in enumerate(self.tasks)}

    def can_land(
        self, *, merged: Set[str], gone: Set[str], open_syncs: Set[str], closed_syncs: Set[str]
    ) -> frozenset[TaskId]:
        """The tasks that have not merged and still may, if nothing that is at work fails.

        `gone` cannot, and so cannot what needs them; `closed_syncs` stay closed for good.
        """
        lost = set(gone)
        while True:
            able = self._able(merged, lost, open_syncs, closed_syncs)
            behind = self._behind_the_lost(merged | able) & able
            if not behind:
                return able
            lost |= behind

    def _tasks(self) -> tuple[TaskId, ...]:
        tasks = [TaskId(node.id) for node in self._nodes if node.kind == "task"]
        if not self._is_by_wave:
            return tuple(tasks)
        wave: dict[str, int] = {}
        for node in self._nodes:
            if node.kind == "task":
                needs = (one for one in self._graph.needs[node] if one.kind == "task")
                wave[node.id] = max([self._ranks[TaskId(node.id)], *(wave[n.id] for n in needs)])
        return tuple(sorted(tasks, key=lambda task: wave[task]))

    def _able(
        self, merged: Set[str], lost: Set[str], open_syncs: Set[str], closed_syncs: Set[str]
    ) -> frozenset[TaskId]:
        able: set[TaskId] = set()
        opens = set(open_syncs)
        for node in self._nodes:
            met = all(
                one.id in opens if one.kind == "sync" else one.id in merged or one.id in able
                for one in self._graph.needs[node]
            )
            if node.kind == "sync":
                if met and node.id not in closed_syncs:
                    opens.add(node.id)
            elif met and node.id not in merged and node.id not in lost:
                able.add(TaskId(node.id))
        return frozenset(able)

    def _behind_the_lost(self, alive: Set[str]) -> frozenset[TaskId]:
        """What a barrier keeps back behind a wave in which a task will not merge."""
        if not self._is_by_wave:
            return frozenset()
        ranks = [rank for task, rank in self._ranks.items() if rank >= 0 and task not in alive]
        first = min(ranks, default=len(self._nodes))
        return frozenset(task for task, rank in self._ranks.items() if rank > first)

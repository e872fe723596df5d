"""What stands before what?

Tasks and sync points are nodes of one graph: a task needs its dependencies
and every sync point that holds it, a sync point needs all tasks before it.
Names the plan does not define are left out; the loaders refuse those. Every
walk is iterative and linear, so ten thousand tasks are nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from wavecrew.plan.model import Plan


class Node(NamedTuple):
    kind: str
    """`task` or `sync`; a task and a sync point may have the same id."""
    id: str


class Graph:
    """The dependency graph of a plan, built once; nodes stand in plan order, tasks first."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        tasks = [Node("task", task.id) for task in plan.tasks]
        syncs = [Node("sync", sync.id) for sync in plan.sync_points]
        self.nodes: tuple[Node, ...] = tuple(dict.fromkeys(tasks + syncs))
        self.position = {node: at for at, node in enumerate(self.nodes)}
        self.needs: Mapping[Node, tuple[Node, ...]] = _needs(plan, self.nodes)
        """What must be done first, direct."""
        feeds: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node, needed in self.needs.items():
            for one in needed:
                feeds[one].append(node)
        self.feeds: Mapping[Node, tuple[Node, ...]] = {k: tuple(v) for k, v in feeds.items()}
        """What waits for it, direct."""
        self.hours = dict.fromkeys(self.nodes, 0.0)
        for task in plan.tasks:
            self.hours[Node("task", task.id)] = task.estimate_h or 0.0

    def order(self) -> tuple[Node, ...]:
        """Every node after all it needs, ties in plan order. ValueError when there is a cycle."""
        missing = {node: len(before) for node, before in self.needs.items()}
        free = [at for at, node in enumerate(self.nodes) if not missing[node]]
        heapify(free)
        done: list[Node] = []
        while free:
            node = self.nodes[heappop(free)]
            done.append(node)
            for after in self.feeds[node]:
                missing[after] -= 1
                if not missing[after]:
                    heappush(free, self.position[after])
        if len(done) < len(self.nodes):
            raise ValueError("the plan has a cycle")
        return tuple(done)

    def cycles(self) -> tuple[tuple[Node, ...], ...]:
        """One shortest cycle of every knot, each node needing the next, the last the first."""
        return tuple(self._cycle(set(knot)) for knot in knots(self.needs))

    def _cycle(self, knot: set[Node]) -> tuple[Node, ...]:
        start = min(knot, key=self.position.__getitem__)
        came: dict[Node, Node] = {}
        level = [start]
        while start not in came:
            following = []
            for node in level:
                for one in self.needs[node]:
                    if one in knot and one not in came:
                        came[one] = node
                        following.append(one)
            level = following
        path = [came[start]]
        while path[-1] != start:
            path.append(came[path[-1]])
        return tuple(reversed(path))

    def ancestors(self, *nodes: Node) -> frozenset[Node]:
        """Everything that must be done before `nodes`; they themselves only in a cycle."""
        return _reach(self.needs, nodes)

    def downstream(self, *nodes: Node) -> frozenset[Node]:
        """Everything that waits for any of `nodes`, at any distance."""
        return _reach(self.feeds, nodes)

    def remaining(self) -> dict[Node, float]:
        """Hours of the longest path from each node to the end, its own included. No cycles."""
        hours: dict[Node, float] = {}
        for node in reversed(self.order()):
            after = max((hours[one] for one in self.feeds[node]), default=0.0)
            hours[node] = self.hours[node] + after
        return hours

    def critical_path(self) -> tuple[tuple[Node, ...], float]:
        """The longest path and its hours; a missing estimate counts nothing. No cycles."""
        hours = self.remaining()
        node = max(hours, key=lambda one: (hours[one], -self.position[one]), default=None)
        path: list[Node] = []
        while node is not None:
            path.append(node)
            rest = max((hours[one] for one in self.feeds[node]), default=0.0)
            node = next((one for one in self.feeds[node] if hours[one] == rest), None)
        return tuple(path), hours[path[0]] if path else 0.0


def _needs(plan: Plan, nodes: tuple[Node, ...]) -> dict[Node, tuple[Node, ...]]:
    needs: dict[Node, dict[Node, None]] = {node: {} for node in nodes}
    for task in plan.tasks:
        for one in task.depends_on:
            if (before := Node("task", one)) in needs:
                needs[Node("task", task.id)][before] = None
    for sync in plan.sync_points:
        here = Node("sync", sync.id)
        after, holds = set(sync.after_tasks), set(sync.holds_tasks)
        for task in plan.tasks:
            if task.id in after or task.wave in sync.after_waves:
                needs[here][Node("task", task.id)] = None
            if task.id in holds or task.wave in sync.holds_waves:
                needs[Node("task", task.id)][here] = None
    return {node: tuple(needed) for node, needed in needs.items()}


def knots(needs: Mapping[Node, Iterable[Node]]) -> list[list[Node]]:
    """Strongly connected parts that hold a cycle (Tarjan, without recursion)."""
    index: dict[Node, int] = {}
    low: dict[Node, int] = {}
    stack: dict[Node, None] = {}
    found: list[list[Node]] = []
    for root in needs:
        if root in index:
            continue
        walk = [(root, iter(needs[root]))]
        index[root] = low[root] = len(index)
        stack[root] = None
        while walk:
            node, rest = walk[-1]
            following = next(rest, None)
            if following is None:
                walk.pop()
                if walk:
                    low[walk[-1][0]] = min(low[walk[-1][0]], low[node])
                if low[node] == index[node]:
                    part = _unwind(stack, node)
                    if len(part) > 1 or node in needs[node]:
                        found.append(part)
            elif following not in index:
                index[following] = low[following] = len(index)
                stack[following] = None
                walk.append((following, iter(needs[following])))
            elif following in stack:
                low[node] = min(low[node], index[following])
    return found


def _unwind(stack: dict[Node, None], until: Node) -> list[Node]:
    part: list[Node] = []
    while not part or part[-1] != until:
        part.append(stack.popitem()[0])
    return part


def _reach(edges: Mapping[Node, Iterable[Node]], start: Iterable[Node]) -> frozenset[Node]:
    seen: set[Node] = set()
    todo = [one for node in start for one in edges[node]]
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo.extend(edges[node])
    return frozenset(seen)

"""Who may write where: can a task write its own paths, and will two collide?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wavecrew.plan.globs import overlap, overlapping
from wavecrew.plan.graph import Graph, Node
from wavecrew.plan.load import Loaded
from wavecrew.plan.model import Task
from wavecrew.plan.problem import Problem


def unwritable(loaded: Loaded, _: Graph) -> Iterator[Problem]:
    """Paths of a task that its role may not write, and tasks that may write nothing at all."""
    for task in loaded.plan.tasks:
        role = loaded.roles.get(task.agent)
        if role is None:
            continue
        if not role.may_write:
            message = f"task {task.id}: its role {role.name!r} may write nothing"
            place = loaded.near("role", role.name)
            mend = "give the role may_write"
            yield Problem("nothing_to_write", message, place, mend, (task.id, role.name))
            continue
        for number, glob in enumerate(task.may_write):
            if not any(overlap(glob, allowed) for allowed in role.may_write):
                message = f"task {task.id} should write {glob!r}, its role {role.name!r} may not"
                place = loaded.near("task", task.id, "may_write", str(number))
                mend = "widen the role's may_write in agents.yaml, or give the task to another"
                yield Problem("out_of_role", message, place, mend, (task.id, role.name))


def colliding_writes(
    loaded: Loaded, graph: Graph, converging: Sequence[str] = ()
) -> Iterator[Problem]:
    """One warning for each pair of overlapping globs that tasks may write at the same time."""
    owners: dict[str, list[Task]] = {}
    for task in loaded.plan.tasks:
        for glob in dict.fromkeys(_scope(loaded, task)):
            owners.setdefault(glob, []).append(task)
    related = _Relation(loaded, graph)
    pairs = [(glob, glob) for glob in owners] + overlapping(owners)
    for one, other in pairs:
        if any(overlap(one, glob) and overlap(other, glob) for glob in converging):
            continue
        ids = related.parallel(owners[one], owners[other])
        if ids:
            yield _collision(loaded, one, other, ids)


def _scope(loaded: Loaded, task: Task) -> tuple[str, ...]:
    role = loaded.roles.get(task.agent)
    return task.may_write or (role.may_write if role else ())


def _collision(loaded: Loaded, one: str, other: str, ids: list[str]) -> Problem:
    shown = ", ".join(ids[:12]) + (f" and {len(ids) - 12} more" if len(ids) > 12 else "")
    what = repr(one) if one == other else f"{one!r} and {other!r} overlap and"
    message = f"{what} may be written at the same time by {shown}: expect merge conflicts"
    mend = "order them by depends_on, name them in conflicts_with, or narrow may_write"
    place = loaded.near("task", ids[0], "may_write")
    return Problem("colliding_writes", message, place, mend, tuple(ids), "warning")


class _Relation:
    """Which tasks can run at the same time, by bit sets of what keeps each from which."""

    def __init__(self, loaded: Loaded, graph: Graph) -> None:
        self.bit: dict[str, int] = {}
        for task in loaded.plan.tasks:
            self.bit.setdefault(task.id, 1 << len(self.bit))
        self.apart = dict(self.bit)
        self._add_roles(loaded)
        for task in loaded.plan.tasks:
            for one in task.conflicts_with:
                if one in self.bit:
                    self.apart[task.id] |= self.bit[one]
                    self.apart[one] |= self.bit[task.id]
        try:
            order = graph.order()
        except ValueError:  # a plan with a cycle runs nothing at all
            self.apart = {}
            return
        self._add_reach(order, graph.needs)
        self._add_reach(order[::-1], graph.feeds)

    def _add_roles(self, loaded: Loaded) -> None:
        """A role that works on one task at a time keeps its own tasks apart."""
        by_role: dict[str, int] = {}
        for task in loaded.plan.tasks:
            by_role[task.agent] = by_role.get(task.agent, 0) | self.bit[task.id]
        for task in loaded.plan.tasks:
            role = loaded.roles.get(task.agent)
            if role is not None and role.parallel == 1:
                self.apart[task.id] |= by_role[task.agent]

    def _add_reach(self, order: tuple[Node, ...], edges: Mapping[Node, tuple[Node, ...]]) -> None:
        reach: dict[Node, int] = {}
        for node in order:
            mask = 0
            for one in edges[node]:
                mask |= reach[one] | (self.bit[one.id] if one.kind == "task" else 0)
            reach[node] = mask
            if node.kind == "task":
                self.apart[node.id] |= mask

    def parallel(self, ones: Sequence[Task], others: Sequence[Task]) -> list[str]:
        """Ids, in plan order, of the tasks of either side that nothing keeps from the other."""
        ids: set[str] = set()
        for side, opposite in ((ones, others), (others, ones)):
            mask = 0
            for task in opposite:
                mask |= self.bit[task.id]
            ids.update(task.id for task in side if mask & ~self.apart.get(task.id, -1))
        return sorted(ids, key=self.bit.__getitem__)

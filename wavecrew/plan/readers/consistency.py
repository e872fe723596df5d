"""What contradicts itself in an imported plan, whatever its format?

Cycles, ids written twice, dependencies on nothing, waves against
dependencies, done flags against order. Each becomes a diagnostic; nothing is
mended. Numbers are held against claims in `totals`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from wavecrew.plan.graph import Node, knots
from wavecrew.plan.readers.model import Diagnostic, ImportedPlan, ImportedTask
from wavecrew.plan.readers.totals import totals

_PARALLEL = re.compile(r"\b(?:wave|batch)\b", re.IGNORECASE)
_SHOWN = 12


def examine(plan: ImportedPlan) -> ImportedPlan:
    """The plan with every contradiction reported."""
    found: list[Diagnostic] = []
    for rule in (_duplicates, _unknown, _cycles, _waves, _done, _optional, totals):
        found += rule(plan)
    told = {(one.kind, frozenset(one.ids)) for one in plan.diagnostics}
    return plan.with_diagnostics(
        *(one for one in found if (one.kind, frozenset(one.ids)) not in told)
    )


def _by_id(plan: ImportedPlan) -> dict[str, ImportedTask]:
    tasks: dict[str, ImportedTask] = {}
    for task in plan.tasks:
        tasks.setdefault(task.id, task)
    return tasks


def _duplicates(plan: ImportedPlan) -> Iterator[Diagnostic]:
    first: dict[str, ImportedTask] = {}
    for task in plan.tasks:
        other = first.setdefault(task.id, task)
        if other is not task:
            message = f"{task.id} was already written on line {other.line}"
            yield Diagnostic("duplicate_id", task.line, (task.id,), message, task.file)


def _unknown(plan: ImportedPlan) -> Iterator[Diagnostic]:
    known = {one for task in plan.tasks for one in (task.id, *task.range_members)}
    reported = {
        one for found in plan.diagnostics if found.kind == "unknown_dependency" for one in found.ids
    }
    for task in plan.tasks:
        for dep in task.deps:
            if dep not in known and dep not in reported:
                message = f"{task.id} needs {dep}, which is no task here"
                ids = (task.id, dep)
                yield Diagnostic("unknown_dependency", task.line, ids, message, task.file)


def _task_needs(plan: ImportedPlan) -> dict[Node, list[Node]]:
    range_of = {one: task.id for task in plan.tasks for one in task.range_members}
    needs: dict[Node, list[Node]] = {Node("task", task.id): [] for task in plan.tasks}
    for task in plan.tasks:
        for dep in task.deps:
            node = Node("task", range_of.get(dep, dep))
            if node in needs:
                needs[Node("task", task.id)].append(node)
    return needs


def _cycles(plan: ImportedPlan) -> Iterator[Diagnostic]:
    tasks = _by_id(plan)
    needs = _task_needs(plan)
    plain = knots(needs)
    for knot in plain:
        ids = [node.id for node in knot]
        yield _cycle(tasks, ids, f"{' -> '.join(ids[:_SHOWN])} -> {ids[0]} wait for each other")
    knotted = {node for knot in plain for node in knot}
    for knot in knots(_with_barriers(plan, needs)):
        ids = sorted((node.id for node in knot if node.kind == "task"), key=_place(tasks))
        if not ids or all(node in knotted for node in knot if node.kind == "task"):
            continue
        walls = sorted(node.id for node in knot if node.kind == "group")
        message = (
            f"with {', '.join(repr(wall) for wall in walls[:3])} as a barrier, "
            f"{', '.join(ids[:_SHOWN])} wait for each other"
        )
        yield _cycle(tasks, ids, message)


def _place(tasks: Mapping[str, ImportedTask]) -> Callable[[str], tuple[int, str]]:
    return lambda one: (tasks[one].line, one)


def _cycle(tasks: Mapping[str, ImportedTask], ids: list[str], message: str) -> Diagnostic:
    first = min((tasks[one] for one in ids), key=lambda task: task.line)
    return Diagnostic("cycle", first.line, tuple(ids[:_SHOWN]), message, first.file)


def _with_barriers(plan: ImportedPlan, needs: Mapping[Node, list[Node]]) -> dict[Node, list[Node]]:
    """Task and group edges in one graph: a group stands for `all of it is done`."""
    graph = {node: list(before) for node, before in needs.items()}
    groups: dict[str, list[Node]] = {}
    for task in plan.tasks:
        if task.group:
            groups.setdefault(task.group, []).append(Node("task", task.id))
    for edge in plan.edges:
        if edge.kind not in ("barrier", "group"):
            continue
        wall = Node("group", edge.before)
        if edge.before in groups:
            graph.setdefault(wall, list(groups[edge.before]))
        elif Node("task", edge.before) in needs:
            wall = Node("task", edge.before)
        else:
            continue
        for node in groups.get(edge.after, [Node("task", edge.after)]):
            if node in needs:
                graph[node].append(wall)
    return graph


def _waves(plan: ImportedPlan) -> Iterator[Diagnostic]:
    tasks = _by_id(plan)
    later = _later(plan)
    for task in plan.tasks:
        for dep in task.deps:
            other = tasks.get(dep)
            if other is None or not task.group or not other.group or other is task:
                continue
            ids = (task.id, dep)
            if other.group in later.get(task.group, ()):
                message = f"{task.id} of {task.group!r} needs {dep} of the later {other.group!r}"
                kind = "wave_contradicts_dependency"
                yield Diagnostic(kind, task.line, ids, message, task.file)
            elif task.group == other.group and _PARALLEL.search(task.group):
                message = f"{task.id} needs {dep} of the same {task.group!r}"
                kind = "intra_wave_dependency"
                yield Diagnostic(kind, task.line, ids, message, task.file)


def _later(plan: ImportedPlan) -> dict[str, set[str]]:
    """Group -> all groups that come after it."""
    names = set(plan.groups)
    follows: dict[str, list[str]] = {}
    for edge in plan.edges:
        if edge.kind in ("barrier", "group") and edge.before in names and edge.after in names:
            follows.setdefault(edge.before, []).append(edge.after)
    later: dict[str, set[str]] = {}
    for name in plan.groups[:500]:
        seen: set[str] = set()
        todo = list(follows.get(name, ()))
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo += follows.get(one, ())
        later[name] = seen
    return later


def _done(plan: ImportedPlan) -> Iterator[Diagnostic]:
    tasks = _by_id(plan)
    for task in plan.tasks:
        early = [dep for dep in task.deps if dep in tasks and not tasks[dep].done]
        if task.done and early:
            message = f"{task.id} is done, but {', '.join(early[:_SHOWN])} is not"
            ids = (task.id, *early[:_SHOWN])
            yield Diagnostic("done_before_dependency", task.line, ids, message, task.file)
        parent = tasks.get(task.parent) if task.parent else None
        if parent is not None and parent.done and not task.done:
            message = f"{parent.id} is done, its part {task.id} is not"
            ids = (parent.id, task.id)
            yield Diagnostic("parent_done_child_open", task.line, ids, message, task.file)


def _optional(plan: ImportedPlan) -> Iterator[Diagnostic]:
    tasks = _by_id(plan)
    for task in plan.tasks:
        for dep in task.deps:
            other = tasks.get(dep)
            if other is not None and other.optional and not task.optional:
                message = f"{task.id} needs {dep}, which is optional"
                ids = (task.id, dep)
                yield Diagnostic("optional_in_chain", task.line, ids, message, task.file)

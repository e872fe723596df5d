"""Do the numbers a plan states about itself agree with what its tasks add up to?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from wavecrew.plan.readers.model import Claim, Diagnostic, ImportedPlan, ImportedTask

_CLOSE_H = 0.05


def totals(plan: ImportedPlan) -> Iterator[Diagnostic]:
    """Claims that the tasks contradict, and agents that alone need the time of all."""
    for claim in plan.claims:
        if claim.kind == "total_hours":
            yield from _sum(plan, claim)
        elif claim.kind == "parallel_hours" and not claim.ids:
            yield from _makespan(plan, claim)
        elif claim.kind == "task_count":
            yield from _count(plan, claim)
        elif claim.kind in ("agents", "max_concurrent"):
            yield from _agents(plan, claim)


def _concerned(plan: ImportedPlan, claim: Claim) -> list[ImportedTask]:
    if not claim.ids:
        return list(plan.tasks)
    return [task for task in plan.tasks if task.id in claim.ids or task.group in claim.ids]


def _sum(plan: ImportedPlan, claim: Claim) -> Iterator[Diagnostic]:
    tasks = [task for task in _concerned(plan, claim) if task.hours_min is not None]
    if not tasks:
        return
    low = sum(task.hours_min or 0.0 for task in tasks)
    high = sum(task.hours_max or 0.0 for task in tasks)
    upper = claim.value if claim.value_max is None else claim.value_max
    if abs(low - claim.value) > _CLOSE_H or abs(high - upper) > _CLOSE_H:
        computed = f"{low:g}" if low == high else f"{low:g}-{high:g}"
        claimed = f"{claim.value:g}" if upper == claim.value else f"{claim.value:g}-{upper:g}"
        message = f"claimed {claimed} hours, the tasks add up to {computed}"
        yield Diagnostic("total_mismatch", claim.line, claim.ids, message)


def static_makespan(plan: ImportedPlan) -> float | None:
    """Hours when groups run one after the other, each agent works through its queue.

    None unless the groups are in a row and every task has hours and an agent.
    """
    groups: dict[str, dict[str, float]] = {}
    for task in plan.tasks:
        if task.group is None or task.hours_max is None or task.agent is None:
            return None
        queues = groups.setdefault(task.group, {})
        queues[task.agent] = queues.get(task.agent, 0.0) + task.hours_max
    walls = {(edge.before, edge.after) for edge in plan.edges if edge.kind in ("barrier", "group")}
    names = [name for name in plan.groups if name in groups]
    if len(names) < 2 or any(pair not in walls for pair in pairwise(names)):
        return None
    return sum(max(queues.values()) for queues in groups.values())


def _makespan(plan: ImportedPlan, claim: Claim) -> Iterator[Diagnostic]:
    needed = static_makespan(plan)
    upper = claim.value if claim.value_max is None else claim.value_max
    if needed is not None and needed > upper + _CLOSE_H:
        message = f"claimed {upper:g} hours, the groups one after the other need {needed:g}"
        yield Diagnostic("makespan_mismatch", claim.line, (), message)
    loads: dict[str, float] = {}
    for task in plan.tasks:
        if task.agent and task.hours_max:
            loads[task.agent] = loads.get(task.agent, 0.0) + task.hours_max
    if needed is not None:
        for agent, hours in loads.items():
            if hours >= upper:
                message = f"{agent} alone is given {hours:g} hours, claimed for all is {upper:g}"
                yield Diagnostic("agent_overload", claim.line, (agent,), message)


def _count(plan: ImportedPlan, claim: Claim) -> Iterator[Diagnostic]:
    lines = len(plan.tasks)
    each = sum(len(task.range_members) or 1 for task in plan.tasks)
    if claim.value not in (lines, each):
        counted = f"{lines} tasks are written" + (f", {each} with ranges" if each != lines else "")
        message = f"claimed {claim.value:g} tasks, {counted}"
        yield Diagnostic("total_mismatch", claim.line, (), message)


def _agents(plan: ImportedPlan, claim: Claim) -> Iterator[Diagnostic]:
    groups = claim.ids or plan.groups
    peak = max((len(_names(plan.tasks, name)) for name in groups), default=0)
    if peak and claim.value > peak:
        message = f"claimed {claim.value:g} agents at once, no group has more than {peak}"
        yield Diagnostic("agent_peak_mismatch", claim.line, claim.ids, message)


def _names(tasks: Iterable[ImportedTask], group: str) -> set[str]:
    return {task.agent or task.id for task in tasks if task.group == group}

"""Is the work cut and shared out so that a crew can get through it in time?"""

from __future__ import annotations

from collections.abc import Iterator

from wavecrew.plan.graph import Graph
from wavecrew.plan.load import Loaded
from wavecrew.plan.problem import Problem

LARGE_H = 16
"""More than two days of work: no attempt ends well, no review is read, no estimate holds."""
_FEW_ROLES = 3
"""With fewer at work, uneven shares are no news."""
_IDLE = 0.1
"""A role that works for less than this part of the time is mostly idle."""


def large_tasks(loaded: Loaded, _: Graph) -> Iterator[Problem]:
    for task in loaded.plan.tasks:
        if task.estimate_h is not None and task.estimate_h > LARGE_H:
            message = f"task {task.id} is estimated at {task.estimate_h:g} hours"
            mend = f"split it: beyond {LARGE_H} hours neither agents nor reviewers keep it in view"
            place = loaded.near("task", task.id, "estimate_h")
            yield Problem("large_task", message, place, mend, (task.id,), "warning")


def loads(loaded: Loaded, graph: Graph) -> Iterator[Problem]:
    """Roles that alone need the time of the whole plan, and roles that hardly work at all.

    The time is what the plan's document claims, else its longest chain of dependencies; a plan
    with a cycle has neither.
    """
    hours: dict[str, float] = {}
    for task in loaded.plan.tasks:
        hours[task.agent] = hours.get(task.agent, 0.0) + (task.estimate_h or 0.0)
    time_h, source = _time(loaded, graph)
    if len(hours) < _FEW_ROLES or not time_h:
        return
    even = sum(hours.values()) / len(hours)
    unknown = {task.agent for task in loaded.plan.tasks if task.estimate_h is None}
    for name, load in hours.items():
        role = loaded.roles.get(name)
        needed = load / (role.parallel if role else 1)
        place = loaded.near("role", name)
        if needed > max(time_h, 2 * even) or (source == "claimed" and needed >= time_h):
            message = (
                f"role {name!r} alone needs {needed:g} hours; "
                f"{time_h:g} are {source} for the whole plan"
            )
            mend = "raise its `parallel`, or give some of its tasks to another role"
            yield Problem("overloaded_role", message, place, mend, (name,), "warning")
        elif load < _IDLE * time_h and name not in unknown:
            message = f"role {name!r} has {load:g} hours of work in {time_h:g}"
            mend = "give it more, or its tasks to a role of the same sort"
            yield Problem("mostly_idle_role", message, place, mend, (name,), "warning")


def _time(loaded: Loaded, graph: Graph) -> tuple[float, str]:
    for claim in loaded.plan.claims:
        if claim.what == "makespan_h":
            return claim.hours, "claimed"
    try:
        return graph.critical_path()[1], "needed by the longest chain"
    except ValueError:
        return 0.0, ""

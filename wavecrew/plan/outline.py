"""How is a plan told to a person, and to a script?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Literal, NamedTuple

from wavecrew.plan.graph import Graph
from wavecrew.plan.load import Loaded
from wavecrew.plan.model import SyncPoint, Task, Wave
from wavecrew.plan.problem import Problem

Style = Literal["title", "head", "group", "task", "sync", "note", "error", "warning"]
UNGROUPED = "no wave"


class Line(NamedTuple):
    text: str
    style: Style


def outline(loaded: Loaded, *, why: bool = False) -> list[Line]:
    """The plan by waves, groups and tasks, then sync points and totals.

    With `why`, every value of a task, sync point and role is told with its place.
    """
    lines = [Line(loaded.plan.title, "title")]
    for wave, tasks in _by_wave(loaded):
        lines += _wave(loaded, wave, tasks, why)
    for sync in loaded.plan.sync_points:
        lines += _sync(loaded, sync, why)
    if why:
        lines += [Line("", "note"), Line("Roles", "head")]
        for name, role in loaded.roles.items():
            lines.append(Line(f"  {name}", "task"))
            lines += _why(loaded, role.model_dump(exclude={"name"}), "role", name)
    return [*lines, Line("", "note"), *_totals(loaded)]


def as_data(loaded: Loaded, *, why: bool = False) -> dict[str, Any]:
    """The same for a script: plan, roles, totals; with `why` the places of what is written."""
    path, hours = _critical(loaded)
    data: dict[str, Any] = {
        "plan": loaded.plan.model_dump(mode="json"),
        "roles": {name: role.model_dump(mode="json") for name, role in loaded.roles.items()},
        "settings": loaded.settings.model_dump(mode="json"),
        "totals": {
            "tasks": len(loaded.plan.tasks),
            "hours": _hours(loaded.plan.tasks),
            "critical_path": path,
            "critical_path_h": hours,
        },
    }
    if why:
        data["places"] = {" ".join(what): str(place) for what, place in loaded.places.items()}
    return data


def problem_data(problem: Problem) -> dict[str, Any]:
    """A problem for a script."""
    return {
        "severity": problem.severity,
        "kind": problem.kind,
        "message": problem.message,
        "file": problem.place.file,
        "line": problem.place.line,
        "column": problem.place.column,
        "mend": problem.mend,
        "ids": list(problem.ids),
    }


def _by_wave(loaded: Loaded) -> Iterator[tuple[Wave | None, list[Task]]]:
    for wave in loaded.plan.waves:
        yield wave, [task for task in loaded.plan.tasks if task.wave == wave.id]
    rest = [task for task in loaded.plan.tasks if task.wave is None]
    if rest:
        yield None, rest


def _wave(loaded: Loaded, wave: Wave | None, tasks: list[Task], why: bool) -> Iterator[Line]:
    name = f"Wave {wave.id}  {wave.title}".rstrip() if wave else f"Tasks of {UNGROUPED}"
    yield Line("", "note")
    yield Line(f"{name}  ({len(tasks)} tasks, {_hours(tasks):g} h)", "head")
    for group, members in groupby(tasks, key=lambda task: (task.phase, task.group)):
        if any(group):
            yield Line("  " + " / ".join(part for part in group if part), "group")
        for task in members:
            yield _task(task)
            if why:
                yield from _why(loaded, task.model_dump(exclude={"id"}), "task", task.id)


def _task(task: Task) -> Line:
    hours = "   ?" if task.estimate_h is None else f"{task.estimate_h:4g}"
    needs = f"  needs {', '.join(task.depends_on)}" if task.depends_on else ""
    return Line(f"    {task.id:<6}{hours} h  {task.agent:<22} {task.title}{needs}", "task")


def _sync(loaded: Loaded, sync: SyncPoint, why: bool) -> Iterator[Line]:
    yield Line("", "note")
    approval = ", with a person's approval" if sync.approval else ""
    yield Line(f"Sync point {sync.id}  {sync.title}{approval}", "sync")
    yield Line(f"    after  {_side(sync.after_waves, sync.after_tasks)}", "note")
    yield Line(f"    holds  {_side(sync.holds_waves, sync.holds_tasks) or 'nothing'}", "note")
    if why:
        yield from _why(loaded, sync.model_dump(exclude={"id"}), "sync", sync.id)


def _side(waves: tuple[str, ...], tasks: tuple[str, ...]) -> str:
    return ", ".join([*(f"wave {wave}" for wave in waves), *tasks])


def _why(loaded: Loaded, values: dict[str, Any], kind: str, name: str) -> Iterator[Line]:
    for key, value in values.items():
        place = loaded.where(kind, name, key)
        shown = " ".join(str(_readable(value)).split())
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        yield Line(f"          {key:<16} {shown or '-'}  [{place or 'default'}]", "note")


def _readable(value: Any) -> Any:
    if isinstance(value, tuple):
        return ", ".join(
            one["symbol"] + one["signature"] if isinstance(one, dict) else str(one) for one in value
        )
    return "" if value is None else value


def _totals(loaded: Loaded) -> Iterator[Line]:
    tasks, plan = loaded.plan.tasks, loaded.plan
    people = len({task.agent for task in tasks})
    yield Line(
        f"{len(tasks)} tasks, {_hours(tasks):g} h, {people} roles at work, "
        f"{len(plan.waves)} waves, {len(plan.sync_points)} sync points",
        "head",
    )
    path, hours = _critical(loaded)
    if path:
        yield Line(f"Critical path {hours:g} h: {' -> '.join(path)}", "note")


def _critical(loaded: Loaded) -> tuple[list[str], float]:
    """Names and hours of the longest path; nothing when the plan has a cycle."""
    try:
        nodes, hours = Graph(loaded.plan).critical_path()
    except ValueError:
        return [], 0.0
    return [f"[{node.id}]" if node.kind == "sync" else node.id for node in nodes], hours


def _hours(tasks: list[Task] | tuple[Task, ...]) -> float:
    return sum(task.estimate_h or 0.0 for task in tasks)

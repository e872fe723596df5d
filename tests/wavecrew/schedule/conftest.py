"""Plans made up for the scheduler, and a judge of schedules that shares no code with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from wavecrew.plan.load import load
from wavecrew.plan.model import Plan, Role
from wavecrew.schedule.timeline import Timeline

Made = tuple[Plan, dict[str, Role], int, str]
"""A plan, its roles, how many agents, which barrier."""


def role(name: str, parallel: int = 1, attempts: int = 3) -> Role:
    return Role.model_validate(
        {
            "name": name,
            "role": "r",
            "goal": "g",
            "backstory": "b",
            "archetype": "flow",
            "tools": [],
            "parallel": parallel,
            "attempts": attempts,
        }
    )


def task(id_: str, *needs: str, agent: str = "a", hours: float | None = 1, **more: Any) -> Any:
    base = {"id": id_, "title": id_, "agent": agent, "description": "d", "expected_output": "e"}
    return base | {"depends_on": needs, "estimate_h": hours} | more


def plan(*tasks: Any, syncs: tuple[Any, ...] = (), waves: str = "", **more: Any) -> Plan:
    return Plan.model_validate(
        {
            "title": "T",
            "waves": [{"id": wave} for wave in waves],
            "tasks": tasks,
            "sync_points": [{"title": "s", **sync} for sync in syncs],
            **more,
        }
    )


@st.composite
def problems(draw: st.DrawFn, most: int = 9) -> Made:
    """Any plan that can be carried out, under either policy."""
    names = [str(number) for number in range(draw(st.integers(1, most)))]
    cut = draw(st.integers(0, len(names)))
    tasks = []
    for at, name in enumerate(names):
        needs = draw(st.lists(st.sampled_from(names[:at]), unique=True, max_size=2)) if at else []
        foes = draw(st.lists(st.sampled_from(names), unique=True, max_size=1))
        wave = draw(st.sampled_from(["1", "1", None])) if at < cut else "2"
        hours = draw(st.sampled_from([None, 0, 0.005, 0.5, 1, 2, 3, 5, 8]))
        agent = draw(st.sampled_from("abc"))
        more = {"conflicts_with": [one for one in foes if one != name], "wave": wave}
        tasks.append(task(name, *needs, agent=agent, hours=hours, **more))
    sync = {"id": "s", "after_tasks": names[:cut], "holds_tasks": names[cut:]}
    held = (sync,) if 0 < cut < len(names) and draw(st.booleans()) else ()
    roles = {"a": role("a"), "b": role("b", 2), "c": role("c", 3)}
    barrier = draw(st.sampled_from(["sync", "wave"]))
    return plan(*tasks, syncs=held, waves="12"), roles, draw(st.integers(1, 4)), barrier


def broken(made: Made, timeline: Timeline, lengths: Mapping[str, int]) -> list[str]:
    """Every rule of the plan that the timeline breaks; hours are the plan's, minutes the times."""
    plan, roles, agents, barrier = made
    spans = {span.task: span for span in timeline.spans}
    found = []
    if sorted(spans) != sorted(one.id for one in plan.tasks) or len(spans) < len(timeline.spans):
        found.append("not every task once")
    found += [f"length of {k}" for k, s in spans.items() if s.end - s.start != lengths[k]]
    found += [f"{k} before the start" for k, s in spans.items() if s.start < 0]
    for one in plan.tasks:
        for need in one.depends_on:
            if spans[one.id].start < spans[need].end:
                found.append(f"{one.id} before {need}")
    pairs = [(plan.before(sync), plan.held_by(sync)) for sync in plan.sync_points]
    if barrier == "wave":
        first = [one for one in plan.tasks if one.wave == "1"]
        pairs.append((first, [one for one in plan.tasks if one.wave == "2"]))
    for before, held in pairs:
        for one in before:
            for other in held:
                if spans[other.id].start < spans[one.id].end:
                    found.append(f"{other.id} held back by {one.id}")
    for moment in {span.start for span in timeline.spans}:
        now = [span for span in timeline.spans if span.start <= moment < span.end]
        if len(now) > agents:
            found.append(f"{len(now)} agents at {moment}")
        for name in roles:
            if sum(span.role == name for span in now) > roles[name].parallel:
                found.append(f"too many {name} at {moment}")
        for one, other in combinations(now, 2):
            tasks = plan.tasks_by_id
            if (
                other.task in tasks[one.task].conflicts_with
                or one.task in tasks[other.task].conflicts_with
            ):
                found.append(f"{one.task} beside {other.task}")
    return found


@pytest.fixture(scope="session")
def document() -> tuple[Plan, dict[str, Role]]:
    """The Discovery plan as its document is written: 20 lines, ten fixed agents, three waves."""
    folder = Path(__file__).resolve().parents[2] / "data" / "discovery_document"
    loaded = load(folder / "agents.yaml", folder / "tasks.yaml")
    return loaded.plan, dict(loaded.roles)


@pytest.fixture(scope="session")
def make() -> Callable[..., Any]:
    """`make("role" | "task" | "plan", ...)`."""
    kinds: dict[str, Callable[..., Any]] = {"role": role, "task": task, "plan": plan}
    return lambda kind, *given, **more: kinds[kind](*given, **more)


@pytest.fixture(scope="session")
def any_problem() -> st.SearchStrategy[Made]:
    return problems()


@pytest.fixture(scope="session")
def faults() -> Callable[..., list[str]]:
    return broken

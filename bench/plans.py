"""How checking, deciding and forecasting grow with the size of a plan.

Random plans, each size twice the one before, all in one run: beside the times stand the ratios to
the size before, 2 being linear. Run `python bench/plans.py`; sizes may be given as arguments.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from wavecrew.plan.graph import Graph
from wavecrew.plan.lint import check
from wavecrew.plan.load import Loaded, load
from wavecrew.plan.model import Plan, Role
from wavecrew.plan.settings import Settings
from wavecrew.schedule.bounds import bounds
from wavecrew.schedule.forecast import forecast
from wavecrew.schedule.optimal import optimal
from wavecrew.schedule.problem import problem
from wavecrew.schedule.ready import Schedule
from wavecrew.schedule.simulate import dispatch

SIZES = (1250, 2500, 5000, 10_000)
DECISION_MS = 5.0
AGENTS = 10
ROUNDS = 3


def main() -> int:
    sizes = tuple(int(size) for size in sys.argv[1:]) or SIZES
    plans = {size: random_plan(size) for size in sizes}
    times = measured(plans)
    show(times)
    gaps(plans)
    discovery()
    return 0 if times[sizes[-1]]["one decision"] <= DECISION_MS else 1


def random_plan(size: int, reach: int = 100) -> Loaded:
    """Twenty roles, five waves, tasks that need up to three of the `reach` before them.

    The farther they reach, the wider the plan: the more tasks can be at work at once.
    """
    random = Random(size)
    roles = {name: role(name) for name in (f"role-{number}" for number in range(20))}
    tasks = []
    for number in range(size):
        before = range(max(0, number - reach), number)
        needs = random.sample(before, min(len(before), random.randint(0, 3)))
        tasks.append(
            {
                "id": str(number),
                "title": f"Task {number}",
                "agent": f"role-{random.randrange(20)}",
                "description": "d",
                "expected_output": "e",
                "wave": str(number * 5 // size),
                "estimate_h": random.choice((1, 2, 3, 4, 6, 8)),
                "depends_on": [str(one) for one in sorted(needs)],
                "may_write": [f"src/part_{number}.py"],
                "done_when": ["true"],
            }
        )
    waves = [{"id": str(number)} for number in range(5)]
    syncs = [
        {
            "id": f"after-{wave}",
            "title": "s",
            "after_waves": [str(wave)],
            "holds_waves": [str(wave + 1)],
        }
        for wave in range(4)
    ]
    plan = Plan.model_validate(
        {"title": "Random", "waves": waves, "tasks": tasks, "sync_points": syncs}
    )
    return Loaded(plan, roles, Settings())


def role(name: str) -> Role:
    return Role.model_validate(
        {
            "name": name,
            "role": name,
            "goal": "g",
            "backstory": "b",
            "archetype": "flow",
            "tools": ["submit"],
            "may_write": ["src/**"],
        }
    )


def measured(plans: dict[int, Loaded]) -> dict[int, dict[str, float]]:
    """Size -> what -> milliseconds of processor time, the best of rounds that the sizes take in
    turns."""
    kinds = {size: contestants(loaded) for size, loaded in plans.items()}
    times: dict[int, dict[str, float]] = {size: {} for size in plans}
    gc.collect()
    gc.freeze()
    for _ in range(ROUNDS):
        for size, once in kinds.items():
            for what, call in once.items():
                began = time.process_time()
                call()
                took = 1000 * (time.process_time() - began)
                times[size][what] = min(took, times[size].get(what, took))
    return times


def contestants(loaded: Loaded) -> dict[str, Callable[[], object]]:
    plan, roles = loaded.plan, loaded.roles
    schedule = Schedule(plan, roles)
    half = {task.id for task in plan.tasks[: len(plan.tasks) // 2]}
    made = problem(plan, roles, agents=AGENTS)
    usual = dispatch(made, schedule.order)
    opened = set(schedule.due_syncs(half, set()))

    def decide() -> object:
        return schedule.ready(
            merged=half, running=set(), blocked=set(), open_syncs=opened, agents=AGENTS
        )

    return {
        "graph and its order": lambda: Graph(plan).order(),
        "check": lambda: check(loaded),
        "schedule": lambda: Schedule(plan, roles),
        "one decision": decide,
        "bounds": lambda: bounds(made),
        "whole dispatch": lambda: dispatch(made, schedule.order),
        "optimum or gap": lambda: optimal(made, usual),
        "forecast, no bands": lambda: forecast(plan, roles, agents=AGENTS, plays=0),
    }


def show(times: dict[int, dict[str, float]]) -> None:
    table = Table(title=f"processor ms by tasks, {AGENTS} agents (x: against the size before)")
    table.add_column("what")
    for size in times:
        table.add_column(f"{size}", justify="right")
    sizes = list(times)
    for what in times[sizes[0]]:
        cells = [f"{times[sizes[0]][what]:.2f}"]
        for before, size in pairwise(sizes):
            now, then = times[size][what], times[before][what]
            cells.append(f"{now:.2f} (x{now / then:.1f})")
        table.add_row(what, *cells)
    Console(width=110).print(table)


def gaps(plans: dict[int, Loaded]) -> None:
    """How far above its lower bound the scheduler's own schedule stands."""
    for size, loaded in plans.items():
        made = problem(loaded.plan, loaded.roles, agents=AGENTS)
        order = Schedule(loaded.plan, loaded.roles).order
        found = optimal(made, dispatch(made, order))
        print(f"{size} tasks: {found.timeline.hours:g} h, {found.proof}, gap {found.gap:.2%}")


def discovery() -> None:
    """The optimum of the shipped plan, from the usual schedule and from a poor one."""
    root = Path(__file__).resolve().parent.parent
    loaded = load(root / "agents.yaml", root / "tasks.yaml")
    plan, roles = loaded.plan, loaded.roles
    made = problem(plan, roles, agents=AGENTS, parallel=dict.fromkeys(roles, AGENTS))
    usual = dispatch(made, Schedule(plan, roles).order)
    alone = problem(plan, roles, agents=1)
    poor = dispatch(alone, Schedule(plan, roles).order)
    optimal(made, poor)
    for name, start in (("the usual schedule", usual), ("one agent's schedule", poor)):
        began = time.perf_counter()
        found = optimal(made, start)
        took = 1000 * (time.perf_counter() - began)
        hours = f"{found.timeline.hours:g} h, {found.proof}"
        print(f"Discovery plan, {AGENTS} agents, from {name}: {hours}, {took:.1f} ms")


if __name__ == "__main__":
    sys.exit(main())

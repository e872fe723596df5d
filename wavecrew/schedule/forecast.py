"""How long will a plan take, one way and another?

Rows of one table: the same plan by one agent, with its waves as barriers, with
its sync points only, with roles free to work in parallel, and as someone asks.
Each row has what the scheduler makes of it, the optimum with its proof, the
lower bounds and a band for what estimates are worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from wavecrew.plan.model import Plan, Role, TaskId
from wavecrew.schedule.bounds import Bounds, bounds
from wavecrew.schedule.optimal import Optimum, optimal
from wavecrew.schedule.order import Solve, choose
from wavecrew.schedule.problem import Deadlock, problem
from wavecrew.schedule.ready import Barrier, Schedule, hours_of
from wavecrew.schedule.timeline import Timeline
from wavecrew.schedule.uncertainty import Band, band


@dataclass(frozen=True)
class Policy:
    """A row before it is computed."""

    key: str
    """`single`, `written`, `sync`, `parallel`, `asked`, `asked_parallel`; stable, for scripts."""
    title: str
    agents: int
    barrier: Barrier
    parallel: Mapping[str, int]
    """Role -> how many at once, where it differs from agents.yaml."""


@dataclass(frozen=True)
class Answer:
    dispatched: Timeline
    """What the run's scheduler makes of it."""
    optimum: Optimum
    bounds: Bounds
    band: Band | None
    """None when no plays were asked for."""


@dataclass(frozen=True)
class Row:
    policy: Policy
    answer: Answer | None
    """None: it can never be carried out."""
    impossible: str = ""
    """The circle that keeps it from ever ending."""


@dataclass(frozen=True)
class Held:
    """A claim of the plan's document beside what was computed."""

    what: str
    claimed_h: float
    row: str
    computed_h: float | None
    """None when that row is impossible."""


@dataclass(frozen=True)
class Forecast:
    title: str
    tasks: int
    work_h: float
    rows: tuple[Row, ...]
    chosen: str
    """Key of the row that a run takes: as asked, else with sync points."""
    loads: Mapping[str, float]
    """Role -> hours, heaviest first."""
    assumed: tuple[TaskId, ...]
    """Tasks without an estimate."""
    claims: tuple[Held, ...]

    def row(self, key: str) -> Row:
        return next(row for row in self.rows if row.policy.key == key)


@dataclass(frozen=True)
class Asked:
    """A what-if; None and empty leave things as the files have them."""

    agents: int | None = None
    parallel: Mapping[str, int] | None = None
    barrier: Barrier | None = None

    @property
    def anything(self) -> bool:
        return bool(self.agents or self.parallel or self.barrier)


BANDED_TASKS = 2000
CLAIMED_ROWS = {"single_agent_h": "single", "makespan_h": "written"}


def forecast(
    plan: Plan,
    roles: Mapping[str, Role],
    *,
    agents: int,
    asked: Asked | None = None,
    seed: int = 1,
    plays: int = 500,
    solve: Solve = optimal,
) -> Forecast:
    """All rows. Deadlock when the plan cannot be carried out even without waves as barriers.

    `agents` is how many the settings let work at once; `plays` 0 leaves the
    bands out, and beyond BANDED_TASKS only the chosen row has one. Every row
    draws from a generator of its own, seeded alike.
    """
    wish = asked or Asked()
    problem(plan, roles, agents=agents)
    chosen = "asked" if wish.anything else "sync"
    rows = []
    for one in _policies(plan, agents, wish):
        banded = len(plan.tasks) <= BANDED_TASKS or one.key == chosen
        rows.append(_row(plan, roles, one, seed, plays if banded else 0, solve))
    loads: dict[str, float] = {}
    for task in plan.tasks:
        loads[task.agent] = loads.get(task.agent, 0.0) + hours_of(task)
    return Forecast(
        title=plan.title,
        tasks=len(plan.tasks),
        work_h=sum(loads.values()),
        rows=tuple(rows),
        chosen=chosen,
        loads=dict(sorted(loads.items(), key=lambda one: -one[1])),
        assumed=tuple(task.id for task in plan.tasks if task.estimate_h is None),
        claims=_held(plan, rows),
    )


def _policies(plan: Plan, agents: int, wish: Asked) -> list[Policy]:
    everyone = {str(task.agent): agents for task in plan.tasks}
    found = [
        Policy("single", "one agent", 1, "sync", {}),
        Policy("written", "as written: waves are barriers", agents, "wave", {}),
        Policy("sync", "sync points only", agents, "sync", {}),
        Policy("parallel", "sync points, roles in parallel", agents, "sync", everyone),
    ]
    if wish.anything:
        many, barrier = wish.agents or agents, wish.barrier or "sync"
        raised = dict.fromkeys(everyone, many)
        found += [
            Policy("asked", "as asked", many, barrier, wish.parallel or {}),
            Policy("asked_parallel", "as asked, roles in parallel", many, barrier, raised),
        ]
    return found


def _row(
    plan: Plan, roles: Mapping[str, Role], policy: Policy, seed: int, plays: int, solve: Solve
) -> Row:
    try:
        made = problem(
            plan,
            roles,
            agents=policy.agents,
            barrier=policy.barrier,
            parallel=policy.parallel,
        )
    except Deadlock as deadlock:
        return Row(policy, None, str(deadlock))
    usual = Schedule(plan, roles, barrier=policy.barrier).order
    chosen = choose(made, usual, solve)
    doubtful = None
    if plays:
        doubtful = band(made, chosen.order, Random(seed), plays=plays)  # noqa: S311
    return Row(policy, Answer(chosen.dispatched, chosen.optimum, bounds(made), doubtful))


def _held(plan: Plan, rows: list[Row]) -> tuple[Held, ...]:
    answers = {row.policy.key: row.answer for row in rows}
    held = []
    for claim in plan.claims:
        key = CLAIMED_ROWS[claim.what]
        answer = answers[key]
        hours = answer.dispatched.hours if answer else None
        held.append(Held(claim.what, claim.hours, key, hours))
    return tuple(held)

"""In which order should a run start what is ready, and when is that to be thought over?

A run starts ready tasks by the longest path behind them. Where following the
optimal schedule is strictly faster, its order goes first. Estimates are wrong,
but only their proportions matter: when finished tasks took other shares of the
time than they were given, the rest is planned again with what was learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

from wavecrew.plan.model import Plan, Role, TaskId
from wavecrew.schedule.optimal import Optimum, optimal
from wavecrew.schedule.problem import Problem, problem
from wavecrew.schedule.ready import Barrier, Schedule, hours_of
from wavecrew.schedule.simulate import dispatch
from wavecrew.schedule.timeline import Timeline

Solve = Callable[[Problem, Timeline], Optimum]

TOLERANCE = 0.5
"""Share of the time spent that may lie elsewhere than estimated."""
ENOUGH = 3
"""Finished tasks before anything is concluded from them."""


class Choice(NamedTuple):
    order: Mapping[TaskId, int]
    """Task -> position."""
    dispatched: Timeline
    """What the run's scheduler makes of that order."""
    optimum: Optimum


def choose(problem: Problem, usual: Mapping[TaskId, int], solve: Solve = optimal) -> Choice:
    """The usual order, or that of the optimal schedule where following it is strictly faster."""
    plain = dispatch(problem, usual)
    optimum = solve(problem, plain)
    if optimum.timeline is plain:
        return Choice(usual, plain, optimum)
    order = {task: at for at, task in enumerate(optimum.timeline.order())}
    followed = dispatch(problem, order)
    if followed.minutes < plain.minutes:
        return Choice(order, followed, optimum)
    return Choice(usual, plain, optimum)


def order_for_run(
    plan: Plan,
    roles: Mapping[str, Role],
    *,
    agents: int,
    barrier: Barrier = "sync",
    only: Collection[str] | None = None,
    spent: Mapping[TaskId, float] | None = None,
    usual: Mapping[TaskId, int] | None = None,
) -> tuple[TaskId, ...]:
    """The order for a run of the tasks `only`; empty: the `usual` one is as good.

    `usual` is by the longest path unless it is given; `spent` is what finished
    tasks took. Deadlock when the tasks can never be carried out.
    """
    made = problem(plan, roles, agents=agents, barrier=barrier, only=only)
    known = Schedule(plan, roles, barrier=barrier).order if usual is None else usual
    order = choose(learnt(made, plan, spent or {}), known).order
    return () if order is known else tuple(sorted(order, key=order.__getitem__))


def departs(estimate: Mapping[TaskId, float], spent: Mapping[TaskId, float]) -> bool:
    """Has reality departed from the estimates so far that the rest is to be planned again?

    `spent` is what finished tasks took, in any unit: at the pace of all of
    them together, more than TOLERANCE of it lies elsewhere than estimated.
    """
    known = {task: took for task, took in spent.items() if task in estimate}
    total, expected = sum(known.values()), sum(estimate[task] for task in known)
    if len(known) < ENOUGH or total <= 0 or expected <= 0:
        return False
    pace = total / expected
    missed = sum(abs(took - pace * estimate[task]) for task, took in known.items())
    return missed > TOLERANCE * total


def learnt(made: Problem, plan: Plan, spent: Mapping[TaskId, float]) -> Problem:
    """The problem with each job as long as the finished tasks of its role make one expect."""
    hours = {task.id: hours_of(task) for task in plan.tasks if task.id in spent}
    expected, total = sum(hours.values()), sum(spent[task] for task in hours)
    if not expected or not total:
        return made
    given: dict[str, float] = {}
    took: dict[str, float] = {}
    for task in hours:
        role = plan.tasks_by_id[task].agent
        given[role] = given.get(role, 0.0) + hours[task]
        took[role] = took.get(role, 0.0) + spent[task]
    factors = {role: took[role] / given[role] * expected / total for role in given if given[role]}
    jobs = {
        task: job._replace(minutes=round(job.minutes * factors.get(job.role, 1.0)))
        for task, job in made.jobs.items()
    }
    return replace(made, jobs=jobs)

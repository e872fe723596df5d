"""What is the shortest schedule, and is that proven?

CP-SAT (OR-Tools) with dependencies, capacities, exclusions and barriers as
constraints. One worker, a fixed seed and a limit counted in work rather than in
seconds: the same problem has the same answer on every machine. OR-Tools takes
a second to import, so it is imported only when a bound has not settled it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wavecrew.plan.model import TaskId
from wavecrew.schedule.bounds import bounds
from wavecrew.schedule.problem import Job, Problem
from wavecrew.schedule.simulate import dispatch
from wavecrew.schedule.timeline import Span, Timeline

if TYPE_CHECKING:
    from ortools.sat.python.cp_model import CpModel, IntervalVar, IntVar

Proof = Literal["optimal", "feasible", "bound only"]
EXACT_TASKS = 1000
"""Beyond this the solver is not asked: the list schedule and the bound stand alone."""
EFFORT = 4.0
"""The solver's limit in its own deterministic time, roughly seconds."""


@dataclass(frozen=True)
class Optimum:
    timeline: Timeline
    """The shortest schedule that is known."""
    bound: int
    """Minutes: no schedule is shorter."""
    proof: Proof
    """optimal: nothing is shorter. feasible: the solver ran out of its limit.
    bound only: the problem is beyond the solver, the schedule is the scheduler's own."""

    @property
    def gap(self) -> float:
        """By what part of itself the schedule could at most be shortened."""
        minutes = self.timeline.minutes
        return (minutes - self.bound) / minutes if minutes else 0.0


def optimal(
    problem: Problem, start: Timeline, *, exact: int = EXACT_TASKS, effort: float = EFFORT
) -> Optimum:
    """The shortest schedule; `start` is any schedule of the problem, to begin from."""
    bound = bounds(problem).joint
    if start.minutes <= bound:
        return Optimum(start, bound, "optimal")
    if len(problem.jobs) > exact:
        return Optimum(start, bound, "bound only")
    found, proven = _solve(problem, start, bound, effort)
    best = _packed(problem, found) if found and found.minutes <= start.minutes else start
    bound = max(bound, min(proven, best.minutes))
    return Optimum(best, bound, "optimal" if bound == best.minutes else "feasible")


def _packed(problem: Problem, found: Timeline) -> Timeline:
    """The same order without needless waiting, when the scheduler can follow it as fast."""
    order = {task: at for at, task in enumerate(found.order())}
    followed = dispatch(problem, order)
    return followed if followed.minutes <= found.minutes else found


def _solve(
    problem: Problem, start: Timeline, bound: int, effort: float
) -> tuple[Timeline | None, int]:
    """The best schedule the solver finds, and the minutes it proves to be needed."""
    from ortools.sat.python import cp_model

    model = cp_model.CpModel()
    starts = _model(model, problem, start, bound)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    solver.parameters.max_deterministic_time = effort
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None, bound
    begins = {task: solver.value(starts[task]) for task in problem.jobs}
    timeline = Timeline.of(_span(job, begins[job.id]) for job in problem.jobs.values())
    return timeline, round(solver.best_objective_bound)


def _span(job: Job, start: int) -> Span:
    return Span(job.id, job.role, start, start + job.minutes)


def _model(
    model: CpModel, problem: Problem, start: Timeline, bound: int
) -> Mapping[TaskId, IntVar]:
    """Fill `model` with the problem and return the start of each job."""
    horizon = start.minutes
    starts = {task: model.new_int_var(0, horizon, "") for task in problem.jobs}
    spans = {
        task: model.new_fixed_size_interval_var(starts[task], job.minutes, "")
        for task, job in problem.jobs.items()
    }
    end = model.new_int_var(bound, horizon, "")
    for task, job in problem.jobs.items():
        model.add(starts[task] + job.minutes <= end)
        for need in problem.needs[task]:
            model.add(starts[task] >= starts[need] + problem.jobs[need].minutes)
    for gate in problem.gates:
        opens = model.new_int_var(0, horizon, "")
        for task in gate.before:
            model.add(opens >= starts[task] + problem.jobs[task].minutes)
        for task in gate.holds:
            model.add(starts[task] >= opens)
    for role, jobs in problem.roles.items():
        _limit(model, [spans[job.id] for job in jobs], problem.parallel[role])
    _limit(model, list(spans.values()), problem.agents)
    for one, other in problem.apart:
        if problem.jobs[one].minutes and problem.jobs[other].minutes:
            model.add_no_overlap([spans[one], spans[other]])
    for span in start.spans:
        model.add_hint(starts[span.task], span.start)
    model.minimize(end)
    return starts


def _limit(model: CpModel, spans: list[IntervalVar], at_once: int) -> None:
    if len(spans) > at_once:
        model.add_cumulative(spans, [1] * len(spans), at_once)

"""Optimal schedules: no rule broken, nothing shorter exists, and the proof is what it says."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavecrew.schedule.bounds import bounds
from wavecrew.schedule.optimal import optimal
from wavecrew.schedule.problem import Problem, problem
from wavecrew.schedule.ready import Schedule
from wavecrew.schedule.simulate import dispatch
from wavecrew.schedule.timeline import Timeline


def worst(made: Problem) -> Timeline:
    """One job after the other: the longest schedule to begin from, so that the solver has work."""
    order = {node.id: at for at, node in enumerate(made.order) if node.kind == "task"}
    alone = Problem(made.jobs, made.needs, made.gates, made.apart, 1, made.parallel)
    return dispatch(alone, order)


@settings(max_examples=120)
@given(data=st.data())
def test_no_rule_is_broken_and_nothing_tried_is_shorter(
    any_problem: Any, faults: Any, data: st.DataObject
) -> None:
    given_ = data.draw(any_problem)
    plan, roles, agents, barrier = given_
    made = problem(plan, roles, agents=agents, barrier=barrier)
    lengths = {task: job.minutes for task, job in made.jobs.items()}
    found = optimal(made, worst(made))
    assert faults(given_, found.timeline, lengths) == []
    assert found.proof == "optimal"
    assert found.bound == found.timeline.minutes
    assert bounds(made).joint <= found.timeline.minutes
    usual = dispatch(made, Schedule(plan, roles, barrier=barrier).order)
    assert found.timeline.minutes <= usual.minutes
    for _ in range(5):
        shuffled = data.draw(st.permutations(list(made.jobs)))
        other = dispatch(made, {task: at for at, task in enumerate(shuffled)})
        assert found.timeline.minutes <= other.minutes
    assert optimal(made, worst(made)) == found
    assert optimal(made, usual).timeline.minutes == found.timeline.minutes


@settings(max_examples=40)
@given(data=st.data())
def test_without_exclusions_it_is_the_best_of_all_serial_schedules(
    make: Any, data: st.DataObject
) -> None:
    hours = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=6))
    needs = {
        at: data.draw(st.sets(st.integers(0, at - 1), max_size=2)) if at else set()
        for at in range(len(hours))
    }
    tasks = [
        make(
            "task", str(at), *map(str, needs[at]), agent=data.draw(st.sampled_from("ab")), hours=one
        )
        for at, one in enumerate(hours)
    ]
    roles = {"a": make("role", "a"), "b": make("role", "b")}
    made = problem(make("plan", *tasks), roles, agents=2)
    best = min(_serial(made, needs, order) for order in permutations(range(len(hours))))
    assert optimal(made, worst(made)).timeline.minutes == best


def _serial(made: Problem, needs: dict[int, set[int]], order: tuple[int, ...]) -> int:
    """Each job, in this order, as early as it fits; with one agent a role and two in all."""
    ends: dict[int, int] = {}
    role_free = dict.fromkeys(made.parallel, 0)
    for at in order:
        if not needs[at] <= ends.keys():
            return 10**9
        job = made.jobs[str(at)]  # type: ignore[index]
        start = max([role_free[job.role], *(ends[need] for need in needs[at])])
        ends[at] = role_free[job.role] = start + job.minutes
    return max(ends.values())


def test_beyond_the_solver_the_bound_stands_with_its_gap(make: Any) -> None:
    tasks = [make("task", str(n), hours=h) for n, h in enumerate((3, 3, 2, 2, 2))]
    made = problem(make("plan", *tasks), {"a": make("role", "a", 2)}, agents=2)
    poor = dispatch(made, {str(n): n for n in (0, 2, 1, 3, 4)} | {"1": 9})  # type: ignore[misc]
    assert poor.hours > 6
    found = optimal(made, poor, exact=4)
    assert (found.proof, found.bound, found.timeline) == ("bound only", 360, poor)
    assert found.gap == pytest.approx(1 / 7)
    assert optimal(made, poor).proof == "optimal"
    assert optimal(made, poor).timeline.hours == 6


def test_a_solver_without_time_leaves_what_was_known(make: Any) -> None:
    tasks = [make("task", str(n), hours=1 + n * 37 % 11 / 4) for n in range(60)]
    made = problem(make("plan", *tasks), {"a": make("role", "a", 7)}, agents=7)
    known = worst(made)
    found = optimal(made, known, effort=0.0)
    assert found.proof == "feasible"
    assert bounds(made).joint <= found.bound <= found.timeline.minutes <= known.minutes
    assert 0 < found.gap < 1


def test_one_task_needs_no_solver(make: Any) -> None:
    made = problem(make("plan", make("task", "1", hours=3)), {}, agents=10)
    assert optimal(made, worst(made)).proof == "optimal"
    known = bounds(made)
    assert (known.path, known.work, known.role, known.busiest) == (180, 18, 180, "a")
    assert known.path_tasks == ("1",)


def test_ten_thousand_tasks_get_a_schedule_a_bound_and_the_gap_between(make: Any) -> None:
    tasks = [
        make(
            "task",
            str(n),
            *(str(one) for one in (n - 3, n - 40) if one >= 0 and n % 5),
            agent="ab"[n * 7 % 3 == 0],
            hours=1 + n * 31 % 8,
        )
        for n in range(10_000)
    ]
    plan, roles = make("plan", *tasks), {"a": make("role", "a", 7), "b": make("role", "b", 4)}
    made = problem(plan, roles, agents=10)
    found = optimal(made, dispatch(made, Schedule(plan, roles).order))
    assert (found.proof, len(found.timeline.spans)) == ("bound only", 10_000)
    assert 0 < found.gap < 0.01

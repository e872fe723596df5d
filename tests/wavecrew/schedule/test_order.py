"""The order of a run: the usual one unless another is faster, and thought over when need be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.load import load
from wavecrew.schedule.order import choose, departs, learnt, order_for_run
from wavecrew.schedule.problem import problem
from wavecrew.schedule.ready import Schedule
from wavecrew.schedule.simulate import dispatch

ROOT = Path(__file__).resolve().parents[3]


def trap(make: Any) -> Any:
    """Longest path first starts the two of three hours; the optimum fills with the two-hour ones."""
    tasks = [make("task", str(n), hours=h) for n, h in enumerate((3, 3, 2, 2, 2))]
    return make("plan", *tasks), {"a": make("role", "a", 2)}


def test_an_order_is_given_only_when_following_it_is_faster(make: Any) -> None:
    plan, roles = trap(make)
    order = order_for_run(plan, roles, agents=2)
    made = problem(plan, roles, agents=2)
    usual = dispatch(made, Schedule(plan, roles).order)
    assert usual.hours == 7
    followed = Schedule(plan, roles, order={task: at for at, task in enumerate(order)})
    assert dispatch(made, followed.order).hours == 6
    assert order_for_run(plan, {"a": make("role", "a", 5)}, agents=5) == ()
    shipped = load(ROOT / "agents.yaml", ROOT / "tasks.yaml")
    assert order_for_run(shipped.plan, shipped.roles, agents=10) == ()


@given(data=st.data())
def test_a_choice_is_never_slower_than_the_usual_order(
    any_problem: Any, faults: Any, data: st.DataObject
) -> None:
    given_ = data.draw(any_problem)
    plan, roles, agents, barrier = given_
    made = problem(plan, roles, agents=agents, barrier=barrier)
    usual = Schedule(plan, roles, barrier=barrier).order
    chosen = choose(made, usual)
    assert chosen.dispatched == dispatch(made, chosen.order)
    assert chosen.optimum.timeline.minutes <= chosen.dispatched.minutes
    assert chosen.dispatched.minutes <= dispatch(made, usual).minutes
    lengths = {task: job.minutes for task, job in made.jobs.items()}
    assert faults(given_, chosen.dispatched, lengths) == []
    again = order_for_run(plan, roles, agents=agents, barrier=barrier)
    assert again == order_for_run(plan, roles, agents=agents, barrier=barrier)
    assert set(again) in (set(), set(made.jobs))


def test_a_pace_of_its_own_is_no_departure_but_other_shares_are() -> None:
    estimate: dict[Any, float] = {"1": 8, "2": 6, "3": 4, "4": 4}
    alike: dict[Any, float] = {"1": 80, "2": 60, "3": 40}
    assert not departs(estimate, alike)
    assert departs(estimate, alike | {"3": 400})
    assert not departs(estimate, {"1": 1, "2": 90})
    assert not departs(estimate, {"1": 0, "2": 0, "3": 0})
    assert not departs(dict.fromkeys(estimate, 0.0), alike)


def test_what_a_role_was_seen_to_take_is_expected_of_its_other_tasks(make: Any) -> None:
    tasks = [
        make("task", "1", agent="a", hours=2),
        make("task", "2", agent="b", hours=2),
        make("task", "3", agent="a", hours=4),
        make("task", "4", agent="b", hours=4),
        make("task", "5", agent="c", hours=4),
    ]
    plan = make("plan", *tasks)
    made = problem(plan, {}, agents=3, only={"3", "4", "5"})
    seen = learnt(made, plan, {"1": 30.0, "2": 10.0})
    assert {task: job.minutes for task, job in seen.jobs.items()} == {"3": 360, "4": 120, "5": 240}
    assert learnt(made, plan, {}) is made


def test_the_rest_of_a_run_is_ordered_by_what_was_learnt(make: Any) -> None:
    tasks = [make("task", str(n), hours=h) for n, h in enumerate((3, 3, 2, 2, 2))]
    seen = [make("task", "a1", agent="a", hours=2), make("task", "b1", agent="b", hours=2)]
    plan = make("plan", *tasks, make("task", "b2", agent="b", hours=2), *seen)
    roles = {"a": make("role", "a", 2), "b": make("role", "b")}
    rest = {"0", "1", "2", "3", "4", "b2"}
    order = order_for_run(plan, roles, agents=3, only=rest)
    assert set(order) == rest
    usual = {task: at for at, task in enumerate(order)}
    assert order_for_run(plan, roles, agents=3, only=rest, usual=usual) == ()
    spent: dict[Any, float] = {"a1": 10, "b1": 300}
    assert order_for_run(plan, roles, agents=3, only=rest, spent=spent) == ()
    assert order_for_run(plan, roles, agents=3, only=set()) == ()

"""The dispatch simulation keeps every rule and decides as the run's scheduler does."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wavecrew.schedule.problem import problem
from wavecrew.schedule.ready import Schedule
from wavecrew.schedule.simulate import dispatch


@given(data=st.data())
def test_every_decision_is_that_of_the_scheduler(any_problem: Any, data: st.DataObject) -> None:
    plan, roles, agents, barrier = data.draw(any_problem)
    schedule = Schedule(plan, roles, barrier=barrier)
    made = problem(plan, roles, agents=agents, barrier=barrier)
    running: set[str] = set()
    opened: set[str] = set()

    def watch(_: int, done: frozenset[str], started: tuple[str, ...]) -> None:
        running.difference_update(done)
        opened.update(schedule.due_syncs(done, opened))
        now: dict[str, Any] = {"merged": done, "running": set(running), "blocked": set()}
        assert started == schedule.ready(**now, open_syncs=opened, agents=agents)
        running.update(started)

    dispatch(made, schedule.order, watch=watch)


@given(data=st.data())
def test_no_rule_is_broken_in_any_order_and_with_any_lengths(
    any_problem: Any, faults: Any, data: st.DataObject
) -> None:
    given_ = data.draw(any_problem)
    plan, roles, agents, barrier = given_
    made = problem(plan, roles, agents=agents, barrier=barrier)
    shuffled = data.draw(st.permutations(list(made.jobs)))
    order = {task: at for at, task in enumerate(shuffled)}
    lengths = {task: data.draw(st.integers(0, 300)) for task in made.jobs}
    assert faults(given_, dispatch(made, order, lengths), lengths) == []


@given(data=st.data())
def test_the_same_input_gives_the_same_timeline(any_problem: Any, data: st.DataObject) -> None:
    plan, roles, agents, barrier = data.draw(any_problem)
    made = problem(plan, roles, agents=agents, barrier=barrier)
    order = Schedule(plan, roles, barrier=barrier).order
    assert dispatch(made, order) == dispatch(made, dict(reversed(order.items())))


def test_tasks_of_no_length_take_no_time_and_keep_their_order(make: Any) -> None:
    chain = make("plan", make("task", "1", hours=0), make("task", "2", "1", hours=0))
    roles = {"a": make("role", "a")}
    timeline = dispatch(problem(chain, roles, agents=1), Schedule(chain, roles).order)
    assert [(span.task, span.start, span.end) for span in timeline.spans] == [
        ("1", 0, 0),
        ("2", 0, 0),
    ]
    assert (timeline.minutes, timeline.most_at_once) == (0, 0)

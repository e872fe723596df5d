"""A plan as a scheduling problem: lengths, barriers, and circles that are told."""

from __future__ import annotations

from typing import Any

import pytest

from wavecrew.schedule.problem import Deadlock, minutes, problem


def test_hours_count_to_the_minute_and_something_is_never_nothing() -> None:
    assert [minutes(hours) for hours in (0, 0.001, 0.5, 6.4)] == [0, 1, 30, 384]


def test_a_wave_holds_the_next_one_that_has_tasks(make: Any) -> None:
    tasks = [make("task", "1", wave="1"), make("task", "3", wave="3"), make("task", "x")]
    made = make("plan", *tasks, waves="123")
    gates = problem(made, {}, agents=1, barrier="wave").gates
    assert [(gate.before, gate.holds) for gate in gates] == [(("1",), ("3",))]
    assert problem(made, {}, agents=1).gates == ()


def test_what_can_never_be_carried_out_is_told_as_a_circle(make: Any) -> None:
    tasks = [make("task", "3.1", "2.1", wave="1"), make("task", "2.1", wave="2")]
    made = make("plan", *tasks, waves="12")
    assert list(problem(made, {}, agents=1).jobs) == ["3.1", "2.1"]
    with pytest.raises(Deadlock) as told:
        problem(made, {}, agents=1, barrier="wave")
    assert set(told.value.names) == {"3.1", "2.1", "end of wave 1"}
    assert told.value.names[0] in str(told.value)


def test_a_part_of_a_plan_keeps_only_what_holds_among_its_tasks(make: Any) -> None:
    sync = {"id": "s", "after_tasks": ["1"], "holds_tasks": ["2", "3"]}
    tasks = [
        make("task", "1"),
        make("task", "2", "1"),
        make("task", "3", "2", conflicts_with=["1"]),
    ]
    made = problem(make("plan", *tasks, syncs=(sync,)), {}, agents=1, only={"2", "3"})
    assert made.needs == {"2": (), "3": ("2",)}
    assert [gate.before for gate in made.gates] == [()]
    assert made.apart == ()

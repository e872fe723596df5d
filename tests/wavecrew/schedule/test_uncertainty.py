"""The band: seeded, ordered, and moved by what it is told."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wavecrew.schedule.problem import Problem, problem
from wavecrew.schedule.uncertainty import LEAST, MOST_JOBS, Band, Doubt, band


def played(made: Problem, seed: int = 1, plays: int = 200, **doubt: float) -> Band:
    order = {task: at for at, task in enumerate(made.jobs)}
    return band(made, order, Random(seed), plays=plays, doubt=Doubt(**doubt))


@given(seed=st.integers(0, 2**32), data=st.data())
def test_the_same_generator_gives_the_same_band_in_order(
    any_problem: Any, seed: int, data: st.DataObject
) -> None:
    plan, roles, agents, barrier = data.draw(any_problem)
    made = problem(plan, roles, agents=agents, barrier=barrier)
    once = played(made, seed, plays=30)
    assert once == played(made, seed, plays=30)
    assert once.p10 <= once.p50 <= once.p90


def test_without_doubt_every_play_ends_as_planned(make: Any) -> None:
    made = problem(make("plan", make("task", "1", hours=2), make("task", "2", "1")), {}, agents=2)
    sure = played(made, low=1, high=1, failing=0)
    assert (sure.p10, sure.p90, sure.stuck) == (180, 180, 0)


def test_failing_and_rework_cost_what_they_are_told_to(make: Any) -> None:
    roles = {"a": make("role", "a", attempts=3)}
    made = problem(make("plan", make("task", "1", hours=2)), roles, agents=1)
    never = played(made, low=1, high=1, failing=1, rework=0.5)
    assert (never.p50, never.stuck) == (240, 1)
    often = played(made, low=1, high=1, failing=0.5, rework=0.5)
    assert often.p10 == 120
    assert often.p90 == 240
    assert 0 < often.stuck < 0.3


def test_a_large_plan_is_played_less_often(make: Any) -> None:
    tasks = [make("task", str(n)) for n in range(1000)]
    made = problem(make("plan", *tasks), {"a": make("role", "a", 50)}, agents=50)
    assert played(made, plays=500).plays == MOST_JOBS // 1000
    assert played(made, plays=1).plays == LEAST

"""Reserve first, settle after: agents together never overshoot a budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.settings import Budget
from wavecrew.run.budget import Purse


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(
    limit=st.integers(1, 500),
    calls=st.lists(st.tuples(st.integers(1, 120), st.integers(0, 120)), max_size=30),
)
def test_what_was_spent_and_reserved_never_passes_the_limit(
    limit: int, calls: list[tuple[int, int]]
) -> None:
    purse = Purse(Budget(tokens=limit), clock=Clock())
    open_calls: list[tuple[int, int]] = []
    spent = 0
    for reserve, used in calls:
        if purse.reserve(reserve).granted:
            open_calls.append((reserve, min(used, reserve)))
        assert spent + sum(r for r, _ in open_calls) <= limit
        if len(open_calls) > 2:
            reserved, tokens = open_calls.pop(0)
            purse.settle(reserved, tokens)
            spent += tokens


def test_the_reason_names_the_limit() -> None:
    purse = Purse(Budget(tokens=100), clock=Clock(), tokens=90)
    refused = purse.reserve(20)
    assert not refused.granted
    assert "100 tokens" in refused.reason
    assert "90 spent" in refused.reason


@pytest.mark.parametrize("spent", [0, 2])
def test_model_calls_are_counted_from_before_a_resume(spent: int) -> None:
    purse = Purse(Budget(model_calls=3), clock=Clock(), model_calls=spent)
    granted = [purse.reserve(1).granted for _ in range(4)]
    assert granted.count(True) == 3 - spent


def test_wall_minutes_end_the_run() -> None:
    clock = Clock()
    purse = Purse(Budget(wall_minutes=2), clock=clock)
    assert purse.reserve(1).granted
    clock.now = 121
    assert "minutes are over" in purse.reserve(1).reason


def test_the_rate_limit_spaces_calls_of_all_agents() -> None:
    clock = Clock()
    purse = Purse(Budget(), clock=clock, requests_per_minute=60)
    assert [purse.reserve(1).wait_s for _ in range(3)] == [0, 1, 2]
    clock.now = 10
    assert purse.reserve(1).wait_s == 0


def test_no_budget_means_no_limit() -> None:
    purse = Purse(Budget(), clock=Clock())
    assert all(purse.reserve(10**9).granted for _ in range(100))

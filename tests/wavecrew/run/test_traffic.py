"""Additive increase, multiplicative decrease: never below one call, never above the agents."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.settings import ModelSettings
from wavecrew.run.traffic import LONGEST_PAUSE_S, Pace, Traffic

PACE = Pace(agents=10, rounds=3)
HALF = 0.5


def cut(traffic: Traffic, now: float, retry_after_s: float = 0.0, began: float = 0.0) -> bool:
    return traffic.troubled(
        PACE,
        now,
        "busy",
        "HTTP 429",
        began=began or now,
        retry_after_s=retry_after_s,
        dice=lambda: HALF,
    )


def test_trouble_halves_and_answers_raise_by_one_a_round() -> None:
    traffic = Traffic(limit=10)
    assert cut(traffic, 100)
    assert traffic.slots(PACE) == 5
    rounds = [traffic.answered(PACE) for _ in range(6)]
    assert rounds.count(True) == 1
    assert traffic.slots(PACE) == 6


def test_calls_that_went_out_together_are_one_round_of_trouble() -> None:
    traffic = Traffic(limit=10)
    assert cut(traffic, 100, began=90)
    for _ in range(9):
        assert not cut(traffic, 101, began=90)
    assert (traffic.slots(PACE), traffic.refused, traffic.troubles) == (5, 10, 1)


def test_after_some_rounds_one_call_at_a_time_probes_and_an_answer_ends_that() -> None:
    traffic = Traffic(limit=10)
    for now in (100, 200, 300):
        assert not traffic.is_down(PACE)
        cut(traffic, now)
    assert traffic.is_down(PACE)
    assert traffic.wait_s(PACE, 400, lambda: HALF) == 0
    traffic.go(PACE, 400, 1)
    assert traffic.wait_s(PACE, 401, lambda: HALF) > 0
    traffic.gone()
    assert traffic.answered(PACE)
    assert not traffic.is_down(PACE)


def test_nobody_goes_before_a_retry_after_is_over() -> None:
    traffic = Traffic(limit=10)
    cut(traffic, 100, retry_after_s=77)
    assert traffic.wait_s(PACE, 101, lambda: 0.0) == 76
    assert traffic.wait_s(PACE, 177, lambda: 0.0) == 0


def test_an_answer_to_an_older_call_does_not_cut_a_retry_after_short() -> None:
    traffic = Traffic(limit=10)
    cut(traffic, 100, retry_after_s=77)
    traffic.answered(PACE)
    assert traffic.wait_s(PACE, 101, lambda: 0.0) == 76


def test_without_trouble_nobody_waits_however_many_call() -> None:
    traffic = Traffic()
    for _ in range(30):
        assert traffic.wait_s(PACE, 0, lambda: HALF) == 0
        traffic.go(PACE, 0, 1)


def test_the_settings_name_the_pace() -> None:
    model = ModelSettings(requests_per_minute=9, tokens_per_minute=8, retries=7, patience_minutes=2)
    assert Pace.of(model, 5) == Pace(5, 9, 8, 7, 120)


SIGNS = st.lists(
    st.tuples(st.sampled_from(["go", "answered", "cut", "late"]), st.floats(0, 100)), max_size=80
)


@given(SIGNS, st.floats(0, 0.999), st.integers(1, 20))
def test_limits_and_waits_stay_in_their_bounds(
    signs: list[tuple[str, float]], dice: float, agents: int
) -> None:
    pace, now = Pace(agents=agents, rounds=4), 1000.0
    traffic = Traffic()
    for sign, seconds in signs:
        before, was_down, slots = traffic.limit, traffic.is_down(pace), traffic.slots(pace)
        now += seconds
        if sign == "go":
            has_changed = False
            wait_s = traffic.wait_s(pace, now, lambda: dice)
            assert 0 <= wait_s <= LONGEST_PAUSE_S + 10
            if not wait_s:
                assert slots == agents or traffic.calls < slots
                traffic.go(pace, now, 10)
        elif sign == "answered":
            has_changed = traffic.answered(pace)
            assert traffic.limit >= min(before, agents)
        else:
            began = now if sign == "cut" else 0.0
            has_changed = traffic.troubled(
                pace, now, "failed", "w", began=began, retry_after_s=0, dice=lambda: dice
            )
            assert traffic.limit <= max(before, agents)
        if sign != "go":
            traffic.gone()
        assert 1 <= traffic.slots(pace) <= agents
        assert has_changed == ((traffic.slots(pace), traffic.is_down(pace)) != (slots, was_down))

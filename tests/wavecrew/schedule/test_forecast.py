"""The Discovery plan in figures: as its document is written, and as it really hangs together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wavecrew.plan.load import Loaded, load
from wavecrew.plan.model import Plan, Role
from wavecrew.schedule.bounds import bounds
from wavecrew.schedule.forecast import Asked, Forecast, forecast
from wavecrew.schedule.optimal import optimal
from wavecrew.schedule.problem import Deadlock, problem
from wavecrew.schedule.simulate import dispatch

ROOT = Path(__file__).resolve().parents[3]


def hours(made: Forecast, key: str) -> tuple[float, float, str]:
    answer = made.row(key).answer
    assert answer
    return answer.dispatched.hours, answer.optimum.timeline.hours, answer.optimum.proof


@pytest.fixture(scope="module")
def written(document: tuple[Plan, dict[str, Role]]) -> Forecast:
    plan, roles = document
    return forecast(plan, roles, agents=10, asked=Asked(barrier="wave"), plays=40)


@pytest.fixture(scope="module")
def shipped() -> Loaded:
    return load(ROOT / "agents.yaml", ROOT / "tasks.yaml")


def test_the_document_holds_256_hours_and_one_agent_needs_them_all(written: Forecast) -> None:
    assert (written.tasks, written.work_h) == (20, 256)
    assert hours(written, "single") == (256, 256, "optimal")


def test_as_written_its_three_waves_take_20_and_20_and_80_hours(
    document: tuple[Plan, dict[str, Role]], written: Forecast
) -> None:
    assert hours(written, "written") == (120, 120, "optimal")
    answer = written.row("written").answer
    assert answer
    ends: dict[str, float] = {}
    for span in answer.dispatched.spans:
        wave = document[0].tasks_by_id[span.task].wave or ""
        ends[wave] = max(ends.get(wave, 0), span.end / 60)
    assert ends == {"1": 20, "2": 40, "3": 120}
    assert answer.dispatched.most_at_once == 4


def test_its_tenth_agent_carries_80_hours_and_the_third_four(written: Forecast) -> None:
    assert next(iter(written.loads.items())) == ("agent-10", 80)
    assert written.loads["agent-3"] == 4
    assert hours(written, "sync") == (80, 80, "optimal")


def test_with_ten_agents_in_every_wave_66_hours_are_the_least(written: Forecast) -> None:
    assert hours(written, "asked_parallel") == (66, 66, "optimal")


def test_what_the_document_claims_stands_beside_what_comes_out(written: Forecast) -> None:
    assert [(held.what, held.claimed_h, held.computed_h) for held in written.claims] == [
        ("single_agent_h", 320, 256),
        ("makespan_h", 80, 120),
    ]


def test_the_shipped_plan_has_a_longest_path_of_84_hours_and_reaches_it(shipped: Loaded) -> None:
    made = forecast(shipped.plan, shipped.roles, agents=10, plays=0)
    answer = made.row("parallel").answer
    assert answer
    assert (answer.bounds.path, answer.optimum.timeline.hours) == (84 * 60, 84)
    assert answer.optimum.proof == "optimal"
    assert hours(made, "single")[0] == 256
    assert hours(made, "written") == (132, 132, "optimal")
    assert hours(made, "sync") == (122, 122, "optimal")
    assert answer.band is None


def test_the_solver_finds_the_same_84_hours_from_a_poor_start(shipped: Loaded) -> None:
    plan, roles = shipped.plan, shipped.roles
    wide = dict.fromkeys(roles, 10)
    made = problem(plan, roles, agents=4, parallel=wide)
    poor = dispatch(made, {task: -at for at, task in enumerate(made.jobs)})
    assert poor.minutes > bounds(made).joint
    found = optimal(made, poor)
    assert (found.timeline.hours, found.proof) == (84, "optimal")


def test_a_what_if_adds_rows_and_leaves_the_others(shipped: Loaded) -> None:
    plain = forecast(shipped.plan, shipped.roles, agents=10, plays=0)
    asked = Asked(agents=4, parallel={"dependency_analysis": 2})
    made = forecast(shipped.plan, shipped.roles, agents=10, asked=asked, plays=0)
    assert made.rows[:4] == plain.rows
    assert [row.policy.key for row in made.rows[4:]] == ["asked", "asked_parallel"]
    assert (plain.chosen, made.chosen) == ("sync", "asked")
    assert hours(made, "asked")[1] < hours(made, "sync")[1]


def test_the_same_seed_gives_the_same_forecast(shipped: Loaded) -> None:
    once = forecast(shipped.plan, shipped.roles, agents=10, plays=30)
    assert once == forecast(shipped.plan, shipped.roles, agents=10, plays=30)
    other = forecast(shipped.plan, shipped.roles, agents=10, plays=30, seed=2)
    assert once.row("sync").answer != other.row("sync").answer


def test_waves_that_contradict_dependencies_cost_their_row_only(make: Any) -> None:
    tasks = [make("task", "3.1", "2.1", wave="1"), make("task", "2.1", wave="2")]
    claims = [{"what": "makespan_h", "hours": 2}]
    made = forecast(make("plan", *tasks, waves="12", claims=claims), {}, agents=2)
    assert made.row("written").answer is None
    assert "end of wave 1" in made.row("written").impossible
    assert made.claims[0].computed_h is None
    assert hours(made, "sync")[0] == 2


def test_a_plan_that_can_never_end_has_no_forecast(make: Any) -> None:
    circle = make("plan", make("task", "1", "2"), make("task", "2", "1"))
    with pytest.raises(Deadlock, match=r"1 -> 2 -> 1|2 -> 1 -> 2"):
        forecast(circle, {}, agents=2)


def test_hours_that_are_assumed_are_said(make: Any) -> None:
    made = forecast(make("plan", make("task", "1", hours=None)), {}, agents=1, plays=0)
    assert (made.assumed, made.work_h) == (("1",), 1)

"""The plan's own landing order, and who is not waited for in it."""

from __future__ import annotations

from wavecrew.plan.model import Plan, SyncPoint, Task, Wave
from wavecrew.schedule.landing_order import LandingOrder


def task(name: str, *needs: str, wave: str = "1") -> Task:
    return Task(
        id=name,
        title=name,
        agent="a",
        wave=wave,
        description="d",
        expected_output="o",
        depends_on=needs,
    )


def plan(*tasks: Task, sync: bool = False) -> Plan:
    point = SyncPoint(id="s", title="s", after_waves=("1",), holds_waves=("2",))
    waves = (Wave(id="1"), Wave(id="2"))
    return Plan(title="p", waves=waves, tasks=tasks, sync_points=(point,) if sync else ())


def able(order: LandingOrder, **known: set[str]) -> list[str]:
    given: dict[str, set[str]] = {
        name: set() for name in ("merged", "gone", "open_syncs", "closed_syncs")
    }
    return sorted(order.can_land(**given | known))


def test_it_is_the_plans_order_as_far_as_dependencies_allow() -> None:
    assert LandingOrder(plan(task("a", "c"), task("b"), task("c")), "sync").tasks == ("b", "c", "a")


def test_with_waves_as_barriers_a_wave_comes_before_the_next() -> None:
    tasks = (task("a", wave="2"), task("b"), task("c", "a", wave=""), task("d", wave=""))
    assert LandingOrder(plan(*tasks), "sync").tasks == ("a", "b", "c", "d")
    assert LandingOrder(plan(*tasks), "wave").tasks == ("d", "b", "a", "c")


def test_what_needs_something_gone_cannot_land() -> None:
    order = LandingOrder(plan(task("a"), task("b", "a"), task("c", "b"), task("d")), "sync")
    assert able(order) == ["a", "b", "c", "d"]
    assert able(order, gone={"a"}) == ["d"]
    assert able(order, merged={"a"}) == ["b", "c", "d"]


def test_what_stands_behind_a_sync_point_that_cannot_open_cannot_land() -> None:
    order = LandingOrder(plan(task("a"), task("b"), task("c", wave="2"), sync=True), "sync")
    assert able(order) == ["a", "b", "c"]
    assert able(order, merged={"a", "b"}, closed_syncs={"s"}) == []
    assert able(order, gone={"a"}) == ["b"]
    assert able(order, gone={"a"}, open_syncs={"s"}) == ["b", "c"]


def test_a_wave_behind_one_that_is_not_done_cannot_land_where_waves_are_barriers() -> None:
    tasks = (task("a"), task("b"), task("c", wave="2"))
    assert able(LandingOrder(plan(*tasks), "sync"), gone={"a"}) == ["b", "c"]
    assert able(LandingOrder(plan(*tasks), "wave"), gone={"a"}) == ["b"]

"""What may start: by examples, and as properties of whole runs."""

from __future__ import annotations

import statistics
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.model import Plan, Role
from wavecrew.schedule.ready import Schedule, dead, due_syncs, ready, unblocks


def role(name: str, parallel: int = 1) -> Role:
    return Role.model_validate(
        {
            "name": name,
            "role": "r",
            "goal": "g",
            "backstory": "b",
            "archetype": "flow",
            "tools": [],
            "parallel": parallel,
        }
    )


def task(id_: str, *needs: str, agent: str = "a", **more: Any) -> dict[str, Any]:
    base = {"id": id_, "title": id_, "agent": agent, "description": "d", "expected_output": "e"}
    return base | {"depends_on": needs} | more


def plan(*tasks: dict[str, Any], syncs: tuple[dict[str, Any], ...] = (), waves: str = "") -> Plan:
    return Plan.model_validate(
        {
            "title": "T",
            "waves": [{"id": wave} for wave in waves],
            "tasks": tasks,
            "sync_points": [{"title": "s", **sync} for sync in syncs],
        }
    )


ROLES = {"a": role("a", 9), "b": role("b", 1)}
NOW: dict[str, Any] = {
    "merged": set(),
    "running": set(),
    "blocked": set(),
    "open_syncs": set(),
    "agents": 9,
}


def test_a_task_waits_for_all_its_dependencies() -> None:
    three = plan(task("1"), task("2"), task("3", "1", "2"))
    assert ready(three, ROLES, **NOW) == ("1", "2")
    assert ready(three, ROLES, **NOW | {"merged": {"1"}}) == ("2",)
    assert ready(three, ROLES, **NOW | {"merged": {"1", "2"}}) == ("3",)


def test_the_longest_path_goes_first_then_plan_order() -> None:
    many = plan(
        task("short", estimate_h=1),
        task("root", estimate_h=1),
        task("leaf", "root", estimate_h=8),
        task("long", estimate_h=5),
        task("also", estimate_h=5),
    )
    assert ready(many, ROLES, **NOW) == ("root", "long", "also", "short")


def test_capacity_of_role_and_run_is_respected() -> None:
    four = plan(task("1", agent="b"), task("2", agent="b"), task("3"), task("4"))
    assert ready(four, ROLES, **NOW) == ("1", "3", "4")
    assert ready(four, ROLES, **NOW | {"running": {"1"}}) == ("3", "4")
    assert ready(four, ROLES, **NOW | {"running": {"1"}, "agents": 2}) == ("3",)
    assert ready(four, ROLES, **NOW | {"running": {"1", "3"}, "agents": 2}) == ()


def test_tasks_that_conflict_never_run_together_whichever_names_it() -> None:
    two = plan(task("1"), task("2", conflicts_with=["1"]), task("3"))
    assert ready(two, ROLES, **NOW) == ("1", "3")
    assert ready(two, ROLES, **NOW | {"running": {"2"}}) == ("3",)


def test_a_closed_sync_point_holds_its_tasks() -> None:
    held = plan(
        task("1"), task("2"), syncs=({"id": "s", "after_tasks": ["1"], "holds_tasks": ["2"]},)
    )
    assert ready(held, ROLES, **NOW | {"merged": {"1"}}) == ()
    assert due_syncs(held, {"1"}, set()) == ("s",)
    assert due_syncs(held, {"1"}, {"s"}) == ()
    assert due_syncs(held, set(), set()) == ()
    assert ready(held, ROLES, **NOW | {"merged": {"1"}, "open_syncs": {"s"}}) == ("2",)


def test_a_wave_is_a_barrier_only_when_asked() -> None:
    waves = plan(task("1", wave="1"), task("2", wave="2"), task("3"), waves="12")
    assert ready(waves, ROLES, **NOW) == ("1", "2", "3")
    assert ready(waves, ROLES, **NOW, barrier="wave") == ("1", "3")
    assert ready(waves, ROLES, **NOW | {"merged": {"1"}}, barrier="wave") == ("2", "3")


def test_blocked_tasks_and_those_not_asked_for_do_not_start() -> None:
    three = plan(task("1"), task("2"), task("3"))
    assert ready(three, ROLES, **NOW | {"blocked": {"1"}}) == ("2", "3")
    assert ready(three, ROLES, **NOW, only={"3"}) == ("3",)


def test_a_merge_unblocks_what_waited_for_it_alone() -> None:
    four = plan(
        task("1"),
        task("2"),
        task("3", "1", "2"),
        task("4", "1"),
        syncs=({"id": "s", "after_tasks": ["2"], "holds_tasks": ["4"]},),
    )
    assert unblocks(four, set(), "1") == ("4",)
    assert unblocks(four, set(), "1", open_syncs=set()) == ()
    assert unblocks(four, {"1"}, "2") == ("3",)
    assert unblocks(four, {"1", "2"}, "2") == ()


def test_the_next_task_of_a_role_is_its_most_urgent_startable_one() -> None:
    schedule = Schedule(plan(task("1", agent="b"), task("2", "1", agent="b"), task("3")), ROLES)
    now = {key: value for key, value in NOW.items() if key != "agents"}
    assert schedule.next_for("b", **now) == "1"
    assert schedule.next_for("b", **now | {"running": {"1"}}) is None
    assert schedule.next_for("b", **now | {"merged": {"1"}}) == "2"


def test_what_stands_behind_a_blocked_task_is_dead() -> None:
    many = plan(
        task("1", wave="1"),
        task("2", "1", wave="1"),
        task("3", wave="2"),
        task("4", wave="2"),
        syncs=({"id": "s", "after_tasks": ["2"], "holds_tasks": ["3"]},),
        waves="12",
    )
    assert dead(many, {"1"}) == ("2", "3")
    assert dead(many, {"1"}, barrier="wave") == ("2", "3", "4")
    assert dead(many, set(), barrier="wave") == ()


def test_a_cycle_is_refused() -> None:
    with pytest.raises(ValueError, match="cycle"):
        Schedule(plan(task("1", "2"), task("2", "1")), ROLES)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any plan that can be carried out: needs and sync points point backwards."""
    size = draw(st.integers(1, 12))
    names = [str(number) for number in range(size)]
    cut = draw(st.integers(0, size))
    tasks = []
    for at, name in enumerate(names):
        needs = draw(st.lists(st.sampled_from(names[:at]), unique=True, max_size=3)) if at else []
        foes = draw(st.lists(st.sampled_from(names), unique=True, max_size=1))
        more = {"conflicts_with": [one for one in foes if one != name]}
        wave = "1" if at < cut else "2"
        hours = draw(st.integers(0, 9))
        agent = draw(st.sampled_from("ab"))
        tasks.append(task(name, *needs, agent=agent, wave=wave, estimate_h=hours, **more))
    sync = {"id": "s", "after_tasks": names[:cut], "holds_tasks": names[cut:]}
    return plan(*tasks, syncs=(sync,) if 0 < cut < size else (), waves="12")


@given(plans(), st.integers(1, 4), st.sampled_from(["sync", "wave"]), st.data())
def test_a_whole_run_keeps_every_promise(
    made: Plan, agents: int, barrier: Any, data: st.DataObject
) -> None:
    schedule = Schedule(made, ROLES, barrier=barrier)
    merged: set[str] = set()
    running: set[str] = set()
    opened: set[str] = set()
    while len(merged) < len(made.tasks):
        now: dict[str, Any] = {"merged": merged, "running": running, "blocked": set()}
        now |= {"open_syncs": opened, "agents": agents}
        chosen = schedule.ready(**now)
        assert chosen == schedule.ready(**now), "same input, same answer"
        running |= set(chosen)
        assert len(running) <= agents
        for name, limit in (("a", 9), ("b", 1)):
            assert sum(made.tasks_by_id[one].agent == name for one in running) <= limit
        for one in chosen:
            mine = made.tasks_by_id[one]
            assert set(mine.depends_on) <= merged
            assert not {*mine.conflicts_with} & running
            assert all(s.id in opened for s in made.sync_points if mine in made.held_by(s))
            if barrier == "wave" and mine.wave == "2":
                assert all(t.id in merged for t in made.tasks if t.wave == "1")
        due = schedule.due_syncs(merged, opened)
        assert running or due, "nothing runs and nothing can open, although tasks are left"
        if running:
            ended = data.draw(st.sampled_from(sorted(running)))
            running.remove(ended)
            merged.add(ended)
        else:
            opened |= set(due)


def test_a_decision_over_ten_thousand_tasks_is_quick() -> None:
    tasks = [task(str(n), *([str(n - 100)] if n >= 100 else [])) for n in range(10_000)]
    roles = {"a": role("a", 1000)}
    schedule = Schedule(plan(*tasks), roles)
    merged = {str(n) for n in range(5000)}
    now: dict[str, Any] = NOW | {"merged": merged, "agents": 1000}
    took = []
    for _ in range(15):
        started = time.perf_counter()
        chosen = schedule.ready(**now)
        took.append(time.perf_counter() - started)
    assert len(chosen) == 100
    assert statistics.median(took) < 0.02, "the budget is 5 ms; the rest is for a busy machine"

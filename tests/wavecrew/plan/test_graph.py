"""The graph: orders, knots and paths, small and with ten thousand tasks."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.graph import Graph, Node
from wavecrew.plan.model import Plan


def make(
    tasks: dict[str, list[str]],
    hours: dict[str, float] | None = None,
    syncs: dict[str, tuple[list[str], list[str]]] | None = None,
) -> Plan:
    return Plan.model_validate(
        {
            "title": "T",
            "waves": [],
            "tasks": [
                {
                    "id": one,
                    "title": one,
                    "agent": "a",
                    "description": "d",
                    "expected_output": "e",
                    "depends_on": needs,
                    "estimate_h": (hours or {}).get(one, 1),
                }
                for one, needs in tasks.items()
            ],
            "sync_points": [
                {"id": one, "title": one, "after_tasks": after, "holds_tasks": holds}
                for one, (after, holds) in (syncs or {}).items()
            ],
        }
    )


def task(name: str) -> Node:
    return Node("task", name)


def test_a_sync_point_is_a_node_between_its_tasks() -> None:
    graph = Graph(make({"a": [], "b": []}, syncs={"s": (["a"], ["b"])}))
    assert graph.order() == (task("a"), Node("sync", "s"), task("b"))
    assert graph.ancestors(task("b")) == {task("a"), Node("sync", "s")}
    assert graph.downstream(task("a")) == {task("b"), Node("sync", "s")}


def test_a_task_and_a_sync_point_may_share_an_id() -> None:
    graph = Graph(make({"x": [], "y": []}, syncs={"x": (["x"], ["y"])}))
    assert [node.kind for node in graph.order()] == ["task", "sync", "task"]


def test_a_cycle_is_named_whole_and_shortest() -> None:
    plan = make({"a": ["c"], "b": ["a"], "c": ["b", "d"], "d": ["a"], "e": ["e"], "f": ["a"]})
    graph = Graph(plan)
    first, alone = sorted(graph.cycles(), key=len, reverse=True)
    assert first[0] == task("a")
    assert len(first) == 3
    for one, following in pairwise([*first, first[0]]):
        assert following in graph.needs[one]
    assert alone == (task("e"),)
    with pytest.raises(ValueError, match="cycle"):
        graph.order()


def test_the_critical_path_is_the_longest_in_hours() -> None:
    plan = make(
        {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}, {"b": 5, "c": 2, "d": 3, "a": 1}
    )
    path, hours = Graph(plan).critical_path()
    assert [node.id for node in path] == ["a", "b", "d"]
    assert hours == 9
    assert Graph(make({})).critical_path() == ((), 0.0)


def test_unknown_names_are_left_out() -> None:
    assert Graph(make({"a": ["nowhere"]})).order() == (task("a"),)


@st.composite
def acyclic(draw: st.DrawFn) -> dict[str, list[str]]:
    size = draw(st.integers(0, 12))
    names = [str(number) for number in range(size)]
    return {
        name: draw(st.lists(st.sampled_from(names[:at]), unique=True)) if at else []
        for at, name in enumerate(names)
    }


@given(acyclic(), st.randoms())
def test_the_order_respects_every_need(tasks: dict[str, list[str]], random: object) -> None:
    shuffled = sorted(tasks, key=lambda _: random.random())  # type: ignore[attr-defined]
    graph = Graph(make({name: tasks[name] for name in shuffled}))
    order = [node.id for node in graph.order()]
    assert sorted(order) == sorted(tasks)
    assert all(order.index(need) < order.index(name) for name in tasks for need in tasks[name])
    assert graph.cycles() == ()


def test_ten_thousand_tasks_are_quick_even_in_one_chain() -> None:
    chain = {str(n): ([str(n - 1)] if n else []) for n in range(10_000)}
    plan = make(chain, syncs={"s": (["0"], ["9999"])})
    started = time.process_time()
    graph = Graph(plan)
    assert len(graph.critical_path()[0]) == 10_000
    assert graph.cycles() == ()
    assert len(graph.ancestors(task("9999"))) == 10_000
    assert time.process_time() - started < 5

"""task-master files: tags, subtasks, the dialects, and what is reported."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.problem import PlanRejected
from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.model import ImportedPlan
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import source_of


def read(data: Any, name: str = "tasks.json") -> ImportedPlan:
    text = data if isinstance(data, str) else json.dumps(data, indent=1)
    return import_plan(source_of(text, name), READERS)


def task(id_: Any, *needs: Any, **more: Any) -> dict[str, Any]:
    made = {"id": id_, "title": f"Build part {id_}", "status": "pending", "dependencies": needs}
    return {**made, **more}


def kinds(plan: ImportedPlan) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.kind, one.ids) for one in plan.diagnostics]


def needs(plan: ImportedPlan) -> dict[str, tuple[str, ...]]:
    return {one.id: one.deps for one in plan.tasks}


def test_a_bare_number_in_a_subtask_is_its_sibling() -> None:
    parts = [task(1), task(2, 1), task(3, "1.2", "2")]
    plan = read(
        {"master": {"tasks": [task(1, subtasks=[task(1), task(2)]), task(2, subtasks=parts)]}}
    )
    assert plan.format == "taskmaster"
    assert needs(plan)["2.2"] == ("2.1",)
    assert needs(plan)["2.3"] == ("1.2", "2.2")
    assert [one.parent for one in plan.tasks] == [None, "1", "1", None, "2", "2", "2"]


def test_a_number_without_such_a_sibling_means_the_task_and_is_reported() -> None:
    plan = read({"tasks": [task(7), task(8, subtasks=[task(1, 7)])]})
    assert needs(plan)["8.1"] == ("7",)
    assert kinds(plan) == [("subtask_dependency_scope", ("8.1", "7"))]


def test_the_legacy_list_is_the_master_tag() -> None:
    assert [one.group for one in read({"tasks": [task(1)], "metadata": {}}).tasks] == ["master"]


def test_ids_as_text_or_number_are_one_id() -> None:
    assert needs(read({"tasks": [task("1"), task(2, "1"), task("3", 2)]})) == {
        "1": (),
        "2": ("1",),
        "3": ("2",),
    }


def test_only_done_and_completed_are_done_and_a_cancelled_dependency_is_reported() -> None:
    states = ["done", "completed", "cancelled", "review", "in-progress", "deferred"]
    plan = read({"tasks": [task(at, status=one) for at, one in enumerate(states)] + [task(9, 2)]})
    assert [one.id for one in plan.tasks if one.done] == ["0", "1"]
    assert kinds(plan) == [("cancelled_dependency", ("9", "2"))]


def test_unknown_states_priorities_and_sizes_are_reported_once_each() -> None:
    odd = {"status": "parked", "priority": "P0", "estimate": "S"}
    plan = read({"tasks": [task(1, **odd), task(2, **odd)]})
    assert kinds(plan) == [
        ("unknown_status", ("1", "2")),
        ("unknown_priority", ("1", "2")),
        ("estimate_unit", ("1", "2")),
    ]


def test_hours_are_read_where_they_are_hours() -> None:
    plan = read(
        {"tasks": [task(1, estimate="0.5h"), task(2, estimate="1-2h"), task(3, estimate="2 days")]}
    )
    assert [(one.hours, one.hours_min, one.hours_max) for one in plan.tasks] == [
        (0.5, 0.5, 0.5),
        (None, 1.0, 2.0),
        (None, None, None),
    ]


def test_lists_below_tags_count_only_when_there_is_nothing_else() -> None:
    below = {"version": "1", "tags": {"main": {"tasks": [task(1)]}}}
    assert [one.group for one in read(below).tasks] == ["main"]
    both = {**below, "next": {"tasks": [task(5)]}}
    assert [one.id for one in read(both).tasks] == ["5"]
    assert kinds(read(both)) == [("nonstandard_shape", ("main",))]


def test_two_lists_of_one_tag_that_differ_are_reported() -> None:
    data = {"tags": {"a": {"tasks": [task(1, status="done")]}}, "a": {"tasks": [task(1)]}}
    assert ("duplicate_list_conflict", ("1",)) in kinds(read(data))
    assert [one.done for one in read(data).tasks] == [False]


def test_tags_that_share_ids_are_reported() -> None:
    data = {"one": {"tasks": [task(1)]}, "two": {"tasks": [task(1)]}}
    assert kinds(read(data)) == [("duplicate_id", ("1",))]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"id": None}, "missing_id"),
        ({"title": ""}, "missing_title"),
        ({"dependencies": "1"}, "bad_value"),
        ({"dependencies": [[]]}, "bad_value"),
        ({"subtasks": 3}, "bad_value"),
        ({"subtasks": [4]}, "not_a_task"),
        ({"subtasks": [{"id": 1, "title": "x", "subtasks": [{"id": 1}]}]}, "nested_subtasks"),
        ({"dependencies": [77]}, "unknown_dependency"),
        ({"dependencies": [2]}, "cycle"),
    ],
)
def test_what_is_odd_becomes_a_diagnostic(change: dict[str, Any], kind: str) -> None:
    plan = read({"tasks": [task(1), task(2, **change)]})
    assert kind in [one for one, _ in kinds(plan)]
    assert len(plan.tasks) >= 2


def test_a_tag_without_dependencies_counts_beside_one_with_them() -> None:
    plan = read({"a": {"tasks": [task(1)]}, "b": {"tasks": [{"id": 2, "title": "x"}]}})
    assert [one.group for one in plan.tasks] == ["a", "b"]


def test_a_key_written_twice_is_reported_with_its_line() -> None:
    text = '{"tasks": [{"id": 1, "title": "x",\n"dependencies": [],\n"title": "y"}]}'
    plan = read(text)
    assert [(one.kind, one.line) for one in plan.diagnostics] == [("duplicate_key", 3)]


@pytest.mark.parametrize(
    "data",
    [
        {"version": "2.0.0", "tasks": [{"label": "build", "type": "shell"}]},
        {"tasks": []},
        {"tasks": {"a": {"id": 1, "title": "x", "dependencies": []}}},
        [task(1)],
        {"scripts": {"test": "x"}},
    ],
)
def test_other_files_are_refused(data: Any) -> None:
    with pytest.raises(PlanRejected):
        read(data)


def test_a_broken_file_is_named_with_its_line() -> None:
    text = '{"tasks": [\n{"id": 1, "title": "x", "dependencies": []},\n]}'
    with pytest.raises(PlanRejected, match=r"tasks.json:3: not JSON"):
        read(text)


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(1, 8))
    listed = []
    for id_ in range(1, count + 1):
        before = draw(
            st.lists(st.integers(1, count).filter(lambda one, own=id_: one != own), unique=True)
        )
        parts = draw(st.integers(0, 3))
        title = draw(st.text(alphabet='abc "{}[]é', min_size=1, max_size=12).filter(str.strip))
        subtasks = [
            {"id": at + 1, "title": f"p{at}", "dependencies": list(range(1, at + 1))}
            for at in range(parts)
        ]
        status = draw(st.sampled_from(["done", "pending"]))
        listed.append(
            {
                "id": id_,
                "title": title,
                "status": status,
                "dependencies": before,
                "subtasks": subtasks,
            }
        )
    return {"master": {"tasks": listed}}


@given(plans(), st.sampled_from([None, 2]))
def test_what_is_written_is_read_back(data: dict[str, Any], indent: int | None) -> None:
    plan = read(json.dumps(data, indent=indent))
    expected = []
    for one in data["master"]["tasks"]:
        id_ = str(one["id"])
        deps = tuple(map(str, one["dependencies"]))
        expected.append((id_, one["title"].strip(), deps, one["status"] == "done"))
        for part in one["subtasks"]:
            deps = tuple(f"{id_}.{dep}" for dep in part["dependencies"])
            expected.append((f"{id_}.{part['id']}", part["title"], deps, False))
    assert [(one.id, one.title, one.deps, one.done) for one in plan.tasks] == expected
    explicit = [(edge.before, edge.after) for edge in plan.edges]
    assert explicit == [(dep, id_) for id_, _, deps, _ in expected for dep in deps]

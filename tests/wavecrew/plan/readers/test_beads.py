"""Beads exports: which types block, which do not, and what is left out."""

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
from wavecrew.plan.readers.source import folder_of, source_of


def issue(id_: str, *needs: tuple[str, str], **more: Any) -> dict[str, Any]:
    deps = [{"issue_id": id_, "depends_on_id": other, "type": kind} for other, kind in needs]
    made = {"id": id_, "title": f"Do {id_}", "status": "open", "priority": 2, "issue_type": "task"}
    return {**made, **({"dependencies": deps} if deps else {}), **more}


def read(*issues: dict[str, Any] | str) -> ImportedPlan:
    lines = [one if isinstance(one, str) else json.dumps(one) for one in issues]
    return import_plan(source_of("\n".join(lines) + "\n", "issues.jsonl"), READERS)


def kinds(plan: ImportedPlan) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.kind, one.ids) for one in plan.diagnostics]


def test_blocking_types_become_dependencies_and_others_do_not() -> None:
    plan = read(
        issue("p-a"),
        issue("p-b", ("p-a", "blocks"), ("p-c", "related"), ("p-c", "discovered-from")),
        issue("p-c", ("p-a", "waits-for"), ("p-b", "conditional-blocks")),
        issue("p-d", ("p-a", "parent-child")),
    )
    assert plan.format == "beads"
    assert [one.deps for one in plan.tasks] == [(), ("p-a",), ("p-a", "p-b"), ()]
    assert [one.parent for one in plan.tasks] == [None, None, None, "p-a"]
    assert kinds(plan) == [
        ("waits_for_children", ("p-c", "p-a")),
        ("conditional_dependency", ("p-c", "p-b")),
    ]
    assert [one.line for one in plan.edges] == [2, 3, 3]


def test_an_unknown_type_is_reported_because_its_name_may_promise_an_order() -> None:
    plan = read(issue("a-1"), issue("a-2", ("a-1", "blocked_by")))
    assert plan.tasks[1].deps == ()
    assert kinds(plan) == [("dependency_type", ("a-2", "a-1"))]


def test_memories_tombstones_and_deleted_issues_are_no_tasks() -> None:
    plan = read(
        {"_type": "memory", "id": "m", "title": "x", "status": "open"},
        issue("a-1", status="tombstone"),
        issue("a-2", ("a-1", "blocks")),
        issue("a-3", status="deleted"),
    )
    assert [one.id for one in plan.tasks] == ["a-2"]
    assert ("deleted_dependency", ("a-2", "a-1")) in kinds(plan)


def test_closed_is_done_and_odd_states_are_reported() -> None:
    plan = read(
        issue("a-1", status="closed", closed_at="2026-01-01"),
        issue("a-2", status="done"),
        issue("a-3", status="waiting"),
        issue("a-4", status="closed"),
    )
    assert [one.done for one in plan.tasks] == [True, True, False, True]
    assert {kind for kind, _ in kinds(plan)} == {"unknown_status", "status_conflict"}


def test_minutes_become_hours() -> None:
    assert read(issue("a-1", estimated_minutes=90)).tasks[0].hours == 1.5


def test_an_external_dependency_is_kept_and_named() -> None:
    plan = read(issue("a-1", ("external:rig:b-1", "blocks")))
    assert plan.tasks[0].deps == ("external:rig:b-1",)
    assert ("external_dependency", ("a-1", "external:rig:b-1")) in kinds(plan)


def test_a_dotted_child_has_its_parent_without_being_told() -> None:
    assert read(issue("a-1"), issue("a-1.2")).tasks[1].parent == "a-1"


def test_a_gate_is_a_gate_and_a_task() -> None:
    plan = read(
        issue("a-1", issue_type="gate", await_type="human"), issue("a-2", ("a-1", "blocks"))
    )
    assert [(one.kind, one.after, one.before) for one in plan.gates] == [
        ("human", ("a-1",), ("a-2",))
    ]


def test_plain_ids_as_dependencies_are_read() -> None:
    assert read(issue("a-1"), issue("a-2", dependencies=["a-1"])).tasks[1].deps == ("a-1",)


@pytest.mark.parametrize("bad", ["{oops", "[1]", '{"id": "x", "status": "open"}', '{"id":' * 5000])
def test_a_bad_line_is_left_out_and_named(bad: str) -> None:
    plan = read(issue("a-1"), bad, issue("a-2"))
    assert [one.id for one in plan.tasks] == ["a-1", "a-2"]
    assert [(one.kind, one.line) for one in plan.diagnostics] == [("bad_line", 2)]


def test_nothing_but_bad_lines_is_refused() -> None:
    with pytest.raises(PlanRejected):
        read('{"id": 1, "status": "open"}')


def test_the_issues_are_found_in_the_folder() -> None:
    files = {
        "issues.jsonl": json.dumps(issue("a-1")),
        "deletions.jsonl": "{}",
        "metadata.json": "{}",
    }
    assert [one.id for one in import_plan(folder_of(files, ".beads"), READERS).tasks] == ["a-1"]


@given(st.data())
def test_what_is_written_is_read_back(data: st.DataObject) -> None:
    ids = [f"p-{one}" for one in range(data.draw(st.integers(1, 8)))]
    wanted = {}
    lines = []
    for id_ in ids:
        needs = data.draw(
            st.lists(st.sampled_from(ids).filter(lambda one, own=id_: one != own), unique=True)
            if len(ids) > 1
            else st.just([])
        )
        closed = data.draw(st.booleans())
        more = {"status": "closed", "closed_at": "x"} if closed else {}
        title = data.draw(st.text(alphabet='ab "\\{}', min_size=1, max_size=9).filter(str.strip))
        lines.append(issue(id_, *((one, "blocks") for one in needs), title=title, **more))
        wanted[id_] = (title.strip(), tuple(needs), closed)
    plan = read(*lines)
    assert {one.id: (one.title, one.deps, one.done) for one in plan.tasks} == wanted

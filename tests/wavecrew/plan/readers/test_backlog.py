"""Backlog.md: ids as the tool compares them, finished and dropped tasks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.model import ImportedPlan
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import folder_of


def task(id_: str, title: str, needs: str = "[]", status: str = "To Do", more: str = "") -> str:
    return f"---\nid: {id_}\ntitle: {title}\nstatus: {status}\ndependencies: {needs}\n{more}---\n\n## Description\n"


def read(files: dict[str, str]) -> ImportedPlan:
    plan = import_plan(folder_of(files, "backlog"), READERS)
    assert plan.format == "backlog"
    return plan


def kinds(plan: ImportedPlan) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.kind, one.ids) for one in plan.diagnostics]


def test_ids_compare_without_case_and_leading_zeros() -> None:
    plan = read(
        {
            "tasks/task-3.01 - Sow.md": task("task-3.01", "Sow", more="parent_task_id: TASK-3\n"),
            "tasks/task-3 - Farm.md": task("task-3", "Farm"),
            "tasks/task-10 - Reap.md": task(
                "task-10",
                "Reap",
                "[TASK-3.1]",
                more="assignee: ['@ann', '@bob']\nmilestone: autumn\n",
            ),
        }
    )
    rows = [(one.id, one.deps, one.parent, one.agent, one.group) for one in plan.tasks]
    assert rows == [
        ("task-3", (), None, None, None),
        ("task-3.01", (), "task-3", None, None),
        ("task-10", ("task-3.01",), None, "ann", "autumn"),
    ]
    assert kinds(plan) == [("two_agents", ("task-10",))]


def test_done_is_the_last_status_and_whatever_is_completed() -> None:
    plan = read(
        {
            "config.yml": 'statuses: ["Idea", "Shipped"]\n',
            "tasks/task-1 - a.md": task("task-1", "a", status="Shipped"),
            "tasks/task-2 - b.md": task("task-2", "b", status="Done"),
            "completed/task-3 - c.md": task("task-3", "c", status="Idea"),
        }
    )
    assert {one.id: one.done for one in plan.tasks} == {
        "task-1": True,
        "task-2": False,
        "task-3": True,
    }
    assert kinds(plan) == [("unknown_status", ("task-2",))]


def test_a_renamed_prefix_is_followed_and_reported() -> None:
    plan = read(
        {"back-7 - a.md": task("back-7", "a"), "back-8 - b.md": task("back-8", "b", "[task-7]")}
    )
    assert plan.tasks[1].deps == ("back-7",)
    assert kinds(plan) == [("id_alias", ("back-8", "task-7", "back-7"))]


def test_archived_tasks_are_left_out_and_what_needs_them_is_told() -> None:
    plan = read(
        {
            "archive/tasks/task-1 - a.md": task("task-1", "a"),
            "tasks/task-2 - b.md": task("task-2", "b", "[task-1, task-9, task-2]"),
        }
    )
    assert [(one.id, one.deps) for one in plan.tasks] == [("task-2", ())]
    assert sorted(kind for kind, _ in kinds(plan)) == [
        "archived_dependency",
        "archived_task",
        "cycle",
        "unknown_dependency",
    ]


@given(st.data())
def test_what_is_written_is_read_back(data: st.DataObject) -> None:
    ids = [
        f"task-{one}"
        for one in data.draw(st.lists(st.integers(1, 60), min_size=1, max_size=6, unique=True))
    ]
    files = {}
    wanted = {}
    for id_ in ids:
        needs = [one for one in ids if one != id_ and data.draw(st.booleans())]
        title = data.draw(st.text(alphabet="abc", min_size=1, max_size=6))
        status = data.draw(st.sampled_from(["To Do", "In Progress", "Done"]))
        files[f"{id_} - {title}.md"] = task(id_, title, f"[{', '.join(needs)}]", status)
        wanted[id_] = (title, tuple(needs), status == "Done")
    assert {one.id: (one.title, one.deps, one.done) for one in read(files).tasks} == wanted

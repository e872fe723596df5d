"""BMAD: epics with stories, their states, a single story's tasks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.model import ImportedPlan
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import folder_of, source_of

EPICS = """\
# Epics

## Epic 1: Ground

### Story 1.1: Dig

As a digger I dig.

### Story 1.2: Fill

**Prerequisites:** Story 1.1

### Story 1.2a: Tamp

**Prerequisites:** None (may run beside 1.2)

## Epic 2: House

### Story 2.1: Walls

**Prerequisites:** Stories 1.1-1.2, Epic 1

### Story 2.2: Roof
"""
STATES = """\
development_status:
  epic-1: done
  1-1-dig: done
  1-2-fill: review
  1-2a-tamp: parked
  2-1-walls: backlog
  9-9-tower: backlog
  epic-1-retrospective: optional
"""


def kinds(plan: ImportedPlan) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.kind, one.ids) for one in plan.diagnostics]


def test_stories_are_tasks_and_prerequisites_dependencies() -> None:
    plan = import_plan(source_of(EPICS, "epics.md"), READERS)
    assert plan.format == "bmad"
    assert [(one.id, one.title, one.deps, one.group) for one in plan.tasks] == [
        ("1.1", "Dig", (), "Epic 1: Ground"),
        ("1.2", "Fill", ("1.1",), "Epic 1: Ground"),
        ("1.2a", "Tamp", (), "Epic 1: Ground"),
        ("2.1", "Walls", ("1.1", "1.2"), "Epic 2: House"),
        ("2.2", "Roof", (), "Epic 2: House"),
    ]
    other = [(one.kind, one.before, one.after) for one in plan.edges if one.kind != "explicit"]
    assert other == [("order", "2.1", "2.2"), ("group", "Epic 1: Ground", "2.1")]
    assert ("range_in_dependency", ("2.1",)) in kinds(plan)


def test_states_come_from_the_sprint_and_disagreement_is_told() -> None:
    files = {"epics.md": EPICS, "sprint-status.yaml": STATES}
    plan = import_plan(folder_of(files, "bmad"), READERS)
    assert [one.id for one in plan.tasks if one.done] == ["1.1"]
    assert {
        ("unknown_status", ("1-2a-tamp",)),
        ("state_without_story", ("9.9",)),
        ("story_without_state", ("2.2",)),
    } <= set(kinds(plan))


def test_states_that_cannot_be_read_do_not_hide_the_stories() -> None:
    files = {"epics.md": EPICS, "sprint-status.yaml": "a: [\n"}
    plan = import_plan(folder_of(files, "bmad"), READERS)
    assert len(plan.tasks) == 5
    assert "unread_file" in [kind for kind, _ in kinds(plan)]


def test_doubtful_prerequisites_are_reported() -> None:
    text = "## Epic 1: A\n### Story 1.1: a\n**Prerequisites:** {}\n### Story 1.2: b\n"
    for written, kind in [
        ("Story 7.7", "unknown_dependency"),
        ("Story 1.1", "cycle"),
        ("the database is there", "vague_dependency"),
        ("Epic 9", "vague_dependency"),
    ]:
        plan = import_plan(source_of(text.format(written), "epics.md"), READERS)
        assert kind in [one for one, _ in kinds(plan)], written


def test_a_story_told_of_twice_is_reported() -> None:
    text = EPICS + "\n### Story 1.1: Dig again\n"
    assert ("duplicate_id", ("1.1",)) in kinds(import_plan(source_of(text, "epics.md"), READERS))


def test_a_story_file_gives_its_tasks() -> None:
    text = """\
# Story 1.1: Dig

Status: review

## Acceptance Criteria
1. deep

## Tasks / Subtasks

- [x] Task 1: Find a spade (AC: 1)
  - [x] Subtask 1.1: Look in the shed
  - [ ] Buy one
- [ ] Task 2 Dig (AC: 1, 2)
"""
    plan = import_plan(source_of(text, "1-1-dig.md"), READERS)
    assert [(one.id, one.title, one.done, one.parent) for one in plan.tasks] == [
        ("1", "Find a spade", True, None),
        ("1.1", "Look in the shed", True, "1"),
        ("1.2", "Buy one", False, "1"),
        ("2", "Dig", False, None),
    ]
    assert [(one.before, one.after) for one in plan.edges] == [("1.1", "1.2"), ("1.2", "2")]
    assert ("missing_id", ("1.2",)) in kinds(plan)


@given(st.data())
def test_what_is_written_is_read_back(data: st.DataObject) -> None:
    lines = []
    wanted = []
    for epic in range(1, data.draw(st.integers(1, 3)) + 1):
        lines.append(f"## Epic {epic}: e{epic}\n")
        for story in range(1, data.draw(st.integers(1, 3)) + 1):
            title = data.draw(st.text(alphabet="abc", min_size=1, max_size=5))
            needs = [one[0] for one in wanted if data.draw(st.booleans())]
            lines.append(f"### Story {epic}.{story}: {title}\n")
            if needs:
                lines.append(f"**Prerequisites:** {', '.join(f'Story {one}' for one in needs)}\n")
            wanted.append((f"{epic}.{story}", title, tuple(needs), f"Epic {epic}: e{epic}"))
    plan = import_plan(source_of("\n".join(lines), "epics.md"), READERS)
    assert [(one.id, one.title, one.deps, one.group) for one in plan.tasks] == wanted

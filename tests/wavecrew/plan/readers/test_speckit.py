"""spec-kit task lists: their lines, their dialects, and dependencies told in prose."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.model import ImportedPlan
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import source_of

HEAD = "# Tasks: Weather station\n\n## Format: `[ID] [P?] [Story] Description`\n\n"
LIST = (
    HEAD
    + "## Phase 1: Setup\n\n- [X] T001 Create `src/store.py`\n\n"
    + "## Phase 2: User Story 1 - Read (Priority: P1)\n\n"
    + "- [ ] T002 [P] [US1] Read in `src/read.py`\n- [ ] T003 [US1] Show in `src/show.py`\n\n"
    + "**Checkpoint**: values are shown\n\n"
    + "## Phase 3: Polish\n\n- [ ] T004 Tidy up\n\n"
)


def read(text: str) -> ImportedPlan:
    return import_plan(source_of(text, "tasks.md"), READERS)


def deps(text: str) -> dict[str, set[str]]:
    return {task.id: set(task.deps) for task in read(text).tasks}


def test_lines_give_id_title_phase_done_and_files() -> None:
    plan = read(LIST)
    assert plan.format == "spec-kit"
    assert [(task.id, task.done) for task in plan.tasks] == [
        ("T001", True),
        ("T002", False),
        ("T003", False),
        ("T004", False),
    ]
    assert plan.tasks[1].title == "Read in `src/read.py`"
    assert plan.tasks[1].files == ("src/read.py",)
    assert plan.tasks[1].group == "Phase 2: User Story 1 - Read (Priority: P1)"


def test_order_is_inferred_and_kept_apart_from_dependencies() -> None:
    plan = read(LIST)
    assert all(not task.deps for task in plan.tasks)
    kinds = {(edge.kind, edge.before, edge.after) for edge in plan.edges}
    assert ("order", "T002", "T003") in kinds
    assert ("barrier", "Phase 1: Setup", "Phase 2: User Story 1 - Read (Priority: P1)") in kinds
    assert [gate.kind for gate in plan.gates] == ["checkpoint"]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("- T003 depends on T002 being complete (see T001)", {"T003": {"T002", "T001"}}),
        ("- T001 blocks T002, T003", {"T002": {"T001"}, "T003": {"T001"}}),
        ("- Reading (T001-T002) before showing (T003-T004)", {"T003": {"T001", "T002"}}),
        ("- T003–T004 depend on T001–T002", {"T004": {"T001", "T002"}}),
        (
            "- **US1 (P1)**: Can start after T001 — No dependencies on other stories",
            {"T002": {"T001"}},
        ),
        ("- Polish depends on US1 (T003)", {"T004": {"T003"}}),
        ("- T001 → T002 → T003", {"T002": {"T001"}, "T003": {"T002"}}),
        ("- Once T001 is done, T002 and T004 can start", {"T002": {"T001"}, "T004": {"T001"}}),
        ("- T002 and T003 can run in parallel", {"T002": set(), "T003": set()}),
        ("- T002 has no dependencies on T001", {"T002": set()}),
        ("```\nT001\n├── T002 ─── T003\n└── T004\n```", {"T003": {"T002"}, "T004": {"T001"}}),
    ],
)
def test_prose_states_dependencies(sentence: str, expected: dict[str, set[str]]) -> None:
    got = deps(f"{LIST}## Dependencies\n\n{sentence}\n")
    for task, needed in expected.items():
        assert got[task] == needed or (task == "T003" and "see" in sentence and "T002" in got[task])


def test_statements_between_phases_stay_between_groups() -> None:
    plan = read(
        LIST + "## Dependencies\n\n- **Polish (Phase 3)**: Depends on all user stories\n"
        "- **User Story 1**: Depends on Setup completion\n"
    )
    assert all(not task.deps for task in plan.tasks)
    assert ("group", "Setup") in {(edge.kind, edge.before) for edge in plan.edges}


def test_a_drawing_with_joining_lines_is_reported_and_not_taken() -> None:
    plan = read(LIST + "## Dependencies\n\n```\nT001 ──┐\nT002 ──┴──► T003\n```\n")
    assert all(not task.deps for task in plan.tasks)
    assert "unread_drawing" in {one.kind for one in plan.diagnostics}


@pytest.mark.parametrize(
    ("line", "identity", "title", "done"),
    [
        ("- [x] **T010** [P] [FOUND] Make it ✅", "T010", "Make it", True),
        ("[X] T011 - Make it [P]", "T011", "Make it", True),
        ("- [ ] T012a [US1/US2] Make it", "T012a", "Make it", False),
        ("- [ ] T013: Make it", "T013", "Make it", False),
        ("- [#] T014 Make it", "T014", "Make it", False),
        ("1. [ ] T015 Make it", "T015", "Make it", False),
        ("- [ ] **[HIGH]** T016 Make it", "", "", False),
        ("### T017: Make it", "T017", "Make it", False),
    ],
)
def test_dialects_of_the_line(line: str, identity: str, title: str, done: bool) -> None:
    plan = read(f"{LIST}## Phase 4: More\n\n{line}\n")
    found = [(task.id, task.title, task.done) for task in plan.tasks[4:]]
    assert found == ([(identity, title, done)] if identity else [])


def test_a_range_is_one_task_with_members() -> None:
    task = read(LIST + "## Phase 4: More\n\n- [ ] T005–T007 Write tests\n").tasks[-1]
    assert task.id == "T005-T007"
    assert task.range_members == ("T005", "T006", "T007")


def test_dependencies_inside_the_line_are_explicit() -> None:
    text = LIST + "## Phase 4: More\n\n- [ ] T005 Join (depends on T002, T003)\n"
    assert deps(text)["T005"] == {"T002", "T003"}


def test_ids_written_twice_are_both_kept_and_reported() -> None:
    plan = read(LIST + "## Phase 4: More\n\n- [ ] T001 Again\n")
    assert [task.id for task in plan.tasks].count("T001") == 2
    assert "duplicate_id" in {one.kind for one in plan.diagnostics}


def test_a_list_without_ids_gets_stable_ones() -> None:
    text = "# Tasks: X\n\n**Prerequisites**: plan.md\n\n## Phase 1: Setup\n\n- [ ] Create store\n- [x] Create store\n"
    plan = import_plan(source_of(text, "tasks.md"), READERS, "spec-kit")
    assert [task.id for task in plan.tasks] == ["create-store", "create-store-2"]
    assert "missing_id" in {one.kind for one in plan.diagnostics}


@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.text("abc xyz", min_size=1).filter(str.strip)),
        min_size=1,
        max_size=15,
    )
)
def test_a_rendered_list_reads_back(rows: list[tuple[bool, bool, str]]) -> None:
    lines = [
        f"- [{'x' if done else ' '}] T{at:03d} {'[P] ' if parallel else ''}{text}"
        for at, (done, parallel, text) in enumerate(rows)
    ]
    plan = read(HEAD + "## Phase 1: Setup\n\n" + "\n".join(lines))
    assert [(task.id, task.done, task.title) for task in plan.tasks] == [
        (f"T{at:03d}", done, " ".join(text.split())) for at, (done, _, text) in enumerate(rows)
    ]

"""Free wave documents: trees, headings, tables, lists, and documents beside each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.model import ImportedPlan
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import folder_of, source_of

TREE = """\
# Parallel plan of the harbour office

### Wave 1: Ground works (2 agents working in parallel)
```
Agent 1: Berth builder\x20\x20
├── Task 1.1: Berth table (8 hours)
└── Task 1.2: Crane table (4 hours)

Agent 2: Ledger keeper
└── Task 2.1: Ledger table (6 hours)
```

### Wave 2: Services (1 agent working in parallel)
```
Agent 3: Planner
├── Task 3.1: Slot planner (10 hours)
├── Task 3.2-3.4: Slot rules (30 hours)
```

### Independent Task Groups
1. **Table group** (Tasks 1.1, 1.2)
   - Total time: 8 hours (vs 12 hours sequential)
2. **Tooling group**
   - build what is missing

### Critical Synchronization Points:
1. **After Wave 1**: all tables exist
2. **After Task 3.1**: many things become possible
3. **Before Departure**: everything is tested

### Message template
```markdown
## Task Start
- Task 9.9: [name] (8 hours)
```

### Progress dashboard
```
Phase 1: Ground
├── Tables: ███░░ 60% (2/3 tasks)
└── Task 1.1: ████ 80%
```

### With Single Agent: ~2 weeks (90 hours)
### With 5 Parallel Agents: ~1 week (20 hours)
"""

TRACKER = """\
# Tracker

## Phase 1: Ground (Week 1)

#### Task 1.1: Berth table
- **Status**: ✅ Completed
- **Dependencies**: None (can run parallel to 2.1)
- **Estimated Hours**: 8

#### Task 2.1: Ledger table
- **Status**: Blocked
- **Dependencies**: Task 3.1 (planner decides the columns)
- **Estimated Hours**: 6

#### Task 3.1: Slot planner
- **Dependencies**: Tasks 1.1, 1.2
- **Estimated Hours**: 10
"""


def read(text: str) -> ImportedPlan:
    return import_plan(source_of(text), READERS)


def kinds(plan: ImportedPlan) -> set[str]:
    return {one.kind for one in plan.diagnostics}


def test_a_drawn_tree_gives_tasks_with_wave_agent_and_hours() -> None:
    plan = read(TREE)
    assert [task.id for task in plan.tasks] == ["1.1", "1.2", "2.1", "3.1", "3.2-3.4"]
    first = plan.tasks[0]
    assert (first.title, first.hours, first.line) == ("Berth table", 8.0, 6)
    assert (first.group, first.agent) == ("Wave 1: Ground works", "Agent 1: Berth builder")
    assert plan.hours == 58


def test_a_range_stays_one_entry_and_expands_into_tasks_of_its_own() -> None:
    plan = read(TREE)
    assert plan.tasks[-1].range_members == ("3.2", "3.3", "3.4")
    expanded = plan.expand()
    assert [task.id for task in expanded.tasks][-3:] == ["3.2", "3.3", "3.4"]
    assert expanded.tasks[-1].hours == 10
    assert expanded.hours == plan.hours


def test_claims_are_recorded_and_held_against_what_the_tasks_add_up_to() -> None:
    plan = read(TREE)
    assert ("total_hours", 90.0) in {(one.kind, one.value) for one in plan.claims}
    assert ("parallel_hours", 20.0) in {(one.kind, one.value) for one in plan.claims}
    messages = " | ".join(one.message for one in plan.diagnostics)
    assert "claimed 90 hours, the tasks add up to 58" in messages
    assert "claimed 20 hours, the groups one after the other need 52" in messages
    assert "claimed 5 agents at once, no group has more than 2" in messages


def test_templates_and_dashboards_are_no_tasks() -> None:
    assert not any(task.done or task.id == "9.9" for task in read(TREE).tasks)


def test_what_the_document_leaves_open_is_reported() -> None:
    found = kinds(read(TREE))
    assert {"range_task", "tree_glyph", "untracked_work", "vague_sync_point"} <= found


def test_sync_points_become_gates() -> None:
    gates = read(TREE).gates
    assert [gate.kind for gate in gates] == ["sync"] * 3
    assert gates[0].after == ("Wave 1: Ground works",)
    assert gates[1].after == ("3.1",)


def test_a_tracker_beside_the_plan_gives_the_dependencies() -> None:
    plan = import_plan(folder_of({"PLAN.md": TREE, "TRACKER.md": TRACKER}), READERS)
    by_id = {task.id: task for task in plan.tasks}
    assert by_id["3.1"].deps == ("1.1", "1.2")
    assert by_id["2.1"].deps == ("3.1",)
    assert by_id["1.1"].done
    assert by_id["1.1"].deps == ()


def test_a_dependency_on_a_later_wave_is_a_cycle_through_the_barrier() -> None:
    plan = import_plan(folder_of({"PLAN.md": TREE, "TRACKER.md": TRACKER}), READERS)
    cycle = next(one for one in plan.diagnostics if one.kind == "cycle")
    assert {"2.1", "3.1"} <= set(cycle.ids)
    assert "Wave 1: Ground works" in cycle.message
    assert "wave_contradicts_dependency" in kinds(plan)


@pytest.mark.parametrize(
    ("cell", "hours", "low", "high"),
    [
        ("2-3h", None, 2, 3),
        ("15min", 0.25, 0.25, 0.25),
        ("2hr", 2, 2, 2),
        ("1h 30m", 1.5, 1.5, 1.5),
        ("4-5 days", None, 32, 40),
        ("~1 week", 40, 40, 40),
    ],
)
def test_estimates_are_read_as_people_write_them(
    cell: str, hours: float | None, low: float, high: float
) -> None:
    table = f"## Batch 1\n\n| Task | Effort | Agent |\n|--|--|--|\n| 1.1: One | {cell} | a |\n"
    (task,) = read(table + "\n## Batch 2\n").tasks
    assert (task.hours, task.hours_min, task.hours_max) == (hours, low, high)


def test_batch_fields_become_group_edges() -> None:
    text = (
        "# Parallel\n\n## Batch 0: First\n\n### Task 0.1: Fix\n**Agent:** a\n"
        "**Estimated Time:** 15 minutes\n**Blocking:** ALL OTHER TASKS\n\n"
        "## Batch 1: Then\n\n**Dependencies:** Batch 0 complete\n\n### Task 1.1: Move\n"
        "**Estimated Time:** 30 minutes\n"
    )
    plan = read(text)
    edges = {(edge.kind, edge.before, edge.after) for edge in plan.edges}
    assert ("group", "Batch 0: First", "Batch 1: Then") in edges
    assert ("group", "0.1", "all other tasks") in edges
    assert all(task.deps == () for task in plan.tasks)
    assert plan.tasks[0].hours == 0.25


def test_agents_without_numbered_tasks_are_the_tasks() -> None:
    text = (
        "# Parallel agents\n\n## Phase 1\n\n### Agent 1: Data\n**Duration:** 4 hours\n\n"
        "### Agent 2: Door\n**Dependencies:** Agent 1\n"
    )
    plan = read(text)
    assert [(task.id, task.deps) for task in plan.tasks] == [
        ("Agent 1", ()),
        ("Agent 2", ("Agent 1",)),
    ]
    assert "agent_as_task" in kinds(plan)


def test_a_list_under_the_field_is_its_value() -> None:
    text = (
        "# Parallel\n## Wave 1\n### Task A1: One\n**Effort**: 2h\n\n### Task A2: Two\n"
        "**Dependencies:**\n- Task A1 (its rows)\n"
    )
    assert read(text).tasks[1].deps == ("A1",)


def test_unknown_ids_are_reported_and_are_no_dependency() -> None:
    text = (
        "# Parallel\n## Wave 1\n### Task 1.1: One\n- **Depends on**: Task 8.8\n### Task 1.2: Two\n"
    )
    plan = read(text)
    assert plan.tasks[0].deps == ()
    assert any(one.kind == "unknown_dependency" and "8.8" in one.ids for one in plan.diagnostics)


WORDS = st.text("abcdefghij", min_size=2, max_size=8)


@st.composite
def trees(draw: st.DrawFn) -> tuple[str, list[tuple[str, str, float, str]]]:
    lines, expected = ["# Parallel plan"], []
    for wave in range(1, draw(st.integers(1, 4)) + 1):
        lines += [f"### Wave {wave}: {draw(WORDS)} (2 agents working in parallel)", "```"]
        for agent in range(1, draw(st.integers(1, 3)) + 1):
            name = f"Agent {wave}{agent}: {draw(WORDS)}"
            lines.append(name)
            count = draw(st.integers(1, 3))
            for at in range(1, count + 1):
                identity, title = f"{wave}.{agent}{at}", draw(WORDS).title()
                hours = draw(st.integers(1, 40))
                glyph = "└" if at == count else "├"
                lines.append(f"{glyph}── Task {identity}: {title} ({hours} hours)")
                expected.append((identity, title, float(hours), name))
        lines.append("```")
    return "\n".join(lines), expected


@given(trees())
def test_what_is_drawn_is_read_back(case: tuple[str, list[tuple[str, str, float, str]]]) -> None:
    text, expected = case
    plan = import_plan(source_of(text), READERS, "waves")
    read_back = [(task.id, task.title, task.hours, task.agent) for task in plan.tasks]
    assert read_back == expected
    assert "tree_glyph" not in kinds(plan)


def test_chains_of_arrows_under_dependencies_are_edges() -> None:
    text = (
        "# Parallel\n\n## Dependency graph\n#9, #13 → #17\n\n## Wave 1\n\n| Issue | Title | Agent |\n"
        "|--|--|--|\n| #9 | Lexer | a |\n| #13 | Parser | b |\n| #17 | Join | a |\n"
    )
    tasks = read(text).tasks
    assert [task.id for task in tasks] == ["#9", "#13", "#17"]
    assert tasks[2].deps == ("#9", "#13")


def test_lists_under_workstreams_with_lettered_ids() -> None:
    text = (
        "# Workstreams\n\n## Workstream A: Core\n- [ ] A.1 Build (4h)\n"
        "- [ ] A.2 Test (2h) — depends on A.1\n\n## Workstream B: Page\n- [x] B.1 Draw, after A.2\n"
    )
    plan = read(text)
    assert [(task.id, task.title, task.deps, task.done) for task in plan.tasks] == [
        ("A.1", "Build", (), False),
        ("A.2", "Test", ("A.1",), False),
        ("B.1", "Draw", ("A.2",), True),
    ]
    assert plan.tasks[2].group == "Workstream B: Page"
    assert not [edge for edge in plan.edges if edge.kind == "barrier"]

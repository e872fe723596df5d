"""From a written plan to the two files: what is taken, what is mapped, what is asked."""

from __future__ import annotations

from wavecrew.plan.lint import check
from wavecrew.plan.load import Loaded
from wavecrew.plan.model import SyncPoint, Task
from wavecrew.plan.proposal.model import Proposal
from wavecrew.plan.proposal.propose import propose
from wavecrew.plan.readers.consistency import examine
from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.model import Claim, Edge, Gate, ImportedPlan, ImportedTask
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import folder_of, source_of
from wavecrew.plan.settings import Settings

PLAN = """\
# Billing in parallel

### Wave 1: Tables (2 agents)
```
Agent 1: Schema Specialist
├── Task 1.1: Create the invoices table (6 hours)
└── Task 1.2-1.3: Create the other tables (8 hours)

Agent 2: Flow Specialist
└── Task 2.1: Read payment events (4 hours)
```

### Wave 2: Services (1 agent)
```
Agent 3: Testing Specialist
└── Task 3.1: Test the whole (10 hours)
```

## Details

### Task 2.1: Read payment events
**Dependencies:** None
**Files:** `billing/events.py`

Each event is read once.

**Acceptance Criteria:**
- An event that comes twice is booked once
- An unknown currency is refused

### Task 3.1: Test the whole
**Dependencies:** 1.1, 2.1

## Synchronization Points
1. **After Wave 1**: All tables fit together
2. **Before the launch**: Everyone looks at it

Single agent: 28 hours
"""


def read(text: str) -> Proposal:
    source = source_of(text, "billing.md")
    return propose(import_plan(source, READERS), source)


def made(*tasks: ImportedTask, **more: object) -> Proposal:
    plan = examine(ImportedPlan("waves", tasks, **more))  # type: ignore[arg-type]
    return propose(plan, source_of("# P\n", "p.md"))


def by_id(proposal: Proposal) -> dict[str, Task]:
    return dict(proposal.plan.tasks_by_id)


def kinds(proposal: Proposal) -> set[str]:
    return {one.kind for one in proposal.questions}


def errors(proposal: Proposal) -> list[str]:
    found = check(Loaded(proposal.plan, proposal.roles, Settings()))
    return [one.kind for one in found if one.severity == "error"]


def test_tasks_waves_hours_and_dependencies_are_the_documents() -> None:
    plan = read(PLAN).plan
    assert plan.title == "Billing in parallel"
    assert [(wave.id, wave.title) for wave in plan.waves] == [("1", "Tables"), ("2", "Services")]
    told = [(t.id, t.agent, t.wave, t.estimate_h, t.depends_on) for t in plan.tasks]
    assert told == [
        ("1.1", "schema", "1", 6, ()),
        ("1.2", "schema", "1", 4, ()),
        ("1.3", "schema", "1", 4, ()),
        ("2.1", "flow", "1", 4, ()),
        ("3.1", "testing", "2", 10, ("1.1", "2.1")),
    ]
    assert [(claim.what, claim.hours) for claim in plan.claims] == [("single_agent_h", 28)]


def test_a_consistent_plan_has_no_errors() -> None:
    assert errors(read(PLAN)) == []


def test_what_the_document_says_of_a_task_becomes_its_description() -> None:
    task = by_id(read(PLAN))["2.1"]
    assert "Each event is read once." in task.description
    assert "Test the whole" not in task.description
    assert task.expected_output.splitlines() == [
        "- An event that comes twice is booked once",
        "- An unknown currency is refused",
    ]
    assert task.may_write == ("billing/events.py",)


def test_roles_are_the_agents_with_the_sort_of_their_work() -> None:
    roles = read(PLAN).roles
    assert {name: role.archetype for name, role in roles.items()} == {
        "schema": "database",
        "flow": "flow",
        "testing": "integration",
    }
    assert roles["schema"].role == "Schema Specialist"
    assert roles["flow"].may_write == ("/billing/",)


def test_a_gate_holds_the_waves_behind_it_and_one_that_names_nothing_is_asked_about() -> None:
    proposal = read(PLAN)
    (sync,) = proposal.plan.sync_points
    assert (sync.id, sync.after_waves, sync.holds_waves) == ("after-wave-1", ("1",), ("2",))
    (vague,) = [one for one in proposal.questions if one.kind == "vague_sync_point"]
    assert "the launch" in vague.text
    assert vague.at == (("sync_points",),)


def test_an_even_share_of_a_range_is_asked_about_beside_the_value() -> None:
    (share,) = [one for one in read(PLAN).questions if one.kind == "range_share"]
    assert share.ids == ("1.2", "1.3")
    assert share.at == (("task", "1.2", "estimate_h"), ("task", "1.3", "estimate_h"))


def test_tasks_without_agents_get_a_role_for_each_sort_of_work() -> None:
    tasks = [
        ImportedTask("1", "Create the users table"),
        ImportedTask("2", "Test the login"),
        ImportedTask("3", "Add a migration"),
    ]
    proposal = made(*tasks)
    assert [task.agent for task in proposal.plan.tasks] == [
        "database_specialist",
        "integration_specialist",
        "database_specialist",
    ]
    assert {"no_agent", "no_estimate", "may_write"} <= kinds(proposal)


def test_ids_that_are_none_here_are_mapped_and_so_are_dependencies_on_them() -> None:
    proposal = made(
        ImportedTask("../x", "Out"),
        ImportedTask("作業", "Work", deps=("../x",)),
        ImportedTask("x", "In", deps=("作業",)),
        ImportedTask("a.lock", "Lock"),
    )
    assert {task.id: task.depends_on for task in proposal.plan.tasks} == {
        "x": (),
        "task-2": ("x",),
        "x-2": ("task-2",),
        "a": (),
    }
    mapped = [one.text for one in proposal.questions if one.kind == "mapped_id"]
    assert "'../x' cannot be an id here; it was called 'x'" in mapped
    assert errors(proposal) == []


def test_an_id_written_twice_becomes_two_tasks_and_a_question() -> None:
    tasks = [ImportedTask("1", "One"), ImportedTask("1", "Other"), ImportedTask("1-2", "Third")]
    proposal = made(*tasks)
    assert [task.id for task in proposal.plan.tasks] == ["1", "1-3", "1-2"]
    assert "duplicate_id" in kinds(proposal)


def test_a_circle_is_written_as_it_stands_and_asked_about() -> None:
    proposal = made(ImportedTask("1", "One", deps=("2",)), ImportedTask("2", "Two", deps=("1",)))
    assert by_id(proposal)["1"].depends_on == ("2",)
    assert "cycle" in kinds(proposal)
    assert errors(proposal) == ["cycle"]


def test_a_dependency_on_nothing_is_left_out_with_a_question() -> None:
    proposal = made(ImportedTask("1", "One", deps=("9",)))
    assert by_id(proposal)["1"].depends_on == ()
    (asked,) = [one for one in proposal.questions if one.kind == "unknown_dependency"]
    assert asked.at == (("task", "1", "depends_on"),)


def test_the_order_of_writing_is_kept_unless_it_contradicts_what_is_stated() -> None:
    tasks = [
        ImportedTask("1", "One", deps=("3",)),
        ImportedTask("2", "Two"),
        ImportedTask("3", "T"),
    ]
    edges = (Edge("order", "1", "2"), Edge("order", "2", "3"))
    proposal = made(*tasks, edges=edges)
    assert {task.id: task.depends_on for task in proposal.plan.tasks} == {
        "1": ("3",),
        "2": (),
        "3": (),
    }
    later = made(ImportedTask("1", "One"), ImportedTask("2", "Two"), edges=edges[:1])
    assert by_id(later)["2"].depends_on == ("1",)
    assert "implied_order" in kinds(later)


def test_statements_between_groups_become_sync_points_and_mutex_conflicts() -> None:
    tasks = [
        ImportedTask("a", "A", group="Track Red"),
        ImportedTask("b", "B", group="Wave 1"),
        ImportedTask("c", "C", group="Wave 2: More"),
    ]
    edges = (
        Edge("barrier", "Wave 1", "Wave 2: More"),
        Edge("group", "Track Red", "c"),
        Edge("mutex", "a", "b"),
    )
    proposal = made(*tasks, edges=edges, groups=("Track Red", "Wave 1", "Wave 2: More"))
    assert proposal.plan.sync_points == (
        SyncPoint(
            id="after-wave-1", title="Wave 1 is merged", after_waves=("1",), holds_waves=("2",)
        ),
        SyncPoint(
            id="after-Track-Red",
            title="Track Red is merged",
            after_tasks=("a",),
            holds_tasks=("c",),
        ),
    )
    assert by_id(proposal)["a"].group == "Track Red"
    assert by_id(proposal)["b"].conflicts_with == ("a",)
    assert "implied_barrier" in kinds(proposal)


def test_a_human_gate_needs_approval_and_a_review_stays_a_task() -> None:
    tasks = [ImportedTask("1", "One"), ImportedTask("2", "Two", deps=("1",))]
    gates = (Gate("human", "look at it", after=("1",)), Gate("review", "Two", after=("1",)))
    (sync,) = made(*tasks, gates=gates).plan.sync_points
    assert (sync.approval, sync.after_tasks, sync.holds_tasks) == (True, ("1",), ("2",))


def test_a_span_of_hours_is_written_as_its_middle_with_the_span_beside_it() -> None:
    proposal = made(ImportedTask("1", "One", hours_min=2, hours_max=3))
    assert by_id(proposal)["1"].estimate_h == 2.5
    assert any("2 to 3 hours" in one.text for one in proposal.questions)


def test_hours_out_of_reason_and_paths_out_of_the_tree_are_not_written() -> None:
    task = ImportedTask("1", "One", hours_min=1e9, hours_max=1e9, files=("../../etc/x", "/etc/y"))
    proposal = made(task)
    assert by_id(proposal)["1"].estimate_h is None
    assert by_id(proposal)["1"].may_write == ()


def test_of_two_claims_the_first_is_written_and_the_other_asked_about() -> None:
    claims = (Claim("total_hours", 65, 1), Claim("total_hours", 67, 2))
    proposal = made(ImportedTask("1", "One", hours=1, hours_min=1, hours_max=1), claims=claims)
    assert [claim.hours for claim in proposal.plan.claims] == [65]
    assert any("67 hours" in one.text for one in proposal.questions)


def test_a_file_that_is_one_task_is_its_description_as_a_whole() -> None:
    text = """---
phase: 01-core
plan: 0{0}
type: execute
wave: {0}
depends_on: []
files_modified: [src/part{0}.py]
---
<objective>
Build part {0}.
</objective>

## Steps

Write the test first.

<success_criteria>
- Part {0} answers
</success_criteria>
"""
    files = {f"01-0{number}-PLAN.md": text.format(number) for number in (1, 2)}
    source = folder_of(files, "01-core")
    proposal = propose(import_plan(source, READERS), source)
    first, second = proposal.plan.tasks
    assert proposal.plan.title == "01-core"
    assert (first.id, second.id) == ("01-01", "01-02")
    assert "Write the test first." in first.description
    assert "depends_on" not in first.description
    assert second.expected_output == "- Part 2 answers"
    assert first.may_write == ("src/part1.py",)

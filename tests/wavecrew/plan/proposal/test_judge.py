"""A document's faults in one list: worst first, each at its line, none told twice."""

from __future__ import annotations

from wavecrew.plan.problem import Problem
from wavecrew.plan.proposal.judge import judge
from wavecrew.plan.proposal.propose import propose
from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import source_of

PLAN = """\
# Plan

## Wave 1: Tables
```
Agent 1: Schema Specialist
├── Task 1.1: Create the table (20 hours)
└── Task 1.2: Create the view (20 hours)

Agent 2: Flow Specialist
└── Task 2.1: Read events (4 hours)
```

## Wave 2: Services
```
Agent 3: Testing Specialist
└── Task 3.1: Test the whole (1 hours)
```

## Details

### Task 2.1: Read events
**Dependencies:** 3.1
**Files:** `src/events.py`

### Task 1.2: Create the view
**Dependencies:** 1.1
**Files:** `src/events.py`

## Synchronization Points
1. **After Wave 1**: All tables fit together
2. **Before the launch**: Everyone looks at it

Single agent: 60 hours

With 3 agents in parallel: 30 hours
"""


def problems(text: str) -> tuple[Problem, ...]:
    source = source_of(text, "plan.md")
    plan = import_plan(source, READERS)
    return judge(plan, propose(plan, source), source)


def test_errors_come_first_and_every_problem_has_a_line_of_the_document() -> None:
    found = problems(PLAN)
    severities = [one.severity for one in found]
    assert severities == sorted(severities)
    assert found[0].kind == "cycle"
    assert all(one.place.file == "plan.md" and one.place.line for one in found)


def test_every_sort_of_fault_is_found_once() -> None:
    found = [(one.kind, frozenset(one.ids)) for one in problems(PLAN)]
    assert len(found) == len(set(found))
    kinds = [kind for kind, _ in found]
    assert kinds.count("cycle") == 1
    assert "across_sync" not in kinds
    assert "wave_order" not in kinds
    assert {
        "wave_contradicts_dependency",
        "total_mismatch",
        "makespan_mismatch",
        "agent_overload",
        "vague_sync_point",
        "no_acceptance",
        "intra_wave_dependency",
    } <= set(kinds)
    assert [ids for kind, ids in found if kind == "large_task"] == [{"1.1"}, {"1.2"}]
    assert [ids for kind, ids in found if kind == "mostly_idle_role"] == [{"testing"}]


def test_tasks_that_write_the_same_file_at_the_same_time_are_told() -> None:
    found = problems(PLAN.replace("Dependencies:** 3.1", "Dependencies:** None"))
    (collision,) = [one for one in found if one.kind == "colliding_writes"]
    assert set(collision.ids) == {"1.2", "2.1"}
    assert not [one for one in found if one.severity == "error"]


def test_what_was_chosen_here_is_no_fault_of_the_document() -> None:
    kinds = {one.kind for one in problems("# P\n## Wave 1\n- [ ] 1.1 Do this\n- [ ] 1.2 Do that\n")}
    assert not kinds & {"colliding_writes", "idle_role", "overloaded_role"}

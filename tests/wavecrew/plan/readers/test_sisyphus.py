"""Sisyphus plans: four places state one edge; they are joined and held against each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.model import ImportedPlan
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import source_of

PLAN = """\
# Lamp control

## TL;DR
> **Critical Path**: 1 → 2

## Work Objectives

### Definition of Done
- [ ] 1. everything builds

## Execution Strategy

### Parallel Execution Waves
```
Wave 1 (Start Immediately):
├── Task 1: Lamp type [quick]
└── Task 3: Lamp words [writing]

Wave 2 (After Wave 1):
└── Task 2: Lamp switch (depends: 1) [deep]

Wave FINAL (After ALL tasks, parallel):
└── Task F1: Review (oracle)

Critical Path: Task 1 → Task 2
Max Concurrent: 2
```

### Dependency Matrix
| Task | Depends On | Blocks | Wave |
|------|------------|--------|------|
| 1 | — | 2 | 1 |
| T3 (words) | None | 2 | 1 |
| 2 | 1 | Final | 2 |

## TODOs

- [x] 1. Lamp `type`
  **Acceptance Criteria**:
  - [ ] 7. not a task
- [ ] 3. Lamp words
  - **Blocks**: Task 2
- [ ] 2. Lamp switch

  - **Category**: `deep`
  - **Blocked By**: Task 1 (needs the type of task 3)

## Final Verification Wave (MANDATORY — after ALL implementation tasks)
- [ ] F1. **Plan Review** — `oracle`

### Final Checklist
- [ ] 4. all green
"""


def read(text: str) -> ImportedPlan:
    return import_plan(source_of(text), READERS)


def test_only_todos_and_the_final_wave_are_tasks() -> None:
    plan = read(PLAN)
    assert plan.format == "sisyphus"
    assert [task.id for task in plan.tasks] == ["1", "3", "2", "F1"]
    assert [task.done for task in plan.tasks] == [True, False, False, False]
    assert plan.tasks[3].title == "Plan Review"
    assert plan.tasks[3].agent == "oracle"


def test_every_statement_of_an_edge_counts() -> None:
    by_id = {task.id: task for task in read(PLAN).tasks}
    assert set(by_id["2"].deps) == {"1", "3"}
    assert by_id["1"].deps == ()
    assert set(by_id["F1"].deps) == {"1", "2", "3"}


def test_disagreement_between_places_is_reported() -> None:
    found = [one for one in read(PLAN).diagnostics if one.kind == "conflicting_dependency"]
    assert [one.ids for one in found] == [("2",)]


def test_waves_agents_and_reviews_are_taken_from_the_drawing() -> None:
    plan = read(PLAN)
    assert plan.groups == ("Wave 1", "Wave 2", "Wave FINAL")
    assert [task.agent for task in plan.tasks] == ["quick", "writing", "deep", "oracle"]
    assert [gate.kind for gate in plan.gates] == ["review"]
    assert plan.claims[0].value == 2


@pytest.mark.parametrize(
    ("row", "deps"),
    [
        ("- **8-9**: 1-2 — F1, 2", {"8": {"1", "2"}, "9": {"1", "2"}, "F1": {"8", "9"}}),
        ("- **8**: — — 9, 1", {"8": set(), "9": {"8"}}),
        ("- **9**: ALL — Final, 3", {"9": {"1", "2", "8"}, "F1": {"9"}}),
    ],
)
def test_the_matrix_may_be_a_list(row: str, deps: dict[str, set[str]]) -> None:
    todos = "".join(f"- [ ] {name}. Do {name}\n" for name in ("1", "2", "8", "9", "F1"))
    text = f"## TL;DR\n\n### Dependency Matrix\n{row}\n\n## Commit Strategy\n\n## TODOs\n{todos}"
    by_id = {task.id: set(task.deps) for task in read(text).tasks}
    for task, expected in deps.items():
        assert by_id[task] == expected


def test_headings_with_boxes_are_tasks_too() -> None:
    text = (
        "## TL;DR\n\n## Work Objectives\n\n## TODOs\n\n### - [x] 1. First\n\n"
        "**Blocked By**: None (can run beside 2)\n\n### - [ ] 2. Second\n\n**Blocked By**: Task 1\n"
    )
    tasks = read(text).tasks
    assert [(task.id, task.deps, task.done) for task in tasks] == [
        ("1", (), True),
        ("2", ("1",), False),
    ]


@st.composite
def matrices(draw: st.DrawFn) -> dict[int, list[int]]:
    count = draw(st.integers(1, 12))
    return {
        task: draw(st.lists(st.integers(1, task - 1), unique=True)) if task > 1 else []
        for task in range(1, count + 1)
    }


@given(matrices(), st.booleans())
def test_a_rendered_plan_reads_back(needs: dict[int, list[int]], in_body: bool) -> None:
    rows = "".join(f"| {t} | {', '.join(map(str, d)) or '—'} | - |\n" for t, d in needs.items())
    body = {
        t: f"  - **Blocked By**: Tasks {', '.join(map(str, d)) or 'None'}\n"
        for t, d in needs.items()
    }
    todos = "".join(f"- [ ] {t}. Work {t}\n{body[t] if in_body else ''}" for t in needs)
    matrix = "" if in_body else f"| Task | Depends On | Blocks |\n|-|-|-|\n{rows}"
    text = (
        f"## TL;DR\n\n## Work Objectives\n\n### Dependency Matrix\n\n{matrix}\n## TODOs\n\n{todos}"
    )
    got = {int(task.id): sorted(map(int, task.deps)) for task in read(text).tasks}
    assert got == {task: sorted(deps) for task, deps in needs.items()}

"""Documents in no known layout: what is certain is read, the rest is said to be left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.problem import PlanRejected
from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.model import ImportedPlan
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import source_of


def read(text: str) -> ImportedPlan:
    plan = import_plan(source_of(text, "notes.md"), READERS)
    assert plan.format == "generic"
    return plan


def kinds(plan: ImportedPlan) -> list[str]:
    return [one.kind for one in plan.diagnostics]


def rows(plan: ImportedPlan) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.id, one.title, one.deps) for one in plan.tasks]


def test_a_table_with_ids_and_what_they_wait_for() -> None:
    text = "| ID | Task | Depends on | Owner |\n|--|--|--|--|\n| A1 | Dig | - | Ann |\n| A2 | Fill | A1 | Bob |\n"
    plan = read("# Garden\n\n" + text)
    assert rows(plan) == [("A1", "Dig", ()), ("A2", "Fill", ("A1",))]
    assert [one.agent for one in plan.tasks] == ["Ann", "Bob"]


def test_headings_with_an_id_and_their_fields() -> None:
    plan = read(
        "### Task 1: Dig\n- [ ] spade\n\n### Task 2: Fill\n**Depends on:** Task 1\n**Estimate:** 3h\n"
    )
    assert rows(plan) == [("1", "Dig", ()), ("2", "Fill", ("1",))]
    assert plan.tasks[1].hours == 3.0
    assert "false_task" in kinds(plan)


def test_a_checklist_of_issues() -> None:
    plan = read(
        "- [ ] #12\n- [x] #13 Fill (blocked by #12)\n- [ ] a/b#4 Plant\n  Depends on #13, #99\n"
    )
    assert rows(plan) == [
        ("#12", "#12", ()),
        ("#13", "Fill (blocked by #12)", ("#12",)),
        ("a/b#4", "Plant", ("#13",)),
    ]
    assert "unknown_dependency" in kinds(plan)
    assert "done_before_dependency" in kinds(plan)


def test_plain_checkboxes_are_called_after_their_text() -> None:
    plan = read(
        "# Garden\n- [ ] Dig\n  - [x] Sharpen\n- [ ] Dig\n\n## Acceptance criteria\n- [ ] green\n"
    )
    assert [(one.id, one.parent, one.done) for one in plan.tasks] == [
        ("dig", None, False),
        ("sharpen", "dig", True),
        ("dig-2", None, False),
    ]
    assert kinds(plan) == ["missing_id", "false_task"]


def test_what_is_not_certain_is_named() -> None:
    plan = read(
        "- [ ] a\n- [ ] b\n\n1. then\n2. that\n\n| x | y |\n|--|--|\n| 1 | 2 |\n\n"
        "```mermaid\ngraph TD\nA --> B\n```\n"
    )
    assert kinds(plan) == ["missing_id", "list_left_out", "table_left_out", "drawing_left_out"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# Hello\n\nSome prose.\n\n- a\n- b\n",
        "1. Install\n2. Run\n",
        "| Option | Meaning |\n|--|--|\n| -v | loud |\n",
        "- [ ] one box alone\n",
        "```\n- [ ] a\n- [ ] b\n```\n",
        "def task(): pass\n",
    ],
)
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(PlanRejected):
        import_plan(source_of(text, "notes.md"), READERS)


@given(st.data())
def test_a_table_is_read_back(data: st.DataObject) -> None:
    lines = ["| ID | Task | Depends on |", "|--|--|--|"]
    wanted = []
    for at in range(1, data.draw(st.integers(1, 6)) + 1):
        title = data.draw(st.text("abc", min_size=2, max_size=6))
        needs = tuple(one[0] for one in wanted if data.draw(st.booleans()))
        lines.append(f"| B{at} | {title} | {', '.join(needs) or '-'} |")
        wanted.append((f"B{at}", title, needs))
    assert rows(read("\n".join(lines) + "\n")) == wanted

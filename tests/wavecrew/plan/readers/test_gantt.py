"""Mermaid gantt charts: what starts after what, and which lengths are hours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.model import ImportedPlan
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import source_of

CHART = """\
gantt
    title House
    dateFormat YYYY-MM-DD
    excludes weekends
    %% a remark
    section Ground
    Dig :done, crit, dig, 2026-01-01, 4h
    Fill :active, fill, after dig, 90m
    section House
    Walls :walls, after dig fill, 3d
    Paint : 2h
    Party :milestone, party, after walls, 0d
"""


def read(text: str, name: str = "plan.mmd") -> ImportedPlan:
    plan = import_plan(source_of(text, name), READERS)
    assert plan.format == "mermaid-gantt"
    return plan


def kinds(plan: ImportedPlan) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.kind, one.ids) for one in plan.diagnostics]


def test_tasks_sections_and_starts() -> None:
    plan = read(CHART)
    assert [
        (one.id, one.title, one.deps, one.hours, one.group, one.done) for one in plan.tasks
    ] == [
        ("dig", "Dig", (), 4.0, "Ground", True),
        ("fill", "Fill", ("dig",), 1.5, "Ground", False),
        ("walls", "Walls", ("dig", "fill"), None, "House", False),
        ("bar-4", "Paint", (), 2.0, "House", False),
        ("party", "Party", ("walls",), None, "House", False),
    ]
    assert [(one.before, one.after) for one in plan.edges if one.kind == "order"] == [
        ("walls", "bar-4")
    ]
    assert [(one.text, one.after) for one in plan.gates] == [("Party", ("walls",))]
    assert kinds(plan) == [("estimate_unit", ("walls",)), ("missing_id", ("bar-4",))]


def test_a_chart_in_markdown_keeps_its_lines_and_several_are_reported() -> None:
    text = f"# Plan\n\n```mermaid\n{CHART}```\n\n```mermaid\ngantt\nMove in :move, after party, 1h\n```\n"
    plan = read(text, "plan.md")
    assert plan.tasks[0].line == 10
    assert plan.tasks[-1].id == "move"
    assert "several_charts" in [kind for kind, _ in kinds(plan)]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Roof :roof, after nothing, 1h", "unknown_dependency"),
        ("Roof :roof, after roof, 1h", "cycle"),
        ("Roof :dig, 1h", "duplicate_id"),
        ("Roof without a colon", "unread_line"),
    ],
)
def test_what_is_doubtful_is_reported(line: str, kind: str) -> None:
    assert kind in [one for one, _ in kinds(read(CHART + line + "\n"))]


def test_until_lets_the_named_task_wait() -> None:
    plan = read("gantt\nA :a, 2026-01-01, until b\nB :b, 2026-01-05, 1h\n")
    assert plan.tasks[1].deps == ("a",)
    assert kinds(plan) == [("until", ("a", "b"))]


@given(st.data())
def test_what_is_written_is_read_back(data: st.DataObject) -> None:
    lines = ["gantt"]
    wanted = []
    for at in range(data.draw(st.integers(1, 6))):
        title = data.draw(st.text("abc", min_size=1, max_size=5))
        needs = [one[0] for one in wanted if data.draw(st.booleans())]
        done = data.draw(st.booleans())
        hours = data.draw(st.integers(1, 99))
        start = f"after {' '.join(needs)}" if needs else "2026-01-01"
        lines.append(f"    {title} :{'done, ' if done else ''}t{at}, {start}, {hours}h")
        wanted.append((f"t{at}", title, tuple(needs), float(hours), done))
    plan = read("\n".join(lines) + "\n")
    assert [(one.id, one.title, one.deps, one.hours, one.done) for one in plan.tasks] == wanted

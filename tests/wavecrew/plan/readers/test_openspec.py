"""OpenSpec's tasks.md: groups, numbers, and an order that is only implied."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import source_of

TEXT = """\
## 1. Store

- [x] 1.1 Choose a table
- [ ] 1.2 **Write** it

## 2. Show

- [ ] 2.1 Draw
- [ ] ask somebody
"""


def test_numbered_boxes_are_tasks_in_an_implied_order() -> None:
    plan = import_plan(source_of(TEXT, "tasks.md", ["proposal.md", "tasks.md"]), READERS)
    assert plan.format == "openspec"
    assert [(one.id, one.title, one.done, one.group, one.line) for one in plan.tasks] == [
        ("1.1", "Choose a table", True, "1. Store", 3),
        ("1.2", "**Write** it", False, "1. Store", 4),
        ("2.1", "Draw", False, "2. Show", 8),
    ]
    assert [(one.kind, one.before, one.after) for one in plan.edges] == [
        ("order", "1.1", "1.2"),
        ("order", "1.2", "2.1"),
    ]
    assert all(one.deps == () for one in plan.tasks)
    assert [one.kind for one in plan.diagnostics] == ["false_task"]


@given(
    st.lists(
        st.lists(
            st.tuples(st.text("abc", min_size=1, max_size=5), st.booleans()), min_size=1, max_size=4
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_written_is_read_back(groups: list[list[tuple[str, bool]]]) -> None:
    lines = []
    wanted = []
    for number, members in enumerate(groups, 1):
        lines.append(f"## {number}. g{number}\n")
        for at, (title, done) in enumerate(members, 1):
            lines.append(f"- [{'x' if done else ' '}] {number}.{at} {title}")
            wanted.append((f"{number}.{at}", title, done, f"{number}. g{number}"))
        lines.append("")
    plan = import_plan(source_of("\n".join(lines), "tasks.md", ["proposal.md"]), READERS)
    assert [(one.id, one.title, one.done, one.group) for one in plan.tasks] == wanted

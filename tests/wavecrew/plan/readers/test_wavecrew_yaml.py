"""Our own tasks.yaml in the record of every other format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.problem import PlanRejected
from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.model import ImportedPlan
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import source_of

HEAD = 'plan: {title: House}\nwaves:\n  - {id: "1", title: Ground}\n  - {id: "2"}\n'


def task(id_: str, title: str, more: str = "") -> str:
    return (
        f'  - id: "{id_}"\n    title: "{title}"\n    agent: mason\n    description: d\n'
        f"    expected_output: e\n{more}"
    )


def read(text: str) -> ImportedPlan:
    plan = import_plan(source_of(text, "tasks.yaml"), READERS)
    assert plan.format == "wavecrew"
    return plan


def test_waves_dependencies_exclusions_and_sync_points() -> None:
    text = (
        HEAD
        + 'sync_points:\n  - {id: s, title: Look, after_waves: ["1"], holds_tasks: ["1.10"], approval: true}\n'
        + "tasks:\n"
        + task("1.1", "Dig", '    wave: "1"\n    estimate_h: 4\n    conflicts_with: ["1.10"]\n')
        + task(
            "1.10",
            "Fill",
            '    wave: "2"\n    depends_on:\n      - "1.1"\n    conflicts_with: ["1.1"]\n',
        )
    )
    plan = read(text)
    assert [
        (one.id, one.title, one.deps, one.hours, one.group, one.agent, one.line)
        for one in plan.tasks
    ] == [
        ("1.1", "Dig", (), 4.0, "1", "mason", 9),
        ("1.10", "Fill", ("1.1",), None, "2", "mason", 17),
    ]
    assert [(one.kind, one.before, one.after) for one in plan.edges] == [
        ("explicit", "1.1", "1.10"),
        ("mutex", "1.1", "1.10"),
    ]
    assert [(one.kind, one.after, one.before) for one in plan.gates] == [
        ("human", ("1",), ("1.10",))
    ]
    assert plan.groups == ("1", "2")
    assert plan.edges[0].line == 23


def test_names_that_do_not_exist_are_reported_and_broken_files_refused() -> None:
    plan = read(HEAD + "tasks:\n" + task("1", "Dig", '    depends_on: ["9"]\n'))
    assert [(one.kind, one.line) for one in plan.diagnostics] == [("unknown_dependency", 11)]
    with pytest.raises(PlanRejected, match="titel"):
        read(HEAD + "tasks:\n" + task("1", "Dig", "    titel: x\n"))


@given(st.data())
def test_what_is_written_is_read_back(data: st.DataObject) -> None:
    lines = [HEAD, "tasks:\n"]
    wanted = []
    for at in range(1, data.draw(st.integers(1, 5)) + 1):
        title = data.draw(st.text("abc:#", min_size=1, max_size=6))
        needs = [one[0] for one in wanted if data.draw(st.booleans())]
        wave = data.draw(st.sampled_from(["1", "2"]))
        listed = ", ".join(f'"{one}"' for one in needs)
        lines.append(task(f"1.{at}", title, f'    wave: "{wave}"\n    depends_on: [{listed}]\n'))
        wanted.append((f"1.{at}", title, tuple(needs), wave))
    plan = read("".join(lines))
    assert [(one.id, one.title, one.deps, one.group) for one in plan.tasks] == wanted

"""Kiro's tasks.md and that of cc-sdd: boxes, marks, waves, dependencies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.model import ImportedPlan
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import source_of


def read(text: str) -> ImportedPlan:
    plan = import_plan(source_of("# Implementation Plan\n\n" + text, "tasks.md"), READERS)
    assert plan.format == "kiro"
    return plan


def kinds(plan: ImportedPlan) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.kind, one.ids) for one in plan.diagnostics]


def rows(plan: ImportedPlan) -> list[tuple[str, str, bool, bool, str | None]]:
    return [(one.id, one.title, one.done, one.optional, one.parent) for one in plan.tasks]


NESTED = """\
- [x] 1. Lay the ground
  - [x] 1.1 Dig the pit
    - dig deep
    - _Requirements: 1.1, 1.2_
  - [ ]* 1.2 Test the walls
- [-] 2. Raise the house
- [ ] 2.1 Beams
- [~] 3. Checkpoint - look at it
- [ ] 4. Roof
"""


def test_numbered_boxes_are_tasks_with_their_parents() -> None:
    plan = read(NESTED)
    assert rows(plan) == [
        ("1", "Lay the ground", True, False, None),
        ("1.1", "Dig the pit", True, False, "1"),
        ("1.2", "Test the walls", False, True, "1"),
        ("2", "Raise the house", False, False, None),
        ("2.1", "Beams", False, False, "2"),
        ("3", "Checkpoint - look at it", False, False, None),
        ("4", "Roof", False, False, None),
    ]
    assert [one.line for one in plan.tasks][:2] == [3, 4]


def test_without_waves_only_the_order_of_leaves_is_implied() -> None:
    edges = [(one.kind, one.before, one.after) for one in read(NESTED).edges]
    assert edges == [
        ("order", "1.1", "1.2"),
        ("order", "1.2", "2.1"),
        ("order", "2.1", "3"),
        ("order", "3", "4"),
    ]
    assert all(one.deps == () for one in read(NESTED).tasks)


def test_a_checkpoint_is_a_gate_between_what_stands_around_it() -> None:
    (gate,) = read(NESTED).gates
    assert (gate.kind, gate.after, gate.before) == ("checkpoint", ("1.1", "1.2", "2.1"), ("4",))


def test_parallel_marks_take_a_task_out_of_the_order() -> None:
    plan = read("## 1. A\n- [ ] 1.1 one\n- [ ] 1.2 (P) two\n- [ ] 1.3 (P) three\n- [ ] 1.4 four\n")
    edges = [(one.before, one.after) for one in plan.edges]
    assert edges == [("1.1", "1.4"), ("1.2", "1.4"), ("1.3", "1.4")]
    assert {one.group for one in plan.tasks} == {"1. A"}


@pytest.mark.parametrize(
    ("line", "title", "kind"),
    [
        ("- [ ] (P) 4. Paint", "Paint", "parallel_marker_variant"),
        ("- [ ] 4. Paint (P)", "Paint", "parallel_marker_variant"),
        ("- [ ] 7.9* Paint", "Paint", "optional_marker_variant"),
        ("- [ ] 7.9.* Paint", "Paint", "optional_marker_variant"),
        ("- [#] 4. Paint", "Paint", "unknown_status"),
        ("- [ ] **4. Paint** it", "Paint it", None),
        ("- [ ] 4. **Paint**", "Paint", None),
        ("- [ ] 4) Paint", "Paint", None),
        ("- [ ] **4.** Paint", "Paint", None),
        ("- [ ] **Task 4**: Paint **it**", "Paint **it**", None),
        ("- [ ] 4 - Paint", "Paint", None),
        ("- [ ] Task 4: Paint", "Paint", None),
        ("- [x] 4. Paint ✅", "Paint", None),
        ("- [ ]\\* 4. Paint", "Paint", None),
        ("### - [ ] 4. Paint", "Paint", None),
        ("1. [ ] Paint", "Paint", None),
        ("* [ ] 4 Paint", "Paint", None),
    ],
)
def test_dialects_are_read(line: str, title: str, kind: str | None) -> None:
    plan = read(line + "\n- [ ] 99. Last (P)\n_Requirements: 1_\n")
    assert plan.tasks[0].title == title
    assert kind is None or kind in [one for one, _ in kinds(plan)]


def test_stated_dependencies_are_explicit_and_carry_their_line() -> None:
    plan = read("- [ ] 1. a\n- [ ] 2. b\n- [ ] 3. c\n  - _Depends: 1, 2_\n")
    assert plan.tasks[2].deps == ("1", "2")
    assert [(one.before, one.line) for one in plan.edges if one.kind == "explicit"] == [
        ("1", 6),
        ("2", 6),
    ]


def test_an_id_in_the_remark_of_none_is_no_dependency() -> None:
    plan = read("- [ ] 1.1 a\n- [ ] 1.2 b\n  - _Depends: none (independent of 1.1)_\n")
    assert plan.tasks[1].deps == ()
    assert kinds(plan) == [("remark_in_none", ("1.2", "1.1"))]


def test_a_dependency_on_a_major_that_is_a_heading_is_one_between_groups() -> None:
    plan = read("## 1. A\n- [ ] 1.1 (P) a\n## 2. B\n- [ ] 2.1 (P) b\n  - _Depends: 1_\n")
    assert plan.tasks[1].deps == ()
    assert [(one.kind, one.before, one.after) for one in plan.edges] == [("group", "1. A", "2.1")]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("9.9", "unknown_dependency"),
        ("2", "cycle"),
        ("the first thing", "vague_dependency"),
        ("1.1-1.2", "range_in_dependency"),
    ],
)
def test_doubtful_dependencies_are_reported(value: str, kind: str) -> None:
    plan = read(f"- [ ] 1.1 a\n- [ ] 1.2 b\n- [ ] 2. c\n  - _Depends: {value}_\n")
    assert kind in [one for one, _ in kinds(plan)]


@pytest.mark.parametrize(
    "block",
    [
        '{"waves": [{"id": 0, "tasks": ["1"]}, {"id": 1, "tasks": ["2", "3"]}]}',
        '{"waves": [{"wave": 0, "description": "x", "tasks": ["1"]}, {"wave": 1, "tasks": ["2", "3"]}]}',
    ],
)
def test_waves_are_barriers(block: str) -> None:
    tasks = "- [ ] 1. a\n- [ ] 2. b\n- [ ] 3. c\n\n"
    plan = read(f"{tasks}## Task Dependency Graph\n\n```json\n{block}\n```\n")
    assert [one.group for one in plan.tasks] == ["wave 0", "wave 1", "wave 1"]
    assert [(one.kind, one.before, one.after) for one in plan.edges] == [
        ("barrier", "wave 0", "wave 1")
    ]
    assert plan.groups == ("wave 0", "wave 1")


def test_plain_lists_as_waves_and_waves_that_say_what_they_wait_for() -> None:
    tasks = "- [ ] 1. a\n- [ ] 2. b\n\n```json\n"
    assert read(tasks + '{"waves": [["1"], ["2"]]}\n```\n').groups == ("wave 1", "wave 2")
    stated = '{"waves": [{"id": 0, "tasks": ["1"]}, {"id": 1, "tasks": ["2"], "depends_on": [0]}]}'
    plan = read(f"{tasks}{stated}\n```\n")
    assert [(one.kind, one.before, one.after) for one in plan.edges] == [
        ("group", "wave 0", "wave 1")
    ]


def test_waves_that_do_not_fit_the_list_are_reported() -> None:
    block = '{"waves": [{"id": 0, "tasks": ["1", "9"]}, {"id": 1, "tasks": ["1"]}]}'
    plan = read(f"- [ ] 1. a\n- [ ] 2. b\n\n```json\n{block}\n```\n")
    assert kinds(plan) == [
        ("unknown_wave_task", ("9",)),
        ("task_in_two_waves", ("1",)),
        ("tasks_without_wave", ("2",)),
    ]


def test_a_broken_wave_block_is_reported_and_the_tasks_are_read() -> None:
    plan = read('- [ ] 1. a\n- [ ] 2. b\n\n```json\n{"waves": [\n```\n')
    assert [one for one, _ in kinds(plan)] == ["bad_wave_block"]
    assert len(plan.tasks) == 2


def test_arrows_under_the_graph_state_dependencies() -> None:
    plan = read(
        "- [ ] 1. a\n- [ ] 2. b\n- [ ] 3. c\n\n## Task Dependency Graph\n\n```\n1, 2 → 3\n```\n"
    )
    assert plan.tasks[2].deps == ("1", "2")


def test_boxes_without_a_number_are_no_tasks() -> None:
    plan = read("- [ ] 1. a\n- [ ] 2. b\n\n## Done when\n- [ ] all green\n- [ ] shown\n")
    assert len(plan.tasks) == 2
    assert kinds(plan) == [("false_task", ())]


def test_a_number_given_twice_is_reported() -> None:
    assert ("duplicate_id", ("1",)) in kinds(read("- [ ] 1. a\n- [ ] 1. b\n- [ ] 2. c (P)\n"))


def test_a_fence_holds_no_tasks() -> None:
    assert len(read("- [ ] 1. a\n```\n- [ ] 2. b\n```\n- [ ] 3. c (P)\n").tasks) == 2


TITLES = st.text(alphabet="abcdefgh ", min_size=1, max_size=12).map(str.strip).filter(bool)


@given(st.data())
def test_what_is_written_is_read_back(data: st.DataObject) -> None:
    lines = []
    wanted = []
    for major in range(1, data.draw(st.integers(1, 4)) + 1):
        box = data.draw(st.sampled_from(" x-~"))
        title = data.draw(TITLES)
        lines.append(f"- [{box}] {major}. {title}")
        wanted.append((str(major), title, box == "x", False, None, ()))
        for minor in range(1, data.draw(st.integers(0, 3)) + 1):
            star = data.draw(st.sampled_from(["", "*"]))
            title = data.draw(TITLES)
            before = tuple(
                dict.fromkeys(
                    data.draw(st.lists(st.sampled_from([one[0] for one in wanted]), max_size=3))
                )
            )
            lines.append(f"  - [ ]{star} {major}.{minor} {title}")
            if before:
                lines.append(f"    - _Depends: {', '.join(before)}_")
            lines.append("    - _Requirements: 1.1_")
            wanted.append((f"{major}.{minor}", title, False, bool(star), str(major), before))
    plan = read("\n".join(lines) + "\n")
    got = [(one.id, one.title, one.done, one.optional, one.parent, one.deps) for one in plan.tasks]
    assert got == wanted

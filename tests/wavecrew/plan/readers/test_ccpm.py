"""ccpm epics: ids as written, stale ids never guessed, the epic held against its files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.model import ImportedPlan
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import folder_of, source_of

EPIC = "---\nname: harbour\nstatus: {status}\n---\n# Epic\n\n## Tasks Created\n{tasks}\n"


def task(name: str, needs: str = "[]", status: str = "open", body: str = "", **more: str) -> str:
    extra = "".join(f"{key}: {value}\n" for key, value in more.items())
    return f"---\nname: {name}\nstatus: {status}\ndepends_on: {needs}\nparallel: true\n{extra}---\n# Task\n{body}"


def read(files: dict[str, str]) -> ImportedPlan:
    plan = import_plan(folder_of(files, "harbour"), READERS)
    assert plan.format == "ccpm"
    return plan


def kinds(plan: ImportedPlan) -> dict[str, tuple[str, ...]]:
    return {one.kind: one.ids for one in plan.diagnostics}


def test_every_numbered_file_is_a_task_of_the_epic() -> None:
    plan = read(
        {
            "epic.md": EPIC.format(status="open", tasks=""),
            "10.md": task('"Quay: north"', "[9]", assigned_agent="mason"),
            "9.md": task("Pier", status="closed"),
            "notes.md": "# Notes\n",
        }
    )
    rows = [(one.id, one.title, one.deps, one.done, one.group, one.file) for one in plan.tasks]
    assert rows == [
        ("9", "Pier", (), True, "harbour", "9.md"),
        ("10", "Quay: north", ("9",), False, "harbour", "10.md"),
    ]
    assert plan.tasks[1].agent == "mason"
    assert plan.tasks[1].line == 2


@pytest.mark.parametrize("needs", ["[1]", '["1"]', "[1.md]", "1", "['#1'] # the first"])
def test_spellings_of_one_dependency(needs: str) -> None:
    assert read({"1.md": task("a"), "2.md": task("b", needs)}).tasks[1].deps == ("1",)


def test_old_ids_are_never_taken_for_new_files() -> None:
    listed = "- [ ] 001.md - Pier (parallel: true)\n- [ ] 002.md - Quay (parallel: false, depends on: [001])"
    plan = read(
        {
            "epic.md": EPIC.format(status="open", tasks=listed),
            "2.md": task("Pier"),
            "3.md": task("Quay", "[001]"),
            "4.md": task("Mole", "[002]"),
        }
    )
    assert [one.deps for one in plan.tasks] == [(), (), ()]
    (found,) = [one for one in plan.diagnostics if one.kind == "presync_ids"]
    assert found.ids == ("001", "002")
    assert "001 -> 2, 002 -> 3" in found.message
    assert "unknown_dependency" in kinds(plan)


def test_a_number_without_zeros_finds_the_one_padded_file_and_says_so() -> None:
    plan = read({"001.md": task("a"), "002.md": task("b", "[1]")})
    assert plan.tasks[1].deps == ("001",)
    assert kinds(plan) == {"id_alias": ("002", "001")}


def test_010_is_not_eight() -> None:
    plan = read({"8.md": task("a"), "9.md": task("b", "[010]")})
    assert plan.tasks[1].deps == ()
    assert kinds(plan) == {"unknown_dependency": ("9", "010")}


def test_conflicts_exclude_each_other_without_an_order() -> None:
    plan = read({"1.md": task("a", conflicts_with="[2]"), "2.md": task("b", conflicts_with="[1]")})
    assert [(one.kind, one.before, one.after) for one in plan.edges] == [("mutex", "1", "2")]
    assert [one.deps for one in plan.tasks] == [(), ()]


@pytest.mark.parametrize(
    ("body", "hours"),
    [
        ("- Hours: 8-12\n", (None, 8.0, 12.0)),
        ("**Hours:** 12-16 hours\n", (None, 12.0, 16.0)),
        ("- Size: M\n- Hours: 4\n", (4.0, 4.0, 4.0)),
        ("- Size: M\n", (None, None, None)),
    ],
)
def test_hours_are_read_from_the_body(body: str, hours: tuple[float | None, ...]) -> None:
    plan = read({"1.md": task("a", body=body), "2.md": task("b")})
    first = plan.tasks[0]
    assert (first.hours, first.hours_min, first.hours_max) == hours
    assert ("estimate_unit" in kinds(plan)) == (hours[1] is None)


def test_the_epic_is_held_against_its_files() -> None:
    listed = (
        "- [x] 1.md - Pier (parallel: true)\n- [ ] 2.md - Quay (depends on: [7])\n- [ ] 7.md - Mole"
    )
    text = EPIC.format(
        status="completed", tasks=listed + "\n\nTotal tasks: 3\nEstimated total effort: 10-12 hours"
    )
    plan = read(
        {"epic.md": text, "1.md": task("Pier", body="Hours: 4\n"), "2.md": task("Quay", "[1]")}
    )
    assert set(kinds(plan)) == {
        "epic_done_tasks_open",
        "conflicting_status",
        "conflicting_dependency",
        "missing_file",
        "total_mismatch",
    }
    assert [(one.kind, one.value, one.value_max) for one in plan.claims] == [
        ("task_count", 3.0, None),
        ("total_hours", 10.0, 12.0),
    ]


def test_an_epic_alone_gives_its_list() -> None:
    text = EPIC.format(
        status="open", tasks="- [x] 001.md - Pier\n- [ ] 002.md - Quay (depends on: [001])"
    )
    plan = import_plan(source_of(text, "epic.md"), READERS)
    assert [(one.id, one.title, one.deps, one.done) for one in plan.tasks] == [
        ("001", "Pier", (), True),
        ("002", "Quay", ("001",), False),
    ]


def test_metadata_in_a_code_block_is_read_and_reported() -> None:
    block = "# Task: Quay\n\n```yaml\nstatus: open\nparallel: true\ndependencies: [1]\n```\n"
    plan = read({"1.md": task("a"), "2.md": block})
    assert (plan.tasks[1].title, plan.tasks[1].deps) == ("Quay", ("1",))
    assert "metadata_block" in kinds(plan)


def test_values_no_yaml_reader_takes_do_not_hide_the_others() -> None:
    text = task("Pier", "[2]").replace("status: open", "status: open\nowner: @me: x")
    plan = read({"1.md": text, "2.md": task("b")})
    assert plan.tasks[0].deps == ("2",)
    assert "front_matter" in kinds(plan)


def test_odd_states_streams_and_itself() -> None:
    plan = read(
        {"1.md": task("a", "[1]", status="parked"), "2.md": task("b"), "1-analysis.md": "# Streams"}
    )
    assert set(kinds(plan)) == {"unknown_status", "cycle", "streams_left_out"}


TITLES = (
    st.text(alphabet="abcd :#", min_size=1, max_size=10)
    .map(str.strip)
    .filter(lambda one: one.isalnum())
)


@given(st.data())
def test_what_is_written_is_read_back(data: st.DataObject) -> None:
    ids = [
        str(one)
        for one in data.draw(st.lists(st.integers(1, 99), min_size=1, max_size=6, unique=True))
    ]
    wanted = {}
    files = {}
    for id_ in ids:
        needs = [one for one in ids if one != id_ and data.draw(st.booleans())]
        status = data.draw(st.sampled_from(["open", "closed"]))
        title = data.draw(TITLES)
        files[f"{id_}.md"] = task(title, f"[{', '.join(needs)}]", status)
        wanted[id_] = (title, tuple(needs), status == "closed")
    assert {one.id: (one.title, one.deps, one.done) for one in read(files).tasks} == wanted

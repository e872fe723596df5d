"""GSD phases: one plan file is one task."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.model import ImportedPlan
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import folder_of, source_of


def plan_file(
    plan: str, wave: int, depends: str, files: tuple[str, ...] = (), more: str = ""
) -> str:
    listed = "".join(f"\n  - {one}" for one in files) or " []"
    return (
        f"---\nphase: 03-harbour\nplan: {plan}\ntype: execute\nwave: {wave}\n"
        f"depends_on: {depends}\nfiles_modified:{listed}\nautonomous: true\n{more}---\n\n"
        f"<objective>\nBuild part {plan}.\n\nPurpose: none.\n</objective>\n\n<tasks>\n\n"
        '<task type="auto">\n  <name>Task 1: begin</name>\n</task>\n</tasks>\n'
    )


def read(files: dict[str, str]) -> ImportedPlan:
    return import_plan(folder_of(files, "03-harbour"), READERS)


def kinds(plan: ImportedPlan) -> list[str]:
    return [one.kind for one in plan.diagnostics]


def test_a_phase_folder_gives_one_task_for_each_plan() -> None:
    plan = read(
        {
            "03-01-PLAN.md": plan_file("01", 1, "[]"),
            "03-01-SUMMARY.md": "# done\n",
            "03-01a-PLAN.md": plan_file("01a", 2, '["03-01"]'),
            "03-02-PLAN.md": plan_file("02", 2, "[01]"),
        }
    )
    assert plan.format == "gsd"
    assert [(task.id, task.deps, task.done) for task in plan.tasks] == [
        ("03-01", (), True),
        ("03-01a", ("03-01",), False),
        ("03-02", ("03-01",), False),
    ]
    assert plan.tasks[0].title == "Build part 01."
    assert "short_plan_ref" in kinds(plan)
    assert [edge.kind for edge in plan.edges].count("barrier") == 1


def test_two_plans_of_a_wave_that_change_one_file_exclude_each_other() -> None:
    plan = read(
        {
            "03-01-PLAN.md": plan_file("01", 1, "[]", ("src/dock.py",)),
            "03-02-PLAN.md": plan_file("02", 1, "[]", ("src/dock.py", "src/crane.py")),
        }
    )
    edges = {(edge.kind, edge.before, edge.after) for edge in plan.edges}
    assert ("mutex", "03-01", "03-02") in edges
    assert "same_files" in kinds(plan)


def test_waves_that_contradict_dependencies_are_reported() -> None:
    plan = read(
        {
            "03-01-PLAN.md": plan_file("01", 2, "[]"),
            "03-02-PLAN.md": plan_file("02", 1, "[03-01]"),
            "03-03-PLAN.md": plan_file("03", 2, "\n  - 03-01\n  - Phase 67\n  - 03-99"),
        }
    )
    assert "wave_contradicts_dependency" in kinds(plan)
    assert "intra_wave_dependency" in kinds(plan)
    assert "external_dependency" in kinds(plan)
    assert "unknown_dependency" in kinds(plan)
    assert plan.tasks[2].deps == ("03-01",)


def test_a_checkpoint_step_is_a_human_gate() -> None:
    text = plan_file("01", 1, "[]").replace('type="auto"', 'type="checkpoint:human-verify"')
    (gate,) = read({"03-01-PLAN.md": text}).gates
    assert (gate.kind, gate.after) == ("human", ("03-01",))


def test_broken_front_matter_costs_only_the_broken_entry() -> None:
    broken = 'note: "never closed\n'
    plan = read(
        {
            "03-01-PLAN.md": plan_file("01", 1, "[]", more=broken),
            "03-02-PLAN.md": plan_file("02", 2, "[01]"),
        }
    )
    assert [task.id for task in plan.tasks] == ["03-01", "03-02"]
    assert "front_matter" in kinds(plan)


def test_one_plan_file_finds_its_summary_beside_it() -> None:
    source = source_of(plan_file("01", 1, "[]"), "03-01-PLAN.md", ["03-01-SUMMARY.md"])
    assert import_plan(source, READERS).tasks[0].done


def test_old_files_without_front_matter_are_read_by_their_heading() -> None:
    text = "# PLAN 01-01: Lay the keel\n\n### Task 1: cut\n\n### Task 2: weld\n"
    (task,) = import_plan(source_of(text, "01-01-PLAN.md"), READERS, "gsd").tasks
    assert (task.id, task.title) == ("01-01", "Lay the keel")


@given(
    st.integers(1, 12).flatmap(lambda n: st.tuples(*(st.sets(st.integers(1, n)) for _ in range(n))))
)
def test_a_rendered_phase_reads_back(chosen: tuple[set[int], ...]) -> None:
    needs = {at: sorted(x for x in one if x < at) for at, one in enumerate(chosen, 1)}
    files = {
        f"03-{at:02d}-PLAN.md": plan_file(f"{at:02d}", at, str([f"03-{x:02d}" for x in deps]))
        for at, deps in needs.items()
    }
    got = {task.id: list(task.deps) for task in read(files).tasks}
    assert got == {f"03-{at:02d}": [f"03-{x:02d}" for x in deps] for at, deps in needs.items()}

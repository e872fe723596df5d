"""Files no one should import: a clear error or a diagnostic, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wavecrew.cli.main import app
from wavecrew.plan.problem import PlanRejected
from wavecrew.plan.readers.detect import import_plan
from wavecrew.plan.readers.markdown import Heading, Item, parse_markdown
from wavecrew.plan.readers.registry import READERS
from wavecrew.plan.readers.source import read_source, source_of

SMALL = "# Tasks: X\n\n## Phase 1: Setup\n\n- [ ] T001 Begin\n- [ ] T002 End (depends on T001)\n"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\xff\xfe#\x00", "encoding"),
        (b"# Tasks\n\xe9\n", "encoding"),
        (b"# Tasks\n\x00\x01", "binary"),
        (b"x" * (10 * 1024 * 1024 + 1), "too_large"),
        (b"", "not_a_plan"),
        (b"Dear diary\n", "not_a_plan"),
    ],
)
def test_what_is_no_text_or_no_plan_is_refused(tmp_path: Path, data: bytes, kind: str) -> None:
    path = tmp_path / "plan.md"
    path.write_bytes(data)
    with pytest.raises(PlanRejected) as caught:
        import_plan(read_source(path), READERS)
    assert caught.value.problems[0].kind == kind
    assert caught.value.exit_code == 2


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tasks.md"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    plan = import_plan(read_source(path), READERS)
    assert [(task.id, task.line, task.deps) for task in plan.tasks] == [
        ("T001", 5, ()),
        ("T002", 6, ("T001",)),
    ]


def test_lists_nested_a_thousand_deep_are_cut_and_reported() -> None:
    deep = "".join("  " * at + f"- [ ] T{at:04d} x\n" for at in range(1200))
    plan = import_plan(source_of("# Tasks: X\n\n## Phase 1: Setup\n\n" + deep), READERS)
    assert "too_deep" in {one.kind for one in plan.diagnostics}


def test_quotes_nested_ten_thousand_deep_are_survived() -> None:
    text = f"# Parallel\n## Wave 1\n### Task 1.1: x\n### Task 1.2: y\n{'>' * 10_000} - x\n"
    assert len(import_plan(source_of(text), READERS).tasks) == 2


def test_twenty_thousand_tasks_in_one_cycle_are_read_and_reported() -> None:
    count = 20_000
    lines = (f"- [ ] T{at:05d} a (depends on T{(at + 1) % count:05d})\n" for at in range(count))
    plan = import_plan(source_of("# Tasks: X\n\n## Phase 1: Setup\n\n" + "".join(lines)), READERS)
    assert len(plan.tasks) == count
    assert "cycle" in {one.kind for one in plan.diagnostics}


def test_all_in_every_one_of_thousands_of_tasks_does_not_explode() -> None:
    todos = "".join(f"- [ ] {at}. Do\n  **Blocked By**: ALL\n" for at in range(1, 3000))
    plan = import_plan(source_of("## TL;DR\n\n## Work Objectives\n\n## TODOs\n\n" + todos), READERS)
    assert "too_many_edges" in {one.kind for one in plan.diagnostics}


@pytest.mark.parametrize(
    "piece", ["-", "( ", "[", "  ", "✅", "*", "_", "`", "1-", "→ ", "─", "a:", "T1 "]
)
@pytest.mark.parametrize("name", ["spec-kit", "sisyphus", "waves", "gsd"])
def test_a_line_of_one_thing_a_hundred_thousand_times_is_read(piece: str, name: str) -> None:
    line = piece * (100_000 // len(piece))
    text = (
        f"## TODOs\n- [ ] 1. x {line} y\n  **Blocked By**: {line}\n\n## Wave 1\n### Task 1.1: x {line}\n"
        f"**Dependencies:** {line} y\n\n## Phase 1: Setup\n- [ ] T001 x {line} y\n"
        f"## Dependencies\n- T001 {line} y\n"
    )
    assert import_plan(source_of(text, "01-01-PLAN.md"), READERS, name).tasks


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanRejected, match="no file"):
        read_source(tmp_path)


def test_front_matter_keeps_line_numbers_true() -> None:
    document = parse_markdown("---\na: 1\n---\n# Head\n- [x] item\n      - under it\n")
    heading, item = document.blocks
    assert isinstance(heading, Heading)
    assert isinstance(item, Item)
    assert (heading.line, item.line, item.box) == (4, 5, "x")


def test_the_command_prints_json_and_refuses_with_two(tmp_path: Path) -> None:
    good, bad = tmp_path / "tasks.md", tmp_path / "diary.md"
    good.write_text(SMALL)
    bad.write_text("Dear diary\n")
    done = CliRunner().invoke(app, ["plan", "import", str(good), "--json"])
    data = json.loads(done.stdout)
    assert data["format"] == "spec-kit"
    assert data["tasks"][1]["deps"] == ["T001"]
    assert set(data["tasks"][0]) >= {
        "id",
        "title",
        "deps",
        "hours",
        "hours_min",
        "hours_max",
        "group",
    }
    assert data["edges"][0] == {"kind": "order", "from": "T001", "to": "T002", "line": 6}
    refused = CliRunner().invoke(app, ["plan", "import", str(bad)])
    assert isinstance(refused.exception, PlanRejected)
    assert "known formats" in str(refused.exception)
    assert CliRunner().invoke(app, ["plan", "import", str(good), "--format", "nope"]).exit_code != 0


def test_the_table_for_people_names_tasks_and_what_is_open(tmp_path: Path) -> None:
    path = tmp_path / "tasks.md"
    path.write_text(SMALL + "- [ ] T002 Again\n")
    shown = CliRunner().invoke(app, ["plan", "import", str(path)]).stdout
    assert "spec-kit: 3 tasks" in shown
    assert "duplicate_id [T002]" in shown

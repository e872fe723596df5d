"""`wavecrew init`: both files or none, and what they say is what the document says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from wavecrew.cli.main import app
from wavecrew.cli.write_files import write_all
from wavecrew.errors import UsageError
from wavecrew.plan.problem import PlanRejected

RUNNER = CliRunner()
PLAN = """\
# Rechnungen, parallel 日本

## Wave 1: Tables
```
Agent 1: Schema Specialist
├── Task 1.1: Create the invoices table (6 hours)
└── Task 1.2-1.3: Create the größten tables 🎯 (8 hours)
```

## Wave 2: Services
```
Agent 2: Testing Specialist
└── Task 2.1: Test the whole (10 hours)
```

## Details

### Task 2.1: Test the whole
**Dependencies:** 1.1

## Synchronization Points
1. **After Wave 1**: All tables fit together
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "plan.md").write_text(PLAN, encoding="utf-8")
    folder = tmp_path / "repository"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def run(*words: str) -> Result:
    return RUNNER.invoke(app, [*words], catch_exceptions=False)


def data(*words: str) -> Any:
    return json.loads(run(*words, "--json").stdout)


def test_init_then_show_says_what_the_document_says(here: Path) -> None:
    assert run("init", "../plan.md").exit_code == 0
    plan = data("plan", "show")["plan"]
    assert plan["title"] == "Rechnungen, parallel 日本"
    assert [(t["id"], t["estimate_h"], t["wave"], t["depends_on"]) for t in plan["tasks"]] == [
        ("1.1", 6, "1", []),
        ("1.2", 4, "1", []),
        ("1.3", 4, "1", []),
        ("2.1", 10, "2", ["1.1"]),
    ]
    assert plan["tasks"][1]["title"] == "Create the größten tables 🎯"
    assert [sync["id"] for sync in plan["sync_points"]] == ["after-wave-1"]


def test_the_written_plan_can_be_run(here: Path) -> None:
    run("init", "../plan.md")
    assert data("plan", "check")["ok"] is True


def test_roles_are_the_plans_and_the_manager_crews(here: Path) -> None:
    told = data("init", "../plan.md")
    assert told["roles"] == ["schema", "testing", "integration_manager", "reviewer"]
    roles = data("plan", "show")["roles"]
    assert [name for name, role in roles.items() if role["manager"]] == told["roles"][2:]


def test_questions_are_told_and_stand_beside_their_values(here: Path) -> None:
    told = data("init", "../plan.md")
    shares = [one for one in told["questions"] if one["kind"] == "range_share"]
    assert shares[0]["at"] == ["task 1.2 estimate_h", "task 1.3 estimate_h"]
    lines = (here / "tasks.yaml").read_text(encoding="utf-8").splitlines()
    at = lines.index("    # QUESTION: an even share of 8 hours; the document has 1.2-1.3 as one")
    assert lines[at + 1] == "    estimate_h: 4"
    assert "QUESTION in the files" in run("init", "../plan.md", "--force").stdout


def test_files_that_exist_are_kept_unless_told(here: Path) -> None:
    (here / "agents.yaml").write_text("mine")
    with pytest.raises(UsageError, match=r"'agents\.yaml' exists") as refused:
        run("init", "../plan.md")
    assert refused.value.exit_code == 2
    assert [one.name for one in here.iterdir()] == ["agents.yaml"]
    assert (here / "agents.yaml").read_text() == "mine"
    assert run("init", "../plan.md", "--force").exit_code == 0
    assert sorted(one.name for one in here.iterdir()) == ["agents.yaml", "tasks.yaml"]


def test_out_names_another_folder_and_repo_another_repository(here: Path) -> None:
    (here / "next").mkdir()
    run("init", "../plan.md", "--out", "next")
    assert sorted(one.name for one in (here / "next").iterdir()) == ["agents.yaml", "tasks.yaml"]
    run("init", "../plan.md", "--repo", str(here))
    assert (here / "tasks.yaml").exists()
    with pytest.raises(UsageError, match="no folder"):
        run("init", "../plan.md", "--repo", "missing")


@pytest.mark.parametrize("text", ["", "# Shopping\n\nMilk and bread.\n", "\0\1\2"])
def test_what_is_no_plan_writes_nothing(here: Path, text: str) -> None:
    (here.parent / "list.md").write_text(text)
    with pytest.raises(PlanRejected) as refused:
        run("init", "../list.md")
    assert refused.value.exit_code == 2
    assert list(here.iterdir()) == []


def test_a_folder_that_cannot_be_written_leaves_nothing(here: Path) -> None:
    with pytest.raises(UsageError, match="cannot write") as refused:
        run("init", "../plan.md", "--out", "missing")
    assert "--out" in refused.value.mend
    (here / "file").touch()
    with pytest.raises(UsageError, match="cannot write"):
        run("init", "../plan.md", "--out", "file")
    assert [one.name for one in here.iterdir()] == ["file"]


def test_when_the_second_file_cannot_be_replaced_the_first_stays_the_old_one(here: Path) -> None:
    (here / "agents.yaml").write_text("mine")
    (here / "tasks.yaml").mkdir()
    with pytest.raises(UsageError, match="it is a folder"):
        run("init", "../plan.md", "--force")
    assert (here / "agents.yaml").read_text() == "mine"
    assert sorted(one.name for one in here.iterdir()) == ["agents.yaml", "tasks.yaml"]


def test_a_file_that_appears_meanwhile_is_kept(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def slow(source: Any, target: Any, **more: Any) -> None:
        if Path(target).name == "two":
            Path(target).write_text("theirs")
        link(source, target, **more)

    monkeypatch.setattr(os, "link", slow)
    with pytest.raises(UsageError, match="'two' exists"):
        write_all([(here / "one", "1"), (here / "two", "2")], replace=False)
    assert {one.name: one.read_text() for one in here.iterdir()} == {"two": "theirs"}


def test_a_circle_is_written_and_told(here: Path) -> None:
    text = PLAN.replace("# Details", "# Details\n\n### Task 1.1: Create the invoices table\n"
                        "**Dependencies:** 2.1\n")  # fmt: skip
    (here.parent / "plan.md").write_text(text, encoding="utf-8")
    result = run("init", "../plan.md")
    assert result.exit_code == 0
    assert "cannot be run before that is mended" in result.stdout
    assert "# QUESTION: " in (here / "tasks.yaml").read_text(encoding="utf-8")
    assert run("plan", "check").exit_code == 2


def test_check_takes_a_document_and_tells_its_lines(here: Path) -> None:
    text = PLAN.replace("**Dependencies:** 1.1", "**Dependencies:** 9.9")
    (here.parent / "plan.md").write_text(text, encoding="utf-8")
    result = run("plan", "check", "../plan.md")
    assert result.exit_code == 2
    first = result.stdout.splitlines()[0]
    assert first.startswith("error: ../plan.md:19: ")
    assert "9.9" in first
    told = data("plan", "check", "../plan.md")
    assert told["files"] == {"document": "../plan.md"}
    assert told["problems"][0]["kind"] == "unknown_dependency"
    assert list(here.iterdir()) == []


def test_check_takes_a_document_or_files_and_not_both(here: Path) -> None:
    with pytest.raises(UsageError, match="not both"):
        run("plan", "check", "../plan.md", "--tasks", "t.yaml")
    with pytest.raises(UsageError, match="PLAN_DOCUMENT"):
        run("plan", "check", "--beside", "../plan.md")


def test_the_command_line_says_what_is_wrong_and_exits_with_2(here: Path) -> None:
    (here / "tasks.yaml").touch()
    words = [sys.executable, "-m", "wavecrew.cli.main", "init", "../plan.md"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "'tasks.yaml' exists" in done.stderr
    assert "--force" in done.stderr

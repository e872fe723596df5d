"""`wavecrew plan`: what it prints and how it exits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wavecrew.cli.plan import app
from wavecrew.errors import UsageError
from wavecrew.plan.locate import locate

RUNNER = CliRunner()
AGENTS = """\
writer: {role: Writer, goal: g, backstory: b, archetype: flow, tools: [read_file, submit], may_write: [src/]}
"""
TASKS = """\
plan: {title: Small}
waves: [{id: "1", title: Only}]
tasks:
  - {id: "1.1", title: First, agent: writer, wave: "1", description: d, expected_output: e, estimate_h: 2}
  - {id: "1.10", title: Second, agent: writer, wave: "1", description: d, expected_output: e,
     estimate_h: 3, depends_on: ["1.1"]}
sync_points:
  - {id: end, title: The end, after_waves: ["1"], approval: true}
"""
SHOWN = """\
Small

Wave 1  Only  (2 tasks, 5 h)
    1.1      2 h  writer                 First
    1.10     3 h  writer                 Second  needs 1.1

Sync point end  The end, with a person's approval
    after  wave 1
    holds  nothing

2 tasks, 5 h, 1 roles at work, 1 waves, 1 sync points
Critical path 5 h: 1.1 -> 1.10 -> [end]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "agents.yaml").write_text(AGENTS)
    (tmp_path / "tasks.yaml").write_text(TASKS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_show_tells_waves_tasks_sync_points_and_totals(here: Path) -> None:
    result = RUNNER.invoke(app, ["show"])
    assert (result.exit_code, result.stdout) == (0, SHOWN)


def test_show_why_tells_where_each_value_stands(here: Path) -> None:
    lines = RUNNER.invoke(app, ["show", "--why"]).stdout.splitlines()
    words = [line.split() for line in lines]
    assert ["estimate_h", "2.0", "[tasks.yaml:4]"] in words
    assert ["estimate_h", "3.0", "[tasks.yaml:6]"] in words
    assert ["parallel", "1", "[default]"] in words


def test_json_is_one_document_with_the_plan_and_its_places(here: Path) -> None:
    data = json.loads(RUNNER.invoke(app, ["show", "--json", "--why"]).stdout)
    assert data["totals"] == {
        "tasks": 2,
        "hours": 5,
        "critical_path": ["1.1", "1.10", "[end]"],
        "critical_path_h": 5,
    }
    assert data["places"]["task 1.10 depends_on"] == "tasks.yaml:6"
    assert data["files"] == {"agents": "agents.yaml", "tasks": "tasks.yaml", "settings": None}


def test_check_of_a_sound_plan_exits_with_0(here: Path) -> None:
    result = RUNNER.invoke(app, ["check"])
    assert result.exit_code == 0
    assert result.stdout == "the plan can be run: 0 errors, 0 warnings\n"


def test_check_tells_every_error_with_its_line_and_exits_with_2(here: Path) -> None:
    (here / "tasks.yaml").write_text(TASKS.replace("agent: writer", "agent: writre"))
    result = RUNNER.invoke(app, ["check"])
    assert result.exit_code == 2
    assert "error: tasks.yaml:4: agent 'writre' is not known" in result.stdout
    assert "perhaps you meant 'writer'" in result.stdout
    assert result.stdout.endswith("the plan cannot be run: 2 errors, 0 warnings\n")
    data = json.loads(RUNNER.invoke(app, ["check", "--json"]).stdout)
    assert data["ok"] is False
    assert [(one["kind"], one["line"]) for one in data["problems"]] == [
        ("unknown_agent", 4),
        ("unknown_agent", 5),
    ]


def test_check_tells_what_the_linter_finds(here: Path) -> None:
    (here / "tasks.yaml").write_text(TASKS.replace('["1.1"]', '["1.10"]'))
    result = RUNNER.invoke(app, ["check"])
    assert result.exit_code == 2
    assert "error: tasks.yaml:6: these wait for each other: 1.10 -> 1.10" in result.stdout


def test_show_of_a_broken_file_exits_with_2(here: Path) -> None:
    (here / "tasks.yaml").write_text("a: [\n")
    assert RUNNER.invoke(app, ["show"]).exit_code == 2
    assert json.loads(RUNNER.invoke(app, ["show", "--json"]).stdout)["ok"] is False


def test_a_tool_nobody_has_is_an_error(here: Path) -> None:
    (here / "agents.yaml").write_text(AGENTS.replace("read_file", "read_fiel"))
    result = RUNNER.invoke(app, ["check"])
    assert result.exit_code == 2
    assert "perhaps you meant 'read_file'" in result.stdout


def test_files_are_found_by_flag_then_folder_then_package_then_checkout(tmp_path: Path) -> None:
    folder, package = tmp_path / "here", tmp_path / "site" / "wavecrew"
    (package / "defaults").mkdir(parents=True)
    folder.mkdir()
    with pytest.raises(UsageError, match=r"no agents\.yaml"):
        locate(folder, package=package)
    found = []
    for place in (package.parent, package / "defaults", folder):
        for name in ("agents.yaml", "tasks.yaml"):
            (place / name).touch()
        found.append(locate(folder, package=package).tasks.parent)
    assert found == [package.parent, package / "defaults", folder]
    named = locate(folder, tasks=tmp_path / "other.yaml", package=package)
    assert (named.tasks, named.agents) == (tmp_path / "other.yaml", folder / "agents.yaml")
    assert named.settings is None


def test_help_has_examples() -> None:
    assert "wavecrew plan check --tasks" in " ".join(
        RUNNER.invoke(app, ["check", "--help"]).stdout.split()
    )


def test_the_commands_load_without_anything_heavy() -> None:
    code = (
        "import sys, wavecrew.cli.plan\n"
        "print([m for m in ('crewai', 'pydantic', 'ruamel.yaml', 'dbos') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

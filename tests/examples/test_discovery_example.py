"""The Discovery example holds together: target, rehearsal, acceptance tests and plan.

The rehearsal is played here without a model and without an engine: its writes
are applied to a copy of the target, in the order in which branches would land.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "discovery"
TARGET, REHEARSAL = EXAMPLE / "target", EXAMPLE / "rehearsal"
TASKS = ("1.1", "1.2", "1.3", "1.4", "1.5", "3.1")
DEPENDENCIES = {"1.3": ("1.2",), "1.4": ("1.1", "1.2"), "1.5": ("1.1", "1.2")}
SHARED_FILE = "discovery/models/__init__.py"
RED_TOGETHER = "test_index_names_are_unique_over_the_whole_schema"

Turn = dict[str, Any]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@dataclass(frozen=True)
class Run:
    """How a command of the code base ended."""

    code: int
    output: str


def run(root: Path, command: str) -> Run:
    """Run a command as the sandbox would: in `root`, with nothing but a clean environment."""
    env = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(root.parent),
    }
    done = subprocess.run(
        ["sh", "-c", command], cwd=root, env=env, capture_output=True, text=True, timeout=120
    )
    return Run(done.returncode, done.stdout + done.stderr)


def unit(root: Path, target: str = "") -> Run:
    return run(root, f"python -m pytest -q {target}")


def acceptance(root: Path, *names: str) -> Run:
    files = [EXAMPLE / "acceptance" / name for name in names] or [EXAMPLE / "acceptance"]
    return run(root, f"python -m pytest -q {shlex.join(map(str, files))}")


def copy_of_target(into: Path) -> Path:
    return shutil.copytree(TARGET, into, ignore=shutil.ignore_patterns("__pycache__"))


def script(conversation: str) -> dict[int, list[Turn]]:
    file = REHEARSAL / f"{conversation.replace('/', '-')}.yaml"
    data = YAML(typ="safe", pure=True).load(file)
    if not conversation.startswith("sync/"):
        assert data["conversation"] == conversation
    return data["attempts"]


def calls(turns: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    for turn in turns:
        yield from turn.get("calls", ())


def may_write(task: str) -> set[str]:
    """What the plan lets a task write: its own files, its migration, the list of models."""
    own = REHEARSAL / "files" / task
    paths = {str(file.relative_to(own)) for file in own.rglob("*.py")}
    migrations = re.findall(
        r"migrations/versions/\w+\.py", (REHEARSAL / f"task-{task}.yaml").read_text()
    )
    return paths | {SHARED_FILE} | {m for m in migrations if m.split("/")[-1][2:4] != "01"}


def play(root: Path, task: str, attempt: int = 1, *, submissions: int = 9) -> None:
    """Apply what the script writes, up to its n-th submission; refused writes change nothing."""
    for call in calls(script(f"task/{task}")[attempt]):
        if call["tool"] == "submit":
            submissions -= 1
            if submissions == 0:
                return
        elif "raw_arguments" not in call:
            apply(root, task, call)


def apply(root: Path, task: str, call: dict[str, Any]) -> None:
    args = call.get("args", {})
    if call["tool"] == "run_command":
        done = run(root, args["command"])
        assert done.code == 0, done.output
    if call["tool"] not in ("write_file", "edit_file") or args["path"] not in may_write(task):
        return
    file = root / args["path"]
    if call["tool"] == "write_file":
        file.write_text((REHEARSAL / call["content"]).read_text())
        return
    text = file.read_text()
    assert text.count(args["old"]) == 1, (task, args["path"], args["old"])
    file.write_text(text.replace(args["old"], args["new"]))


def land(root: Path, order: Sequence[str]) -> Path:
    """All tasks in this order; of 1.2 and 3.1 the later one comes a second time, mended."""
    renamed = max(("1.2", "3.1"), key=order.index)
    for task in order:
        play(root, task)
        if task == renamed:
            play(root, task, 2)
    return root


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The target with the whole of wave 1."""
    root = copy_of_target(tmp_path_factory.mktemp("merged") / "target")
    return land(root, ("1.1", "1.2", "3.1", "1.3", "1.4", "1.5"))


def test_the_target_is_green_and_in_style() -> None:
    assert unit(TARGET).code == 0
    assert run(TARGET, "python -m discovery.dev style").code == 0


def test_the_target_does_not_pass_acceptance() -> None:
    red = "\n".join(failed(acceptance(TARGET)))
    assert all(f"test_{task.replace('.', '_')}.py" in red for task in TASKS), red


def test_wave_1_as_a_whole_is_green(merged: Path) -> None:
    for done in (unit(merged), acceptance(merged), run(merged, "python -m discovery.dev style")):
        assert done.code == 0, done.output


def test_the_migrations_are_one_line_and_go_down_and_up(merged: Path, tmp_path: Path) -> None:
    heads = run(merged, "python -m alembic heads")
    assert heads.output.split("\n") == ["0015 (head)", ""]
    url = f"DISCOVERY_DATABASE_URL=sqlite:///{tmp_path / 'd.db'}"
    for step in ("upgrade head", "downgrade base", "upgrade head"):
        done = run(merged, f"{url} python -m alembic {step}")
        assert done.code == 0, done.output


def test_the_list_of_models_stays_sorted(merged: Path) -> None:
    lines = (merged / SHARED_FILE).read_text().splitlines()
    imports = [line for line in lines if line.startswith("from ")]
    names = [line for line in lines if line.startswith('    "')]
    assert imports == sorted(imports, key=lambda line: line.split()[1])
    assert len(imports) == 14
    assert names[:-2] == sorted(names[:-2])


def test_another_landing_order_is_green_too(tmp_path: Path) -> None:
    order = ("3.1", "1.1", "1.2", "1.5", "1.4", "1.3")
    root = land(copy_of_target(tmp_path / "target"), order)
    for done in (unit(root), acceptance(root)):
        assert done.code == 0, done.output


@pytest.mark.parametrize("task", ["1.2", "3.1"])
def test_a_colliding_branch_is_green_alone(tmp_path: Path, task: str) -> None:
    root = copy_of_target(tmp_path / "target")
    play(root, task)
    assert unit(root).code == 0
    assert acceptance(root, f"test_{task.replace('.', '_')}.py").code == 0


@pytest.mark.parametrize("order", [("1.2", "3.1"), ("3.1", "1.2")])
def test_colliding_branches_are_red_together(tmp_path: Path, order: tuple[str, str]) -> None:
    root = copy_of_target(tmp_path / "target")
    for task in order:
        play(root, task)
    done = unit(root, "tests/conventions")
    assert done.code == 1
    assert RED_TOGETHER in done.output
    assert "ix_client_active" in done.output


@pytest.mark.parametrize(
    ("task", "test"),
    [
        ("1.2", "test_imports_move_the_counters_and_the_score"),
        ("1.4", "test_false_and_zero_are_two_values"),
    ],
)
def test_a_first_submission_with_a_mistake_is_red(tmp_path: Path, task: str, test: str) -> None:
    root = copy_of_target(tmp_path / "target")
    for needed in DEPENDENCIES.get(task, ()):
        play(root, needed)
    play(root, task, submissions=1)
    done = unit(root)
    assert done.code == 1
    assert {line.split("::")[1].split("[")[0].split(" ")[0] for line in failed(done)} == {test}
    assert acceptance(root, f"test_{task.replace('.', '_')}.py").code == 1


def failed(done: Run) -> list[str]:
    return [line for line in done.output.splitlines() if line.startswith(("FAILED", "ERROR"))]


def test_a_mistake_of_the_first_submission_is_seen_by_nothing_but_tests(tmp_path: Path) -> None:
    """The check of the schema, which the scripts run before they submit, does not see it."""
    root = copy_of_target(tmp_path / "target")
    play(root, "1.2", submissions=1)
    assert unit(root, "tests/conventions").code == 0


@pytest.mark.parametrize("task", TASKS)
def test_scripts_read_before_they_write_and_end_by_submitting(task: str) -> None:
    for turns in script(f"task/{task}").values():
        tools = [call["tool"] for call in calls(turns)]
        writes = [n for n, tool in enumerate(tools) if tool in ("write_file", "edit_file")]
        assert any(tool in ("read_file", "search") for tool in tools[: writes[0]])
        assert "run_checks" in tools[writes[-1] :]
        assert tools[-1] == "submit"


def test_the_rehearsal_has_the_faults_that_it_promises() -> None:
    turns = {task: [t for a in script(f"task/{task}").values() for t in a] for task in TASKS}
    faults = [t["fault"] for ts in turns.values() for t in ts if "fault" in t]
    assert faults == [{"status": 429, "retry_after_s": 0.3, "times": 1}]
    raw = [c["raw_arguments"] for ts in turns.values() for c in calls(ts) if "raw_arguments" in c]
    with pytest.raises(json.JSONDecodeError):
        json.loads(raw[0])
    refused = [
        (task, call["args"]["path"])
        for task, ts in turns.items()
        for call in calls(ts)
        if call["tool"] in ("write_file", "edit_file")
        and "raw_arguments" not in call
        and call["args"]["path"] not in may_write(task)
    ]
    assert refused == [("1.3", "discovery/repositories/v3base.py")]


@pytest.mark.parametrize("task", ["1.2", "3.1"])
def test_the_manager_sends_the_later_branch_back(task: str) -> None:
    (turns,) = script(f"triage/{task}").values()
    *_, report = calls(turns)
    assert report["tool"] == "report"
    assert report["args"]["send_back"] == task
    assert RED_TOGETHER in report["args"]["reason"]


def test_the_plan_has_twenty_task_lines_and_256_hours() -> None:
    text = (EXAMPLE / "plan.md").read_text()
    lines = re.findall(
        r"^[├└]── Task ([\d.]+(?:-[\d.]+)?): (.+) \((\d+) hours\)$", text, re.MULTILINE
    )
    assert len(lines) == 20
    assert sum(int(hours) for _, _, hours in lines) == 256
    assert [task for task, _, _ in lines if task in TASKS] == [
        "1.1",
        "1.4",
        "1.5",
        "1.2",
        "1.3",
        "3.1",
    ]

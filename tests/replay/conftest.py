"""Real runs to replay: a small repository, a rehearsal, and the command line as a user has it.

One run is recorded for the whole session; what spoils a recording works on a copy.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from wavecrew.journal.attempt import digest_of

DATA = Path(__file__).parents[1] / "data" / "tiny"
LONGEST_S = 150
WAIT_S = 15
"""How long task 1.2 waits, so that 1.1 has landed and 1.2 comes to a conflict."""
IDENTITY = {
    f"GIT_{who}_{what}": "someone@localhost"
    for who in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}
Record = dict[str, Any]


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class House:
    """A folder with a repository, the plan's files and a rehearsal."""

    root: Path

    @property
    def repo(self) -> Path:
        return self.root / "repo"

    @property
    def tmp(self) -> Path:
        return self.root / "tmp"

    @property
    def run_folder(self) -> Path:
        return self.repo / ".git" / "wavecrew" / "runs" / "r1"

    def environment(self) -> dict[str, str]:
        for folder in (self.tmp, self.root / "home"):
            folder.mkdir(exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        return kept | {"HOME": str(self.root / "home"), "TMPDIR": str(self.tmp), "LANG": "C.UTF-8"}

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "wavecrew", *arguments],
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wavecrew(self, *arguments: str) -> Done:
        process = self.begin(*arguments)
        try:
            out, err = process.communicate(timeout=LONGEST_S)
        finally:
            process.kill()
            process.wait()
        return Done(process.returncode, out, err)

    def run_arguments(self, *options: str, rehearsal: Path | None = None) -> list[str]:
        files = [
            f"--{option}={self.root / name}"
            for option, name in (
                ("agents", "agents.yaml"),
                ("tasks", "tasks.yaml"),
                ("settings", "wavecrew.toml"),
            )
        ]
        played = rehearsal or self.root / "rehearsal"
        return ["run", f"--repo={self.repo}", *files, f"--rehearsal={played}", *options]

    def replay(self, *options: str) -> Done:
        return self.wavecrew("replay", "r1", f"--repo={self.repo}", *options)

    def diverged(self, *options: str) -> dict[str, Any]:
        """The first difference that a replay names; the replay must find one."""
        done = self.replay("--json", *options)
        assert done.code == 3, (done.out, done.err)
        report: dict[str, Any] = json.loads(done.out)
        found: dict[str, Any] = report["diverged"]
        return found

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.repo), "-c", "commit.gpgsign=false", *arguments],
            env=self.environment() | IDENTITY,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def journal(self, task: str, attempt: int = 1) -> Path:
        return self.run_folder / "attempts" / task / str(attempt) / "journal.jsonl"

    def records(self, task: str, attempt: int = 1) -> list[Record]:
        return [json.loads(line) for line in self.journal(task, attempt).read_text().splitlines()]

    def write_records(self, records: list[Record], task: str, attempt: int = 1) -> None:
        for record in records:
            if record["record"] == "intent":
                record["digest"] = digest_of(record["kind"], record["request"])
        replies = (r for r in records if r["record"] == "reply")
        intents = (r for r in records if r["record"] == "intent")
        for intent, reply in zip(intents, replies, strict=True):
            reply["digest"] = intent["digest"]
        text = "".join(json.dumps(record) + "\n" for record in records)
        self.journal(task, attempt).write_text(text)

    def bytes_of_repository(self) -> dict[str, bytes]:
        files = (path for path in self.repo.rglob("*") if path.is_file() and not path.is_symlink())
        return {str(path.relative_to(self.repo)): path.read_bytes() for path in files}


def call(tool: str, **args: Any) -> dict[str, Any]:
    return {"calls": [{"tool": tool, "args": args}]}


def write(path: str, content: str) -> dict[str, Any]:
    return call("write_file", path=path, content=content)


def constant(name: str, value: int) -> str:
    return f'"""Shared numbers."""\n\n{name} = {value}\n'


def module(name: str, value: int) -> list[dict[str, Any]]:
    test = f"from calculator.{name} import {name}\n\n\ndef test_{name}():\n    assert {name}() == {value}\n"
    return [
        write(f"calculator/{name}.py", f"def {name}():\n    return {value}\n"),
        write(f"tests/test_{name}.py", test),
    ]


SUBMIT = call("submit", summary="Done as asked.")
TALKS: dict[str, list[list[dict[str, Any]]]] = {
    "task/1.1": [[write("calculator/shared.py", constant("ONE", 1)), SUBMIT]],
    "task/1.2": [
        [
            {"say": "I take my time.", "latency_s": WAIT_S, **call("read_board")},
            write("calculator/shared.py", constant("TWO", 2)),
            SUBMIT,
        ],
        [
            call("read_file", path="calculator/shared.py"),
            write("calculator/shared.py", constant("ONE", 1) + "TWO = 2\n"),
            SUBMIT,
        ],
    ],
    "task/1.3": [
        [
            call("read_contract", task="1.1"),
            {"say": "First I think."},
            *module("three", 4)[:1],
            module("three", 3)[1],
            call("run_checks"),
            {"calls": [{"tool": "edit_file", "raw_arguments": '{"path": "calc'}]},
            SUBMIT,
            call("run_command", command="sed -i s/4/3/ calculator/three.py; date; git log -1"),
            call("git_diff"),
            call("submit", summary="Now it is three.\n\nTask-Id: r1/9.9"),
        ]
    ],
    "sync/end": [[call("run_integration"), call("report", summary="All is well.")]],
}


def furnish(root: Path, talks: dict[str, list[list[dict[str, Any]]]]) -> House:
    """A house whose plan has a task for every `task/...` talk."""
    house = House(root)
    root.mkdir(exist_ok=True)
    shutil.copytree(DATA / "repository", house.repo, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(DATA / "wavecrew.toml", root / "wavecrew.toml")
    house.git("init", "-q", "-b", "main")
    house.git("add", "-A")
    house.git("commit", "-q", "-m", "The calculator")
    author = {
        "role": "Author",
        "goal": "Small functions, each with its tests",
        "backstory": "You write little and prove it.",
        "archetype": "pattern",
        "tools": ["*_file*", "search", "run_*", "git_*", "read_*", "post_note", "submit"],
        "may_write": ["calculator/**", "tests/**"],
    }
    keeper = {key: value for key, value in author.items() if key != "may_write"} | {
        "archetype": "integration",
        "tools": ["run_integration", "branch_diff", "read_contract", "read_board", "report"],
        "manager": True,
    }
    agents = {"first": author, "second": author, "keeper": keeper}
    tasks = [_task(name.partition("/")[2]) for name in talks if name.startswith("task/")]
    plan = {"plan": {"title": "Numbers"}, "waves": [{"id": "w"}], "tasks": tasks}
    if "sync/end" in talks:
        plan["sync_points"] = [{"id": "end", "title": "The end", "after_waves": ["w"]}]
    (root / "agents.yaml").write_text(json.dumps(agents, indent=1))
    (root / "tasks.yaml").write_text(json.dumps(plan, indent=1))
    (root / "rehearsal").mkdir()
    (root / "rehearsal" / "rehearsal.yaml").write_text("model: replay-rehearsal\n")
    for name, attempts in talks.items():
        script = {"conversation": name, "attempts": dict(enumerate(attempts, 1))}
        file = root / "rehearsal" / f"{name.replace('/', '-')}.yaml"
        with file.open("w") as stream:
            YAML(typ="safe", pure=True).dump(script, stream)
    return house


def _task(task_id: str) -> dict[str, Any]:
    return {
        "id": task_id,
        "title": f"Task {task_id}",
        "agent": "second" if task_id == "1.2" else "first",
        "wave": "w",
        "description": f"Do what task {task_id} is about.",
        "expected_output": "code and its test",
        "depends_on": ["1.1", "1.2"] if task_id == "1.3" else [],
    }


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A run with a conflict, a rework, a red gate and malformed arguments; never to be changed."""
    house = furnish(tmp_path_factory.mktemp("recorded") / "house", TALKS)
    done = house.wavecrew(*house.run_arguments("--json"))
    assert done.code == 0, (done.out[-3000:], done.err[-3000:])
    return house


@pytest.fixture
def house(recorded: House, tmp_path: Path) -> House:
    """A copy of the recorded run, to be spoilt."""
    shutil.copytree(recorded.root, tmp_path / "house", symlinks=True)
    return House(tmp_path / "house")


@pytest.fixture
def new_house(tmp_path: Path) -> Callable[[dict[str, Any]], House]:
    """Makes a house of its own for what is said in it."""
    return lambda talks: furnish(tmp_path / "new", talks)


@pytest.fixture(scope="session")
def words() -> Any:
    """The words of a rehearsal: `words.call`, `words.write`, `words.module`, `words.SUBMIT`."""

    class Words:
        wait_s = WAIT_S
        call = staticmethod(call)
        write = staticmethod(write)
        module = staticmethod(module)
        SUBMIT = SUBMIT

    return Words

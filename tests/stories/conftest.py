"""What every story stands on: a small repository, a plan, a scripted model, and the real CLI.

A story runs `wavecrew` as a user does, in a process of its own with an empty
HOME, and looks at what a user could look at: exit code, output, git, events.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wavecrew.errors import WavecrewError
from wavecrew.journal.attempt import read_records
from wavecrew.journal.log import SqliteEventLog

DATA = Path(__file__).parents[1] / "data" / "tiny"
LONGEST_S = 120
"""No command of a story takes longer, however slow the machine."""
HOLDS_OUT = """
[[checks]]
name = "acceptance"
run = "python -m pytest -q /held-out"
kind = "pytest"
stages = ["sync"]
held_out = "acceptance"
"""

Turn = dict[str, Any]


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


class Story:
    """One user's folder: the repository, the plan's files, a rehearsal, a HOME."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repo = root / "repo"
        self.home = root / "home"
        self.tmp = root / "tmp"
        self.rehearsal = root / "rehearsal"
        self.started: list[subprocess.Popen[str]] = []
        for folder in (self.home, self.tmp, self.rehearsal):
            folder.mkdir(parents=True)
        (self.rehearsal / "rehearsal.yaml").write_text("model: story-rehearsal\n")
        shutil.copytree(
            DATA / "repository", self.repo, ignore=shutil.ignore_patterns("__pycache__")
        )
        self.git("init", "-q", "-b", "main")
        self.commit("The calculator")
        for name in ("agents.yaml", "tasks.yaml", "wavecrew.toml"):
            shutil.copy(DATA / name, root / name)

    # ---- what the user writes

    def write(self, path: str, content: str) -> None:
        file = self.repo / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def agents(self, *names: str, **more: Any) -> None:
        """Roles that may use every tool a specialist has, and a keeper of the sync points."""
        role = {
            "role": "Author",
            "goal": "Small functions, each with its tests",
            "backstory": "You write little and prove it.",
            "archetype": "pattern",
            "tools": ["*_file*", "search", "run_*", "git_*", "read_*", "post_note", "submit"],
            "may_write": ["calculator/**", "tests/**"],
        }
        keeper = role | {
            "archetype": "integration",
            "tools": ["run_integration", "branch_diff", "read_contract", "read_board", "report"],
            "manager": True,
        }
        del keeper["may_write"]
        self._yaml("agents.yaml", dict.fromkeys(names, role | more) | {"keeper": keeper})

    def plan(self, *tasks: dict[str, Any], sync_points: tuple[dict[str, Any], ...] = ()) -> None:
        """A plan of one wave `w`; each task needs `id` and `agent`, the rest has a plain default."""
        whole = [
            {
                "title": f"Task {task['id']}",
                "wave": "w",
                "description": f"Do what task {task['id']} is about.",
                "expected_output": "code and its test",
            }
            | task
            for task in tasks
        ]
        waves = [{"id": wave} for wave in dict.fromkeys(task["wave"] for task in whole)]
        plan = {"plan": {"title": "A story"}, "waves": waves, "tasks": whole}
        if sync_points:
            plan["sync_points"] = list(sync_points)
        self._yaml("tasks.yaml", plan)

    def settings(self, text: str) -> None:
        """Lines for wavecrew.toml, after those of the calculator's own."""
        own = (DATA / "wavecrew.toml").read_text()
        (self.root / "wavecrew.toml").write_text(f"{own}\n{text}")

    def hold_out(self, test: str) -> None:
        """A check of the sync points that runs `test`, which no agent sees."""
        settings = self.root / "wavecrew.toml"
        settings.write_text(HOLDS_OUT + settings.read_text())
        (self.root / "acceptance").mkdir()
        (self.root / "acceptance" / "test_held_out.py").write_text(test)

    def flags(self) -> Path:
        """A folder that agents' commands can look into and the story can put files into."""
        folder = self.root / "flags"
        folder.mkdir()
        own, _, env = (DATA / "wavecrew.toml").read_text().partition("[sandbox.env]")
        sandbox = f'[sandbox]\nread = ["{folder}"]\n\n[sandbox.env]'
        (self.root / "wavecrew.toml").write_text(own + sandbox + env)
        return folder

    def talk(self, name: str, *attempts: list[Turn]) -> None:
        """What the model says in the conversation `name`, attempt by attempt."""
        said = [f"  {number}: {json.dumps(turns)}" for number, turns in enumerate(attempts, 1)]
        text = "\n".join([f"conversation: {name}", "attempts:", *said])
        self.rehearsal.joinpath(f"{name.replace('/', '-')}.yaml").write_text(text)

    def _yaml(self, name: str, data: dict[str, Any]) -> None:
        (self.root / name).write_text(json.dumps(data, indent=1))  # JSON is YAML

    # ---- what the user runs

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "wavecrew", *arguments]

    def files(self) -> list[str]:
        named = (f"--{name}={self.root / file}" for name, file in _FILES.items())
        return [f"--repo={self.repo}", *named]

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
        return kept | {"HOME": str(self.home), "TMPDIR": str(self.tmp), "LANG": "C.UTF-8"} | more

    def wavecrew(self, *arguments: str, **environment: str) -> Done:
        """Any command, to its end."""
        return self.finish(self.begin(*arguments, **environment))

    def run(self, *options: str, **environment: str) -> Done:
        """`wavecrew run` on this story's plan, played by its rehearsal."""
        return self.wavecrew("run", *self.files(), *self.model(), *options, **environment)

    def start(self, *options: str, **environment: str) -> subprocess.Popen[str]:
        """The same, and do not wait."""
        return self.begin("run", *self.files(), *self.model(), *options, **environment)

    def resume(self, *options: str, **environment: str) -> Done:
        return self.wavecrew("run", f"--repo={self.repo}", "--resume", *options, **environment)

    def model(self) -> list[str]:
        return [f"--rehearsal={self.rehearsal}"]

    def begin(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self.command(*arguments),
            cwd=self.root,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def finish(self, process: subprocess.Popen[str], within_s: float = LONGEST_S) -> Done:
        out, err = process.communicate(timeout=within_s)
        return Done(process.returncode, out, err)

    # ---- what the user sees

    def git(self, *arguments: str) -> str:
        identity = {f"GIT_{who}_{what}": "story@localhost" for who, what in _WHO}
        done = subprocess.run(
            ["git", "-C", str(self.repo), "-c", "commit.gpgsign=false", *arguments],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home)} | identity,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    @property
    def folder(self) -> Path:
        """Of the first run."""
        return self.repo / ".git" / "wavecrew" / "runs" / "r1"

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """All events so far, or those of some kinds; none before there is a log."""
        if not (self.folder / "events.db").exists():
            return []
        try:
            log = SqliteEventLog(self.folder / "events.db", "r1", read_only=True)
        except (WavecrewError, sqlite3.Error):  # the engine is making it
            return []
        try:
            found = [event.to_json() for event in log.read()]
        except sqlite3.Error:
            found = []
        finally:
            log.close()
        return [event for event in found if not kinds or event["kind"] in kinds]

    def wait_for(self, seen: Callable[[], Any], process: subprocess.Popen[str]) -> Any:
        """What `seen` returns once that is true; fails when `process` ends before."""
        deadline = time.monotonic() + LONGEST_S
        while time.monotonic() < deadline:
            if found := seen():
                return found
            if process.poll() is not None:
                pytest.fail(f"ended with {process.returncode} before: {process.communicate()}")
            time.sleep(0.02)
        pytest.fail("never seen")

    def wait_for_event(self, process: subprocess.Popen[str], kind: str, **fields: Any) -> Any:
        def seen() -> Any:
            return [e for e in self.events(kind) if fields.items() <= e.items()]

        return self.wait_for(seen, process)[0]

    def journal(self, task: str, attempt: int = 1) -> tuple[dict[str, Any], ...]:
        return read_records(self.folder / "attempts" / task / str(attempt) / "journal.jsonl")

    def refs(self) -> dict[str, str]:
        """Every ref of the repository and what it names."""
        listed = self.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.split() for line in listed)

    def parked(self) -> list[str]:
        return [ref for ref in self.refs() if ref.startswith("refs/wavecrew/attic/")]

    def landed(self) -> list[str]:
        """Task-Id of each merge of the integration branch, oldest first."""
        shown = self.git(
            "log", "--first-parent", "--reverse", "--format=%(trailers:key=Task-Id,valueonly)",
            "main..wavecrew/r1/integration",
        )  # fmt: skip
        return [line.removeprefix("r1/") for line in shown.splitlines() if line]

    def tip_tree(self) -> str:
        return self.git("rev-parse", "wavecrew/r1/integration^{tree}")

    def checkout_state(self) -> dict[str, bytes]:
        """Every byte that a run must leave alone: the files, HEAD, the index, the config."""
        kept = [
            path for path in self.repo.rglob("*") if path.is_file() and ".git" not in path.parts
        ]
        kept += [self.repo / ".git" / name for name in ("HEAD", "index", "config")]
        state = {str(path.relative_to(self.repo)): path.read_bytes() for path in kept}
        return state | {"branch main": self.git("rev-parse", "main").encode()}

    def processes(self) -> list[int]:
        """Everything alive that has to do with this story."""
        mark = str(self.root).encode()
        return [
            pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if mark in _of(pid)
        ]

    def command_lines(self) -> list[bytes]:
        """Of every process of this machine; what runs in a sandbox is seen from outside too."""
        return [_read(pid, "cmdline") for pid in filter(str.isdigit, os.listdir("/proc"))]

    def host_and_agents(self) -> tuple[int, list[int]]:
        """Process ids of the agent host and of the agents it has forked."""
        hosts = [pid for pid in self.processes() if b"crews.host" in _read(pid, "cmdline")]
        parents = {pid: int(_read(pid, "stat").rpartition(b")")[2].split()[1]) for pid in hosts}
        (host,) = [pid for pid in hosts if parents[pid] not in hosts]
        return host, [pid for pid in hosts if parents[pid] == host]

    def sandbox_of(self, words: bytes) -> int:
        """Process id of the bubblewrap around the command whose line holds `words`."""
        (pid,) = [
            int(name)
            for name in filter(str.isdigit, os.listdir("/proc"))
            if words in _read(name, "cmdline") and b"bwrap" not in _read(name, "cmdline")
        ]
        above = int(_read(pid, "stat").rpartition(b")")[2].split()[1])
        while b"bwrap" in _read(above, "cmdline"):
            pid, above = above, int(_read(above, "stat").rpartition(b")")[2].split()[1])
        return pid

    def left_over(self) -> list[Any]:
        """Processes and sockets' folders that are still there, after a moment to go away."""
        deadline = time.monotonic() + 5
        while (found := [*self.processes(), *self.tmp.iterdir()]) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def left_over_processes(self) -> list[int]:
        """Processes that are still there, after a moment to go away."""
        deadline = time.monotonic() + 5
        while (found := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def close(self) -> None:
        """End whatever a failed story left running."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


_FILES = {"agents": "agents.yaml", "tasks": "tasks.yaml", "settings": "wavecrew.toml"}
_WHO = [(who, what) for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]


def _of(pid: int) -> bytes:
    """Command line and environment of a process; empty when it is gone or only a zombie."""
    return _read(pid, "cmdline") + _read(pid, "environ")


def _read(pid: int | str, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def call(tool: str, **args: Any) -> Turn:
    return {"calls": [{"tool": tool, "args": args}]}


def write(path: str, content: str) -> Turn:
    return call("write_file", path=path, content=content)


def submit(summary: str = "Done as asked.") -> Turn:
    return call("submit", summary=summary)


def function(name: str, result: int, *, test: bool = True) -> list[Turn]:
    """A module with one function, its test, and the submission."""
    turns = [write(f"calculator/{name}.py", f"def {name}():\n    return {result}\n")]
    if test:
        text = f"from calculator.{name} import {name}\n\n\ndef test_{name}():\n    assert {name}() == {result}\n"
        turns.append(write(f"tests/test_{name}.py", text))
    return [*turns, submit(f"Wrote {name}.")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A story may take longer than a test of one part; on a busy machine much longer."""
    for item in items:
        if Path(__file__).parent in item.path.parents and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Story]]:
    """Makes a story's folder by its name; whatever runs in one ends with the module."""
    made: list[Story] = []

    def make(name: str) -> Story:
        made.append(Story(tmp_path_factory.mktemp(name)))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def story(stories: Callable[[str], Story], request: pytest.FixtureRequest) -> Iterator[Story]:
    """A story of one test alone."""
    one = stories("story")
    yield one
    one.close()


@pytest.fixture(scope="session")
def make_story() -> Callable[[Path], Story]:
    """A story in a folder of the test's own choice, which closes it."""
    return Story


@pytest.fixture(scope="session")
def say() -> Any:
    """The words of a rehearsal: `say.call`, `say.write`, `say.submit`, `say.function`."""

    class Words:
        call = staticmethod(call)
        write = staticmethod(write)
        submit = staticmethod(submit)
        function = staticmethod(function)

    return Words

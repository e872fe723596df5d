"""The host and its children as real processes: real sandbox, real workspace, real sockets."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from crews.endings import Outcome
from wavecrew.gates.model import GateReport
from wavecrew.plan.model import Role, Task
from wavecrew.plan.settings import Limits, ModelSettings, SandboxSettings
from wavecrew.run.wire import (
    Assignment,
    Gated,
    Granted,
    Noted,
    Recorded,
    Reserve,
    Submit,
    WorkspacePlace,
    decode_request,
    encode_reply,
)
from wavecrew.sandbox import open_sandbox
from wavecrew.workspace.workspace import Workspace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pidfd and prctl are Linux's")


@dataclass
class Host:
    process: subprocess.Popen[bytes]
    ready: dict[str, Any] = field(default_factory=dict)
    _heard: bytes = b""

    def say(self, **request: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()

    def hear(self, timeout_s: float = 30) -> dict[str, Any]:
        assert self.process.stdout
        until = time.monotonic() + timeout_s
        while b"\n" not in self._heard:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise TimeoutError("the host says nothing")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise EOFError("the host has ended")
            self._heard += data
        line, _, self._heard = self._heard.partition(b"\n")
        report: dict[str, Any] = json.loads(line)
        return report


def _open_host(home: Path) -> Host:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "crews.host"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=home,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
    )
    host = Host(process)
    host.ready = host.hear(60)
    return host


def _close_host(host: Host) -> int:
    assert host.process.stdin
    assert host.process.stdout
    host.process.stdin.close()
    code = host.process.wait(20)
    host.process.stdout.close()
    return code


@pytest.fixture(scope="module")
def users_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("users-home")


@pytest.fixture(scope="module")
def host(users_home: Path) -> Iterator[Host]:
    opened = _open_host(users_home)
    yield opened
    assert _close_host(opened) == 0


@dataclass
class Engine:
    """The engine's end of the line, for any number of agents."""

    path: Path
    asked: list[Any] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rwb") as file, contextlib.suppress(OSError):
            for line in file:
                request = decode_request(line)
                self.asked.append(request)
                file.write(encode_reply(self._answer(request)))
                file.flush()

    def _answer(self, request: Any) -> Any:
        if isinstance(request, Reserve):
            return Granted(granted=True)
        if isinstance(request, Submit):
            report = GateReport(tree=request.tree, base="b", verdict="pass")
            return Gated(report=report, accepted=True, attempts_left=2)
        return Noted()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = Engine(tmp_path / "engine")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(made.path))
    listener.listen()
    thread = threading.Thread(target=made.serve, args=(listener,), daemon=True)
    thread.start()
    yield made
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A repository's object store and the id of its one commit."""
    folder = tmp_path_factory.mktemp("repository")

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=e@localhost"]
        command = ["git", *identity, *arguments]
        return subprocess.run(
            command, cwd=folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q")
    (folder / "readme.txt").write_text("base\n")
    git("add", ".")
    git("commit", "-qm", "base")
    return folder / ".git" / "objects", git("rev-parse", "HEAD")


@dataclass
class Order:
    """An assignment on disk, ready to be started."""

    path: Path
    assignment: Assignment

    @property
    def folder(self) -> Path:
        return self.assignment.journal.parent

    @property
    def outcome(self) -> Outcome:
        return Outcome.model_validate_json((self.folder / "outcome.json").read_bytes())


@pytest.fixture
def order(tmp_path: Path, engine: Engine, repository, model) -> Callable[..., Order]:
    objects, base = repository
    sandbox = open_sandbox(SandboxSettings())

    def make(name: str = "a", **changes: Any) -> Order:
        folder = tmp_path / name
        folder.mkdir()
        Workspace.create(folder / "ws", (objects,), base, sandbox)
        assignment = Assignment(
            **{
                "run": "r",
                "kind": "task",
                "subject": "1.1",
                "task": Task(id="1.1", title="T", agent="w", description="D", expected_output="E"),
                "attempt": 1,
                "role": Role(
                    name="w",
                    role="Writer",
                    goal="G",
                    backstory="B",
                    archetype="pattern",
                    tools=("write_file", "run_command", "submit"),
                ),
                "model": ModelSettings(name="scripted", base_url=model.base_url, retries=0),
                "limits": Limits(),
                "sandbox": SandboxSettings(),
                "scope": (("**",),),
                "workspace": WorkspacePlace(root=folder / "ws", objects=(objects,), base=base),
                "journal": folder / "journal.jsonl",
                "home": folder / "home",
                "socket": engine.path,
                "deadline_s": 60,
            }
            | changes
        )
        path = folder / "assignment.json"
        path.write_text(assignment.model_dump_json())
        return Order(path, assignment)

    return make


def _gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def _await(condition: Callable[[], bool], timeout_s: float = 15) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.02)


def test_the_host_is_ready_with_one_thread_and_writes_nothing_into_the_users_home(host, users_home):
    assert host.ready["ready"] is True
    assert host.ready["threads"] == 1
    assert list(users_home.iterdir()) == []


def test_a_child_does_the_task_in_the_workspace_and_leaves_an_outcome(
    host, order, engine, model, say, users_home
):
    made = order()
    model.answers = [
        say.turn(say.call("write_file", {"path": "new.txt", "content": "new\n"})),
        say.turn(say.call("submit", {"summary": "done"})),
    ]
    host.say(start=str(made.path), id="a/1")
    started = host.hear()
    assert started["started"] == "a/1"
    ended = host.hear()
    assert ended["ended"] == "a/1"
    assert ended["status"]["outcome"] == "passed", (ended, (made.folder / "log").read_text())
    assert made.outcome.model_dump() | {"signal": 0} == ended["status"]
    assert made.outcome.last_snapshot
    (submitted,) = [request for request in engine.asked if isinstance(request, Submit)]
    assert submitted.tree == made.outcome.last_snapshot
    assert submitted.pack.exists()
    assert (made.folder / "ws" / "tree" / "new.txt").read_text() == "new\n"
    assert (made.folder / "log").read_text() == ""
    assert list(users_home.iterdir()) == []


def test_a_copied_journal_goes_to_the_engine_line_by_line_and_others_do_not(
    host, order, engine, model, say
):
    for name, copied in (("local", False), ("copied", True)):
        made = order(name, copied=copied)
        engine.asked.clear()
        model.answers = [say.turn(say.call("submit", {"summary": "done"}))]
        host.say(start=str(made.path), id=name)
        assert [host.hear().get("started"), host.hear()["status"]["outcome"]] == [name, "passed"]
        sent = [request for request in engine.asked if isinstance(request, Recorded)]
        written = made.assignment.journal.read_bytes()
        assert b"".join(request.line for request in sent) == (written if copied else b"")
        assert [request.number for request in sent] == list(range(1, len(sent) + 1))


def test_a_child_is_in_its_own_group_without_stdin_and_small(host, order, model):
    made = order()
    model.answers = [{"hang": True}]
    host.say(start=str(made.path), id="a/1")
    pid = host.hear()["pid"]
    _await(lambda: len(model.requests) == 1)
    process = Path(f"/proc/{pid}")
    assert os.getpgid(pid) == pid
    assert os.readlink(process / "fd" / "0") == os.devnull
    assert os.readlink(process / "fd" / "2") == str(made.folder / "log")
    rollup = (process / "smaps_rollup").read_text().splitlines()
    private_kb = sum(int(line.split()[1]) for line in rollup if line.startswith("Private_"))
    assert private_kb <= 40 * 1024, f"{private_kb // 1024} MB"
    host.say(kill="a/1")
    assert host.hear()["status"] | {"detail": ""} == {
        "outcome": "crashed",
        "detail": "",
        "model_calls": 0,
        "tokens": 0,
        "last_snapshot": "",
        "signal": signal.SIGKILL,
    }


def test_a_stop_parks_the_attempt_at_once_and_a_new_start_goes_on(host, order, model, say):
    made = order()
    write = say.turn(say.call("write_file", {"path": "new.txt", "content": "kept\n"}))
    model.answers = [write, {"hang": True}]
    host.say(start=str(made.path), id="a/1")
    host.hear()
    _await(lambda: len(model.requests) == 2)
    began = time.monotonic()
    host.say(stop="a/1")
    ended = host.hear()
    assert ended["status"]["outcome"] == "parked", ended
    assert time.monotonic() - began < 5
    parked = made.outcome
    (made.folder / "ws" / "tree" / "stray.txt").write_text("stray")
    model.answers = [*model.answers, say.turn(say.call("submit", {"summary": "done"}))]
    host.say(start=str(made.path), id="a/1")
    host.hear()
    ended = host.hear()
    assert ended["status"]["outcome"] == "passed", ended
    assert ended["status"]["model_calls"] == 1
    assert ended["status"]["last_snapshot"] == parked.last_snapshot
    assert not (made.folder / "ws" / "tree" / "stray.txt").exists()


def test_a_stop_ends_the_command_that_is_running(host, order, model, say):
    made = order()
    model.answers = [say.turn(say.call("run_command", {"command": "echo up > up; sleep 50"}))]
    host.say(start=str(made.path), id="a/1")
    host.hear()
    _await((made.folder / "ws" / "tree" / "up").exists)
    began = time.monotonic()
    host.say(stop="a/1")
    ended = host.hear()
    assert ended["status"]["outcome"] == "parked", ended
    assert time.monotonic() - began < 10
    assert ended["status"]["last_snapshot"]


def test_the_deadline_ends_an_attempt_by_name(host, order, model):
    made = order(deadline_s=1.5)
    model.answers = [{"hang": True}]
    began = time.monotonic()
    host.say(start=str(made.path), id="a/1")
    host.hear()
    ended = host.hear()
    assert ended["status"]["outcome"] == "out_of_time", ended
    assert time.monotonic() - began < 8


def test_a_child_that_dies_is_told_and_disturbs_nobody(host, order, model, say):
    one, other = order("one"), order("other")
    model.answers = [{"hang": True}, {"hang": True}, say.turn(say.call("submit", {"summary": "s"}))]
    for name, made in (("one", one), ("other", other)):
        host.say(start=str(made.path), id=name)
    pids = {report["started"]: report["pid"] for report in (host.hear(), host.hear())}
    _await(lambda: len(model.requests) == 2)
    os.kill(pids["one"], signal.SIGKILL)
    ended = host.hear()
    assert (ended["ended"], ended["status"]["outcome"]) == ("one", "lost")
    assert ended["status"]["signal"] == signal.SIGKILL
    assert one.outcome.detail.startswith("the process ended by signal 9")
    assert not _gone(pids["other"])
    host.say(stop="other")
    assert host.hear()["status"]["outcome"] == "parked"


def test_a_child_that_cannot_begin_tells_why(host, order):
    made = order(workspace=WorkspacePlace(root=Path("/nonexistent"), objects=(), base="0" * 40))
    host.say(start=str(made.path), id="a/1")
    host.hear()
    status = host.hear()["status"]
    assert status["outcome"] == "crashed"
    assert "workspace is not complete" in status["detail"]


def test_requests_that_make_no_sense_are_answered_and_survived(host, tmp_path):
    host.say(start=str(tmp_path / "missing.json"), id="x")
    assert host.hear()["id"] == "x"
    host.say(stop="nobody")
    assert "nobody" in host.hear()["error"]
    assert host.process.stdin
    host.process.stdin.write(b"not json\n")
    host.process.stdin.flush()
    assert "error" in host.hear()


@pytest.fixture
def own_host(tmp_path: Path) -> Iterator[Host]:
    (tmp_path / "own").mkdir()
    opened = _open_host(tmp_path / "own")
    yield opened
    opened.process.kill()
    with contextlib.suppress(OSError):
        _close_host(opened)


def test_when_stdin_ends_every_child_is_killed_and_the_host_ends(own_host, order, model):
    model.answers = [{"hang": True}]
    own_host.say(start=str(order().path), id="a/1")
    pid = own_host.hear()["pid"]
    _await(lambda: len(model.requests) == 1)
    assert own_host.process.stdin
    own_host.process.stdin.close()
    assert own_host.process.wait(10) == 0
    _await(lambda: _gone(pid))


def test_when_the_host_is_killed_its_children_die_with_it(own_host, order, model, say):
    made = order()
    model.answers = [say.turn(say.call("run_command", {"command": "echo up > up; sleep 50"}))]
    own_host.say(start=str(made.path), id="a/1")
    pid = own_host.hear()["pid"]
    _await((made.folder / "ws" / "tree" / "up").exists)
    own_host.process.kill()
    own_host.process.wait(5)
    _await(lambda: _gone(pid))


BEGUN_AND_LEFT = """
import os, subprocess, sys, time
host = subprocess.Popen(
    [sys.executable, "-P", "-m", "crews.host"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
)
print(host.pid, flush=True)
time.sleep(float(sys.argv[1]))
is_there = host.poll() is None and b"crews.host" in open(f"/proc/{host.pid}/cmdline", "rb").read()
os._exit(9 if is_there else 1)
"""


@pytest.mark.parametrize("after_s", [0.0, 2.5])
def test_a_host_that_is_still_importing_ends_with_its_engine(users_home, after_s):
    engine = subprocess.run(
        [sys.executable, "-c", BEGUN_AND_LEFT, str(after_s)],
        env=os.environ | {"HOME": str(users_home), "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=30,
    )
    assert engine.returncode == 9
    pid = int(engine.stdout)
    _await(lambda: _gone(pid))

"""A quiet CrewAI, a scripted OpenAI-compatible server on loopback, and an engine's line that answers."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from crews import quiet

_home = os.environ.get("HOME", "")
_crewai_home = Path(tempfile.mkdtemp(prefix="crews-home-"))
quiet.prepare(_crewai_home)  # before any test module imports crewai
os.environ["HOME"] = _home

from crews.attempt import Attempt  # noqa: E402
from crews.conversation import hold  # noqa: E402
from crews.endings import Outcome  # noqa: E402
from tools.context import ToolContext  # noqa: E402
from tools.output import Outputs  # noqa: E402
from tools.registry import ToolRegistry  # noqa: E402
from tools.spec import Ended, tool  # noqa: E402
from wavecrew.errors import ToolError  # noqa: E402
from wavecrew.gates.model import GateReport  # noqa: E402
from wavecrew.journal.attempt import AttemptJournal  # noqa: E402
from wavecrew.plan.model import Role, Task  # noqa: E402
from wavecrew.plan.settings import Limits, ModelSettings, SandboxSettings  # noqa: E402
from wavecrew.run.wire import (  # noqa: E402
    Assignment,
    Gated,
    Granted,
    Noted,
    Reply,
    Request,
    Reserve,
    Step,
    Submit,
    WorkspacePlace,
)


def pytest_sessionfinish() -> None:
    shutil.rmtree(_crewai_home, ignore_errors=True)


@pytest.fixture(scope="session")
def crewai_home() -> Path:
    return _crewai_home


Answer = dict[str, Any] | Callable[[dict[str, Any]], dict[str, Any]]


def call(name: str, arguments: Any = None, id: str | None = None) -> dict[str, Any]:
    """A tool call as a model writes it; a string is taken for the raw arguments."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return {
        "id": id or f"call_{name}",
        "type": "function",
        "function": {"name": name, "arguments": text},
    }


def turn(
    *calls: dict[str, Any], say: str | None = None, finish: str = "", **message: Any
) -> Answer:
    """A whole answer of the model."""
    content: dict[str, Any] = {"role": "assistant", "content": say} | message
    if calls:
        content["tool_calls"] = list(calls)
    reason = finish or ("tool_calls" if calls else "stop")
    return {
        "status": 200,
        "body": {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": "scripted",
            "choices": [{"index": 0, "message": content, "finish_reason": reason}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        },
    }


def failure(
    status: int, message: str = "no", headers: dict[str, str] | None = None, **error: Any
) -> Answer:
    body = {"error": {"message": message, "type": "t", "param": None, "code": None} | error}
    return {"status": status, "body": body, "headers": headers or {}}


@dataclass
class ScriptedModel:
    """Answers in order; the last one again and again. Every request body is kept."""

    answers: list[Answer] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.requests.append(request)
        chosen = self.answers[min(len(self.requests), len(self.answers)) - 1]
        return chosen(request) if callable(chosen) else chosen


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    scripted = ScriptedModel()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answer = scripted.answer(body)
            if answer.get("hang"):
                scripted.hold.wait(20)
                self.close_connection = True
                return
            if answer.get("reset"):
                self.close_connection = True
                return
            data = answer.get("raw") or json.dumps(answer["body"]).encode()
            self.send_response(answer["status"])
            for name, value in answer.get("headers", {}).items():
                self.send_header(name, value)
            self.send_header("content-type", answer.get("type", "application/json"))
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    scripted.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield scripted
    scripted.hold.set()
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class FakeLine:
    """The engine's answers, chosen by the test; every request is kept."""

    asked: list[Request] = field(default_factory=list)
    granted: list[Granted] = field(default_factory=list)
    gated: list[Gated] = field(default_factory=list)

    def ask(self, request: Request) -> Reply:
        self.asked.append(request)
        if isinstance(request, Reserve):
            return self.granted.pop(0) if self.granted else Granted(granted=True)
        if isinstance(request, Submit):
            return self.gated.pop(0)
        return Noted()

    def all(self, kind: type[Any]) -> list[Any]:
        return [request for request in self.asked if isinstance(request, kind)]

    @property
    def steps(self) -> list[str]:
        return [step.what for step in self.all(Step)]


@dataclass
class FolderTree:
    """A workspace in miniature: one text, whose snapshots are kept by name."""

    tree_dir: Path
    snapshots: dict[str, str] = field(default_factory=dict)
    restored: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        file = self.tree_dir / "text"
        return file.read_text() if file.exists() else ""

    def append(self, text: str) -> None:
        (self.tree_dir / "text").write_text(self.text + text)

    def snapshot(self) -> str:
        tree = f"tree-{len(self.text)}"
        self.snapshots[tree] = self.text
        return tree

    def restore(self, tree: str) -> None:
        self.restored.append(tree)
        (self.tree_dir / "text").write_text(self.snapshots[tree])

    def pack(self, tree: str) -> Path:
        return self.tree_dir / f"{tree}.pack"


@tool(mutates=True)
def append(context: ToolContext, text: str) -> str:
    """Append to the text.

    Args:
        text: What to append.
    """
    context.workspace.append(text)
    return f"appended {len(text)}; thread {threading.get_ident()}"


@tool()
def look(context: ToolContext, lines: int = 1) -> str:
    """Show the text.

    Args:
        lines: How many lines of filler to add.
    """
    return context.workspace.text + "\n" + "filler line\n" * lines


@tool()
def explode(context: ToolContext) -> str:
    """Leave the interpreter."""
    raise SystemExit(3)


@tool(ends=True)
def submit(context: ToolContext, summary: str) -> Ended:
    """Submit the work.

    Args:
        summary: What was done.
    """
    context.submissions += 1
    tree = context.workspace.snapshot()
    gated = context.ask(
        Submit(
            tree=tree,
            pack=context.workspace.pack(tree),
            summary=summary,
            submission=context.submissions,
        ),
        Gated,
    )
    if gated.accepted:
        return Ended("accepted")
    raise ToolError("the gate did not pass")


@tool(manager=True, ends=True)
def report(context: ToolContext, summary: str) -> Ended:
    """Give the report and end.

    Args:
        summary: What was found.
    """
    return Ended("given")


def gated(accepted: bool, left: int = 2) -> Gated:
    verdict = "pass" if accepted else "fail"
    return Gated(
        report=GateReport(tree="t", base="b", verdict=verdict),
        accepted=accepted,
        attempts_left=left,
    )


@dataclass
class Desk:
    """One attempt with its parts within a test's reach; `run` may be called again, as a resume."""

    folder: Path
    model: ScriptedModel
    line: FakeLine
    workspace: FolderTree
    role: Role
    task: Task
    settings: ModelSettings
    assignment_changes: dict[str, Any] = field(default_factory=dict)
    attempt: Attempt | None = None

    @property
    def assignment(self) -> Assignment:
        return Assignment(
            **{
                "run": "r1",
                "kind": "task",
                "subject": "1.1",
                "task": self.task,
                "attempt": 1,
                "role": self.role,
                "model": self.settings,
                "limits": Limits(output_kb=64),
                "sandbox": SandboxSettings(),
                "scope": (("**",),),
                "workspace": WorkspacePlace(root=self.folder, objects=(), base="b"),
                "journal": self.folder / "journal.jsonl",
                "home": self.folder / "home",
                "socket": self.folder / "socket",
                "deadline_s": 60,
            }
            | self.assignment_changes
        )

    def open(self) -> tuple[Assignment, Attempt, ToolContext, ToolRegistry]:
        assignment = self.assignment
        self.attempt = Attempt(
            line=self.line,
            journal=AttemptJournal.open(assignment.journal),
            workspace=self.workspace,
        )
        context = ToolContext(
            assignment=assignment,
            workspace=self.workspace,  # type: ignore[arg-type]
            sandbox=None,  # type: ignore[arg-type]
            line=self.attempt,
            outputs=Outputs(self.folder / "outputs", assignment.limits.output_kb),
        )
        registry = ToolRegistry()
        for function in (append, look, explode, submit, report):
            registry.register(function)
        return assignment, self.attempt, context, registry

    def run(self) -> Outcome:
        assignment, attempt, context, registry = self.open()
        try:
            return hold(assignment, attempt, context, registry)
        finally:
            attempt.journal.close()


@pytest.fixture
def desk(tmp_path: Path, model: ScriptedModel) -> Desk:
    (tmp_path / "tree").mkdir()
    return Desk(
        folder=tmp_path,
        model=model,
        line=FakeLine(),
        workspace=FolderTree(tmp_path / "tree"),
        role=Role(
            name="writer",
            role="Writer",
            goal="Write {input} well",
            backstory="You know {tools}.",
            archetype="pattern",
            tools=("append", "look", "explode", "submit"),
            may_write=("**",),
            max_iter=12,
        ),
        task=Task(
            id="1.1",
            title="A text",
            agent="writer",
            description="Write {it}. Use {tools}, {tool_names}, {{braces}} and {input}.",
            expected_output="The {text}.",
        ),
        settings=ModelSettings(name="scripted", base_url=model.base_url, retries=1, timeout_s=5),
    )


class Words:
    """What tests say to the scripted model, without importing this file."""

    call = staticmethod(call)
    turn = staticmethod(turn)
    failure = staticmethod(failure)
    gated = staticmethod(gated)


@pytest.fixture(scope="session")
def say() -> Words:
    return Words()

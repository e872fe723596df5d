"""An agent's end of the tools: a real tree, a real sandbox, and a line that answers as told."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tools.context import ToolContext
from tools.output import Outputs
from tools.registry import ToolRegistry, ToolResult
from wavecrew.plan.model import Role, Task
from wavecrew.plan.settings import Limits, ModelSettings, SandboxSettings
from wavecrew.run.wire import Assignment, Noted, Reply, Request, WorkspacePlace
from wavecrew.sandbox.choose import open_sandbox
from wavecrew.sandbox.model import Sandbox
from wavecrew.workspace.workspace import Workspace


@dataclass
class ScriptedLine:
    """Answers each request with what `answer` says, and remembers what was asked."""

    answer: Callable[[Request], Reply] = lambda request: Noted()
    asked: list[Request] = field(default_factory=list)

    def ask(self, request: Request) -> Reply:
        self.asked.append(request)
        return self.answer(request)


@dataclass
class Agent:
    registry: ToolRegistry
    context: ToolContext
    tree: Path
    workspace: Workspace
    line: ScriptedLine

    def call(self, tool: str, /, **arguments: Any) -> ToolResult:
        return self.registry.call(tool, arguments, self.context)

    def ok(self, tool: str, /, **arguments: Any) -> str:
        """The text of a call that must work."""
        result = self.call(tool, **arguments)
        assert result.ok, result.text
        return result.text

    def fails(self, tool: str, /, **arguments: Any) -> str:
        """The text of a call that must not."""
        result = self.call(tool, **arguments)
        assert not result.ok, result.text
        assert not result.ended
        return result.text

    def put(self, path: str, content: str | bytes) -> Path:
        file = self.tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return open_sandbox(SandboxSettings())


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Object store and commit of a repository that holds no file."""
    folder = tmp_path_factory.mktemp("repository")
    git = ("git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@t")
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "the base"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return folder / ".git" / "objects", head.stdout.strip()


@pytest.fixture
def role() -> Callable[..., Role]:
    def make(**given: Any) -> Role:
        facts = {
            "name": "builder",
            "role": "Builder",
            "goal": "build",
            "backstory": "builds",
            "archetype": "pattern",
            "tools": ("*",),
            "may_write": ("**",),
        }
        return Role(**(facts | given))

    return make


@pytest.fixture
def make_agent(
    tmp_path: Path,
    sandbox: Sandbox,
    role: Callable[..., Role],
    repository: tuple[Path, str],
) -> Callable[..., Agent]:
    def make(
        *,
        registry: ToolRegistry | None = None,
        limits: Limits | None = None,
        task: dict[str, Any] | None = None,
        scope: tuple[tuple[str, ...], ...] = (("**",),),
        line: ScriptedLine | None = None,
        manager: bool = False,
        tools: tuple[str, ...] = ("*",),
        **facts: Any,
    ) -> Agent:
        objects, base = repository
        workspace = Workspace.create(tmp_path / "ws", (objects,), base, sandbox)
        limits = limits or Limits()
        about = {"id": "1.1", "title": "t", "agent": "builder"}
        about |= {"description": "d", "expected_output": "e"}
        assignment = Assignment(
            run="r1",
            kind="task",
            subject="1.1",
            task=Task(**(about | (task or {}))),
            attempt=1,
            role=role(manager=manager, tools=tools),
            model=ModelSettings(),
            limits=limits,
            sandbox=SandboxSettings(),
            scope=scope,
            workspace=WorkspacePlace(root=tmp_path / "ws", objects=(objects,), base=base),
            journal=tmp_path / "journal.jsonl",
            home=tmp_path,
            socket=tmp_path / "socket",
            deadline_s=60,
            **facts,
        )
        line = line or ScriptedLine()
        outputs = Outputs(tmp_path / "outputs", limits.output_kb)
        context = ToolContext(assignment, workspace, sandbox, line, outputs)
        return Agent(
            registry or ToolRegistry.default(), context, workspace.tree_dir, workspace, line
        )

    return make


@pytest.fixture
def agent(make_agent: Callable[..., Agent]) -> Agent:
    return make_agent()

"""An agent's end of the tools: a real tree, a real sandbox, and a line that answers as told."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
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
from wavecrew.sandbox.bubblewrap import Bubblewrap
from wavecrew.sandbox.model import TREE, Caps, Command, Mount, Sandbox
from wavecrew.sandbox.toolchain import toolchain


@dataclass
class PlainWorkspace:
    """A folder as a workspace, with git on the host: these trees are the tests' own."""

    tree_dir: Path
    git_dir: Path

    def command(self, shell: str, caps: Caps, env: Mapping[str, str] | None = None) -> Command:
        mounts = (Mount(self.tree_dir, TREE, writable=True),)
        return Command(("sh", "-c", shell), mounts, env=env or {}, caps=caps)

    def snapshot(self) -> str:
        self._git("add", "-A")
        return self._git("write-tree").strip()

    def pack(self, tree: str) -> Path:
        objects = self._git("rev-list", "--objects", tree)
        name = self._git("pack-objects", str(self.git_dir / "out"), stdin=objects).strip()
        return self.git_dir / f"out-{name}.pack"

    def status(self) -> str:
        return self._git("status", "--short")

    def diff(self, path: str = "") -> str:
        return self._git("diff", "HEAD", "--", path or ".")

    def log(self, count: int) -> str:
        return self._git("log", "--oneline", f"-{count}")

    def commit(self) -> None:
        self._git("add", "-A")
        self._git("-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", "base")

    def _git(self, *args: str, stdin: str = "") -> str:
        where = ("git", f"--git-dir={self.git_dir}", f"--work-tree={self.tree_dir}")
        return subprocess.run(
            [*where, *args], input=stdin, text=True, check=True, capture_output=True
        ).stdout


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
    workspace: PlainWorkspace
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
    return Bubblewrap(toolchain(SandboxSettings()))


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
def make_agent(tmp_path: Path, sandbox: Sandbox, role: Callable[..., Role]) -> Callable[..., Agent]:
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
        tree, git_dir = tmp_path / "ws" / "tree", tmp_path / "ws" / "git"
        tree.mkdir(parents=True)
        subprocess.run(["git", "init", "-q", "--bare", str(git_dir)], check=True)
        limits = limits or Limits()
        base = {"id": "1.1", "title": "t", "agent": "builder"}
        base |= {"description": "d", "expected_output": "e"}
        assignment = Assignment(
            run="r1",
            kind="task",
            task=Task(**(base | (task or {}))),
            attempt=1,
            role=role(manager=manager, tools=tools),
            model=ModelSettings(),
            limits=limits,
            sandbox=SandboxSettings(),
            scope=scope,
            workspace=WorkspacePlace(root=tmp_path / "ws", objects=(), base="0" * 40),
            journal=tmp_path / "journal.jsonl",
            home=tmp_path,
            socket=tmp_path / "socket",
            deadline_s=60,
            **facts,
        )
        workspace = PlainWorkspace(tree, git_dir)
        line = line or ScriptedLine()
        outputs = Outputs(tmp_path / "outputs", limits.output_kb)
        context = ToolContext(assignment, workspace, sandbox, line, outputs)
        return Agent(registry or ToolRegistry.default(), context, tree, workspace, line)

    return make


@pytest.fixture
def agent(make_agent: Callable[..., Agent]) -> Agent:
    return make_agent()

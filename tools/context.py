"""What every tool call is given: the assignment, the workspace, the sandbox, the engine's line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

from tools.output import Outputs
from tools.tree import Tree
from wavecrew.errors import EnvironmentBroken, ToolError
from wavecrew.run.wire import Assignment, Refused, Reply, Request
from wavecrew.sandbox.model import Caps, Command, Finished, Sandbox

R = TypeVar("R", bound=Reply)


class Cancelled(BaseException):  # named as asyncio names its own
    """The attempt is being ended from outside; no tool and no retry may swallow it."""


class Workspace(Protocol):
    """The attempt's private tree, as tools use it; git runs inside the sandbox."""

    @property
    def tree_dir(self) -> Path: ...

    def command(self, shell: str, caps: Caps, env: Mapping[str, str] = ...) -> Command: ...

    def snapshot(self) -> str:
        """Tree id of everything in the tree."""
        ...

    def pack(self, tree: str) -> Path:
        """A pack of the objects of `tree` that the base does not have."""
        ...

    def status(self) -> str: ...

    def diff(self, path: str = "") -> str: ...

    def log(self, count: int) -> str: ...


class Line(Protocol):
    """The agent's end of the line to the engine."""

    def ask(self, request: Request) -> Reply: ...


@dataclass
class ToolContext:
    """One per attempt, never shared between attempts."""

    assignment: Assignment
    workspace: Workspace
    sandbox: Sandbox
    line: Line
    outputs: Outputs
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Held during a call: one at a time on a workspace."""
    submissions: int = 0
    """How often `submit` was called; a resumed attempt sets it to what its journal says."""
    approve: Callable[[str], bool] | None = None
    """Asks a person at a terminal; None where there is none."""

    @cached_property
    def tree(self) -> Tree:
        return Tree(self.workspace.tree_dir)

    def caps(self, wall_s: float) -> Caps:
        """The assignment's limits with a wall time of at most `limits.command_s`."""
        limits = self.assignment.limits
        return Caps(
            wall_s=min(wall_s, limits.command_s),
            memory_mb=limits.memory_mb,
            processes=limits.processes,
        )

    def run(self, command: Command) -> Finished:
        """Run it in the sandbox; Cancelled when the attempt is ended meanwhile."""
        finished = self.sandbox.run(command)
        if finished.killed_by == "cancel":
            raise Cancelled
        return finished

    def ask(self, request: Request, expected: type[R]) -> R:
        """The engine's answer. ToolError with its reason when it refuses; EnvironmentBroken
        when the engine is gone."""
        try:
            reply = self.line.ask(request)
        except (OSError, ValueError, KeyError) as error:
            raise EnvironmentBroken(f"the engine does not answer: {error}") from error
        if isinstance(reply, Refused):
            raise ToolError(reply.why)
        if not isinstance(reply, expected):
            raise EnvironmentBroken(
                f"the engine answered {type(reply).__name__} to {type(request).__name__}"
            )
        return reply

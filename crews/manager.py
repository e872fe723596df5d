"""What does the manager crew do when a landing is red or a sync point is due?

One conversation of one manager role, with the manager's tools, ended by
`report`; the report goes to the engine over the line, and the engine enforces
the evidence. Why not two roles in a relay: docs/decisions/0003-manager-crew.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from crews.attempt import Attempt
from crews.conversation import hold
from crews.endings import Outcome
from tools.context import ToolContext
from tools.registry import ToolRegistry
from wavecrew.errors import PlanError, SandboxUnavailable, ToolError
from wavecrew.run.wire import Assignment
from wavecrew.sandbox.model import Caps, Command, Finished, Mode


@dataclass(frozen=True)
class NoWorkspace:
    """Stands where a manager's conversation was given no tree; tools that need one say so."""

    tree_dir: Path

    def command(self, shell: str, caps: Caps, env: Mapping[str, str] | None = None) -> Command:
        raise self._absent()

    def snapshot(self) -> str:
        raise self._absent()

    def restore(self, tree: str) -> None:
        raise self._absent()

    def pack(self, tree: str) -> Path:
        raise self._absent()

    def status(self) -> str:
        raise self._absent()

    def diff(self, path: str = "") -> str:
        raise self._absent()

    def log(self, count: int) -> str:
        raise self._absent()

    def _absent(self) -> ToolError:
        return ToolError("there is no working tree here; use branch_diff and run_integration")


class NoSandbox:
    """Goes with `NoWorkspace`: where there is no tree, nothing is run."""

    mode: Mode = "none"

    def run(self, command: Command) -> Finished:
        raise SandboxUnavailable("there is no working tree here to run a command in")

    def cancel_all(self) -> None:
        """Nothing runs."""


def decide(
    assignment: Assignment, attempt: Attempt, context: ToolContext, registry: ToolRegistry
) -> Outcome:
    """A triage or a sync point, to its report. PlanError when the role is no manager."""
    if not assignment.role.manager:
        raise PlanError(
            f"role {assignment.role.name!r} is no manager and cannot hold a {assignment.kind}",
            where=f"agents.yaml, role {assignment.role.name!r}",
            mend="give the role `manager: true` and the manager's tools",
        )
    return hold(assignment, attempt, context, registry)

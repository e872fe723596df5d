"""One piece of work that both sides do: the same words, the same tools, the same results."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.context import ToolContext
from tools.output import Outputs
from tools.registry import ToolRegistry
from tools.spec import ToolSpec, tool
from wavecrew.gates.model import GateReport
from wavecrew.plan.settings import Check, Limits, ModelSettings, SandboxSettings
from wavecrew.run.wire import (
    Assignment,
    DependencyResult,
    Gated,
    Granted,
    Noted,
    Reply,
    Request,
    Reserve,
    Submit,
    WorkspacePlace,
)
from wavecrew.sandbox.model import Caps, Command

FILES = 64
LINE = "    value = compute(value, threshold=0.75)  # keep within the limits of the contract\n"
TASK = {
    "id": "1.1",
    "title": "Service for assets",
    "agent": "writer",
    "description": "Move the asset queries out of the views into a service class with typed "
    "results. Keep the public behaviour. Every method takes the session as its first argument. "
    "Use the base model's conventions for identifiers and timestamps.",
    "expected_output": "discovery/services/asset.py with AssetService, and tests for each method.",
    "done_when": ["python -m pytest -q tests/services"],
    "provides": [{"symbol": "discovery.services.asset.AssetService.find"}],
}
ROLE = {
    "name": "writer",
    "role": "Service layer engineer",
    "goal": "Extract business logic into services that are easy to test",
    "backstory": "You have moved many code bases from fat views to services without breaking "
    "a caller, and you prefer small steps.",
    "archetype": "pattern",
    "skills": ["SQLAlchemy", "typing"],
    "tools": [
        "list_files",
        "read_file",
        "search",
        "write_file",
        "edit_file",
        "apply_patch",
        "move_file",
        "delete_file",
        "run_command",
        "run_checks",
        "git_status",
        "git_diff",
        "read_board",
        "post_note",
        "read_contract",
        "submit",
    ],
    "max_iter": 100,
}


@dataclass(frozen=True)
class Folder:
    """A tree without git: nothing here is about workspaces."""

    tree_dir: Path

    def snapshot(self) -> str:
        return "0" * 40

    def restore(self, tree: str) -> None:
        raise NotImplementedError

    def pack(self, tree: str) -> Path:
        return self.tree_dir / "pack"

    def command(self, shell: str, caps: Caps, env: Mapping[str, str] | None = None) -> Command:
        raise NotImplementedError

    def status(self) -> str:
        return ""

    def diff(self, path: str = "") -> str:
        return ""

    def log(self, count: int) -> str:
        return ""


class Agreeable:
    """An engine that grants, accepts and notes everything."""

    def ask(self, request: Request) -> Reply:
        if isinstance(request, Reserve):
            return Granted(granted=True)
        if isinstance(request, Submit):
            report = GateReport(tree=request.tree, base="b", verdict="pass")
            return Gated(report=report, accepted=True, attempts_left=1)
        return Noted()


@tool()
def look(context: ToolContext, number: int) -> str:
    """Look.

    Args:
        number: Where.
    """
    return f"nothing new at {number}"


def parts(
    folder: Path, base_url: str, file_lines: int = 70, **role: Any
) -> tuple[Assignment, ToolContext, ToolRegistry]:
    """The assignment, its context and its registry; `folder` gets files of `file_lines` lines."""
    source = folder / "src"
    source.mkdir()
    for number in range(FILES):
        (source / f"m{number}.py").write_text(f"# module {number}\n" + LINE * file_lines)
    assignment = Assignment.model_validate(
        {
            "run": "bench",
            "kind": "task",
            "subject": "1.1",
            "task": TASK,
            "attempt": 1,
            "role": ROLE | role,
            "model": ModelSettings(name="gpt-4o-mini", base_url=base_url),
            "limits": Limits(),
            "sandbox": SandboxSettings(),
            "checks": [Check(name="unit", run="python -m pytest -q", kind="pytest")],
            "scope": [["discovery/**", "tests/**"]],
            "dependencies": [
                DependencyResult(
                    id="1.0",
                    title="Base model",
                    summary="Base, its mixins and the session factory stand in base.py.",
                    commit="c",
                    changed=("discovery/models/base.py", "tests/models/test_base.py"),
                )
            ],
            "workspace": WorkspacePlace(root=folder, objects=(), base="b"),
            "journal": folder / "journal.jsonl",
            "home": folder / "home",
            "socket": folder / "socket",
            "deadline_s": 600,
        }
    )
    context = ToolContext(
        assignment=assignment,
        workspace=Folder(folder),
        sandbox=None,  # type: ignore[arg-type]
        line=Agreeable(),
        outputs=Outputs(folder / "outputs", assignment.limits.output_kb),
        lock=threading.RLock(),
    )
    registry = ToolRegistry.default()
    registry.register(look)
    return assignment, context, registry


def description(assignment: Assignment) -> str:
    """What a person would write into `Task(description=...)`: all that the agent must know."""
    from crews.assignment import first_message

    text = first_message(assignment).partition("\n\n")[2]
    return text.replace(f"\n\nExpected output: {assignment.task.expected_output}", "")


def as_plain(spec: ToolSpec, registry: ToolRegistry, context: ToolContext) -> Any:
    """The tool as a stock CrewAI tool with the same name, words and arguments."""
    from crewai.tools import BaseTool

    class Plain(BaseTool):
        def _run(self, **arguments: Any) -> str:
            return registry.call(spec.name, arguments, context).text

    return Plain(name=spec.name, description=spec.description, args_schema=spec.args_model)

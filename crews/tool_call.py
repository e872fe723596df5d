"""What does one tool call come to, as the journal keeps it?

The same for an agent at work and for a replay; nothing here knows CrewAI.
"""

from __future__ import annotations

from pydantic import ConfigDict

from tools.context import ToolContext
from tools.registry import ToolRegistry
from wavecrew.errors import ToolError
from wavecrew.plan.model import Record


class ToolReply(Record):
    """A tool's answer as the journal keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)

    text: str
    ok: bool
    ended: bool = False
    mutated: bool = False
    snapshot: str = ""
    """Tree id after a call that changed the tree."""
    submissions: int = 0
    """How often `submit` was called up to here; a resumed attempt goes on from it."""
    last: bool = False
    """True when the engine takes no further submission."""


def carry_out(registry: ToolRegistry, context: ToolContext, name: str, arguments: str) -> ToolReply:
    """Make the call and record the tree it leaves; what went wrong is in the reply's text."""
    result = registry.call(name, arguments, context)
    text, snapshot = result.text, ""
    if result.mutated:
        try:
            snapshot = context.workspace.snapshot()
        except ToolError as error:  # such as a repository inside the tree: the agent's to mend
            text = f"{text}\nThe tree cannot be recorded as it stands: {error}"
    return ToolReply(
        text=text,
        ok=result.ok,
        ended=result.ended,
        mutated=result.mutated,
        snapshot=snapshot,
        submissions=context.submissions,
    )

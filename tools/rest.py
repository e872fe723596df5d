"""The rest of a result that was too long to show at once."""

from __future__ import annotations

from tools.context import ToolContext
from tools.spec import tool


@tool()
def read_output(context: ToolContext, name: str, start: int = 1, end: int = 0) -> str:
    """Read the part of an earlier, cut output that was left out.

    Args:
        name: The output's name, as the line that says what was left out gives it.
        start: First line to show, 1-based.
        end: Last line to show; 0 shows as many as fit.
    """
    return context.outputs.read(name, start, end)

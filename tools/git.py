"""What changed in the workspace, as git sees it; git runs inside the sandbox."""

from __future__ import annotations

from tools.context import ToolContext
from tools.spec import TreePath, tool
from wavecrew.errors import ToolError

_MOST = 200


@tool()
def git_status(context: ToolContext) -> str:
    """Show which files differ from the commit this task was cut from."""
    return context.workspace.status() or "nothing has changed"


@tool()
def git_diff(context: ToolContext, path: TreePath = "") -> str:
    """Show what changed since the commit this task was cut from, as a unified diff.

    Args:
        path: A file or folder; empty shows everything.
    """
    return context.workspace.diff("" if path == "." else path) or "no difference"


@tool()
def git_log(context: ToolContext, count: int = 10) -> str:
    """Show the latest commits before this task's work.

    Args:
        count: How many, at most 200.
    """
    if not 1 <= count <= _MOST:
        raise ToolError(f"count must be 1 to {_MOST}, not {count}")
    return context.workspace.log(count) or "no commits"

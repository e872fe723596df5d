"""Commands of the agent, in the sandbox. Not filtered: the sandbox is the boundary."""

from __future__ import annotations

from tools.context import ToolContext
from tools.output import plain
from tools.spec import tool
from wavecrew.errors import ToolError
from wavecrew.sandbox.model import Finished


@tool(mutates=True)
def run_command(context: ToolContext, command: str, timeout_s: float = 120) -> str:
    """Run a shell command at the root of the tree and read its exit code and output.

    It has no network and no terminal, and everything it started is ended with it.

    Args:
        command: What `sh -c` runs.
        timeout_s: Seconds after which it is ended.
    """
    if not command.strip():
        raise ToolError("the command is empty")
    if "\0" in command:
        raise ToolError("the command has a NUL character")
    if timeout_s <= 0:
        raise ToolError(f"timeout_s must be more than 0, not {timeout_s:g}")
    caps = context.caps(timeout_s)
    finished = context.run(context.workspace.command(command, caps, {}))
    return f"{ending(finished, caps.wall_s)}\n{shown(finished)}"


def ending(finished: Finished, wall_s: float) -> str:
    """One line: how it ended, after how long."""
    reasons = {
        "time": f"killed: it ran longer than {wall_s:g} s",
        "output": "killed: it printed too much",
        "memory": "killed: it used too much memory",
    }
    how = reasons.get(finished.killed_by, f"exit code {finished.exit_code}")
    return f"{how} ({finished.duration_s:.1f} s)"


def shown(finished: Finished) -> str:
    """What it printed, as plain text."""
    text = plain(finished.stdout.decode(errors="replace")).rstrip("\n")
    if finished.omitted_bytes:
        text += f"\n[{finished.omitted_bytes} bytes in the middle were not kept]"
    return text or "(no output)"

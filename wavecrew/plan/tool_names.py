"""Which tool names may an agents.yaml use?

The names alone, so that a plan can be checked without loading the tools: a
folder with a foreign `tools` package must never be imported for it. The tools'
own tests hold this list against the registry.
"""

from __future__ import annotations

from collections.abc import Iterable

SPECIALIST_TOOLS = (
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
    "git_log",
    "read_output",
    "read_contract",
    "read_board",
    "post_note",
    "submit",
)
MANAGER_TOOLS = ("run_integration", "branch_diff", "report")
SPECIALIST_ENDS = ("submit",)
"""What only a specialist has, because it ends a task."""
GROUP = "wavecrew.tools"
"""Entry point group under which other distributions offer tools."""


def known_tools(installed: Iterable[str] = ()) -> tuple[str, ...]:
    """Built-in names, then `installed`: the names of entry points in `GROUP`."""
    return tuple(dict.fromkeys((*SPECIALIST_TOOLS, *MANAGER_TOOLS, *installed)))

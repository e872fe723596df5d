"""Texts about a run for those at work in it: the shared task list and scratchpad."""

from __future__ import annotations

from wavecrew.journal.state import RunState

NOTES_SHOWN = 40


def board_text(state: RunState) -> str:
    """What `read_board` shows an agent: every task with its state, then the newest notes."""
    lines = ["Task list:"]
    for task in state.tasks.values():
        needs = f" (after {', '.join(task.depends_on)})" if task.depends_on else ""
        lines.append(f"- {task.id} {task.title} [{task.role}]: {task.status}{needs}")
    for sync in state.syncs.values():
        lines.append(f"- sync point {sync.id} {sync.title}: {sync.status}")
    lines.append("Scratchpad:")
    lines += [f"- {task}: {text}" for task, text in state.notes[-NOTES_SHOWN:]] or ["- empty"]
    return "\n".join(lines)

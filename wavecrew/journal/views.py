"""Texts about a run for those at work in it: the shared task list and scratchpad."""

from __future__ import annotations

from wavecrew.journal.state import RunState
from wavecrew.journal.tasks import Collision

NOTES_SHOWN = 40


def collision_text(collision: Collision) -> str:
    """`1.3 and 1.4 collide: raw.py`; or with what has landed already."""
    if not collision.one:
        return f"{collision.other} collides with what has landed: {collision.where}"
    return f"{collision.one} and {collision.other} collide: {collision.where}"


def board_text(state: RunState) -> str:
    """What `read_board` shows an agent: every task with its state, then the newest notes."""
    lines = ["Task list:"]
    for task in state.tasks.values():
        needs = f" (after {', '.join(task.depends_on)})" if task.depends_on else ""
        lines.append(f"- {task.id} {task.title} [{task.role}]: {task.status}{needs}")
    if state.collisions:
        lines.append("Foreseen collisions; whoever lands second is sent back, so agree early:")
        lines += [f"- {collision_text(one)}" for one in state.collisions]
    for sync in state.syncs.values():
        lines.append(f"- sync point {sync.id} {sync.title}: {sync.status}")
    lines.append("Scratchpad:")
    lines += [f"- {task}: {text}" for task, text in state.notes[-NOTES_SHOWN:]] or ["- empty"]
    return "\n".join(lines)

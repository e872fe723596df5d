"""What agents share: the task list, a scratchpad, and the contracts of merged tasks."""

from __future__ import annotations

from zlib import crc32

from tools.context import ToolContext
from tools.spec import tool
from wavecrew.errors import ToolError
from wavecrew.run.wire import BoardNote, BoardRead, BoardText, ContractRead, Noted

_LONGEST = 2000


@tool()
def read_board(context: ToolContext) -> str:
    """Read the run's shared board: every task with its state, and the notes of other agents."""
    return context.ask(BoardRead(), BoardText).text


@tool()
def post_note(context: ToolContext, text: str) -> str:
    """Leave a note on the shared board, for what other agents must know of your work.

    Args:
        text: The note; a few sentences at most.
    """
    note = text.strip()
    if not note or len(note) > _LONGEST:
        raise ToolError(f"a note has 1 to {_LONGEST} characters; this one has {len(note)}")
    # Numbered by what it says: a call repeated after a crash posts no second note.
    context.ask(BoardNote(note=crc32(note.encode()), text=note), Noted)
    return "posted"


@tool()
def read_contract(context: ToolContext, task: str) -> str:
    """Read what another, merged task provides: its symbols with their signatures, and where.

    Args:
        task: The task's id, such as 1.2.
    """
    return context.ask(ContractRead(task=task), BoardText).text

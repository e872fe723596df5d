"""What does a checkbox say about a task?"""

from __future__ import annotations

import re

from wavecrew.plan.readers.notes import Notes

BOX_HEADING = re.compile(r"(?:[-*+]\s+)?(?P<rest>\[.\].*)")
"""A heading that is a checkbox, `### - [x] 1. Title`."""

_DONE = frozenset("xX")
_OPEN = frozenset(" -~")
_TICKED = frozenset("✓✔✅☑")
_DECORATION = re.compile(r"\s*(?:✅|✔️?|☑️?|✓)\s*$")


def box_state(char: str, id_: str, line: int, notes: Notes) -> bool:
    """True for done. ` ` is open, `-` in progress, `~` queued; anything else is reported."""
    if char in _DONE or char in _OPEN:
        return char in _DONE
    taken = "done" if char in _TICKED else "not done"
    notes.add("unknown_status", line, f"the box of {id_} holds {char!r}; taken as {taken}", id_)
    return char in _TICKED


def plain_title(title: str, opened: bool = False) -> str:
    """Without the stars of bold around all of it and without ticks behind it.

    `opened`: the bold began before the title, as in `**1. Title**`.
    """
    title = _DECORATION.sub("", title.strip()) or title.strip()
    if opened and title.count("**") % 2:
        title = title.replace("**", "", 1)
    elif title.startswith("**") and title.endswith("**") and title.count("**") == 2:
        title = title[2:-2]
    return title.strip()

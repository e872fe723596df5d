"""What does a line of a checklist say: box, title, and how much of it is looked at?"""

from __future__ import annotations

import re

from wavecrew.plan.readers.notes import Notes
from wavecrew.plan.readers.source import SourceFile

LONGEST_LINE = 4_000
"""No task is told in a longer line; what is behind is left out."""

BOX_HEADING = re.compile(r"(?:[-*+]\s+)?(?P<rest>\[.\].*)")
"""A heading that is a checkbox, `### - [x] 1. Title`."""

_DONE = frozenset("xX")
_OPEN = frozenset(" -~")
_TICKED = frozenset("✓✔✅☑")
_DECORATION = re.compile(r"(?<!\s)\s*(?:✅|✔️?|☑️?|✓)\s*$")
FRONT_LINES = 400
"""More front matter than this is no front matter of a task."""


def readable(file: SourceFile, notes: Notes, shown: str | None = None) -> str:
    """The file's text with endless lines cut off, which is reported."""
    if len(file.text) <= LONGEST_LINE:
        return file.text
    long = [at for at, line in enumerate(file.lines, 1) if len(line) > LONGEST_LINE]
    if not long:
        return file.text
    message = f"{len(long)} lines are longer than {LONGEST_LINE} letters; the rest is left out"
    notes.add("long_line", long[0], message, file=shown)
    return "\n".join(line[:LONGEST_LINE] for line in file.lines)


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

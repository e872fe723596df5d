"""What does a tree drawn with box characters say: headers, leaves, and who is below whom?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from wavecrew.plan.readers.markdown import Line

_LEAD = re.compile(
    r"^(?P<lead>[\s│|┃]*)(?P<branch>(?:[├└┣┗╰╠╚+`][─━═\-]*[>►▶→]?|\|--)\s*)?(?P<text>.*)$"
)
_JOINS = re.compile(r"[┐┘┌┬┴┤┼╮╯╭▼▲↓↑]")


class Drawn(NamedTuple):
    depth: int
    """Columns before the text; only comparisons within one drawing mean something."""
    is_branch: bool
    """Drawn as a child (`├──`, `└──`)."""
    is_last: bool
    """Drawn as the last child (`└──`)."""
    text: str
    line: int


def read_drawing(lines: Iterable[Line]) -> tuple[Drawn, ...]:
    """Every line with text, blank ones and mere connecting lines left out."""
    drawn = []
    for number, text in lines:
        hit = _LEAD.match(text.rstrip())
        if hit is None or not hit["text"].strip():
            continue
        branch = hit["branch"] or ""
        drawn.append(
            Drawn(
                len(hit["lead"]) + (1 if branch else 0),
                bool(branch),
                branch[:1] in ("└", "┗", "╰", "╚", "`"),
                hit["text"].strip(),
                number,
            )
        )
    return tuple(drawn)


def has_joins(lines: Iterable[Line]) -> bool:
    """Whether lines meet in it: a graph drawn by hand, which no one can read for sure."""
    return any(_JOINS.search(line.text) for line in lines)

"""A text file as pieces that can be merged without being written anew.

A piece is an entry of a list, a key with its value, a section: the lines that
lead to it, its own first lines, and the pieces inside. Joined they are the file,
byte for byte, so whatever a merge does not touch stays as its author wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

from wavecrew.workspace.drivers.entries import Clash, merge_items, merge_one

MOST_LINES = 40_000
DEEPEST = 40
"""Pieces inside pieces; beyond that a file is left alone."""


@dataclass(frozen=True, slots=True)
class Piece:
    head: str
    """The text itself, or what stands before the pieces inside."""
    name: Hashable | None = None
    """What it is known by, whatever it says; None when only what it says tells it from others."""
    said: Hashable = None
    """What it means, however it is written; of a piece without pieces."""
    lead: str = ""
    """Blank lines and comments above it."""
    items: tuple[Piece, ...] | None = None
    joint: str = ""
    """What stands between two items."""
    tail: str = ""

    @property
    def text(self) -> str:
        inner = self.joint.join(item.text for item in self.items or ())
        return f"{self.lead}{self.head}{inner}{self.tail}"

    @property
    def meaning(self) -> Hashable:
        """Equal for two pieces that say the same, names and order included."""
        if self.items is None:
            return self.name, self.said
        return self.name, tuple(item.meaning for item in self.items)


def merge_pieces(
    base: Piece | None, ours: Piece, theirs: Piece, *, joins_new: bool = False
) -> Piece:
    """joins_new: two pieces that both sides made under one name are joined, not a clash."""
    if base is None:
        if ours.meaning == theirs.meaning and ours.lead.strip() == theirs.lead.strip():
            return ours
        if not joins_new or ours.items is None or theirs.items is None:
            raise Clash("", ours.text.strip(), theirs.text.strip())
        base = _empty(ours)

    def both(old: Piece | None, one: Piece, other: Piece) -> Piece:
        return merge_pieces(old, one, other, joins_new=joins_new)

    parts = {
        part: merge_one(getattr(base, part), getattr(ours, part), getattr(theirs, part))
        for part in ("lead", "tail")
    }
    if ours.items is None or theirs.items is None or base.items is None:
        bodies = [(side.head, side.items) for side in (base, ours, theirs)]
        if bodies[1] in (bodies[0], bodies[2]):
            return replace(theirs, **parts)
        if bodies[2] == bodies[0]:
            return replace(ours, **parts)
        raise Clash("", ours.text.strip(), theirs.text.strip())
    if ours.joint != theirs.joint:
        raise Clash("how the list is written", ours.text.strip(), theirs.text.strip())
    items = merge_items(
        base.items,
        ours.items,
        theirs.items,
        name=lambda piece: piece.name,
        content=lambda piece: piece.meaning if piece.said is None else piece.said,
        both=both,
    )
    head = merge_one(base.head, ours.head, theirs.head)
    return replace(ours, head=head, items=tuple(items), **parts)


Parse = Callable[[str], Piece | None]
"""A whole text with its last line ended -> its piece; None when it is not understood."""


def merge_files(
    base: bytes, ours: bytes, theirs: bytes, parse: Parse, *, joins_new: bool = False
) -> bytes | None:
    """Three files; None unless the result, read again, means what the merged pieces mean."""
    try:
        texts = [side.decode("utf-8") for side in (base, ours, theirs)]
    except UnicodeDecodeError:
        return None
    if max(text.count("\n") for text in texts) > MOST_LINES:
        return None
    ending = "\r\n" if "\r\n" in texts[1] else "\n"
    old, one, other = (parse(_ended(text, ending)) for text in texts)
    if one is None or other is None or (old is None and base):
        return None
    merged = merge_pieces(old or _empty(one), one, other, joins_new=joins_new)
    text = merged.text
    again = parse(text)
    if again is None or again.meaning != merged.meaning:
        return None
    if merge_one(*(side.endswith("\n") for side in texts)):
        return text.encode()
    return text.removesuffix(ending).encode()


def lines_of(text: str) -> list[str]:
    """The lines with their breaks; other signs that Python takes for breaks are none here."""
    return [line for line in re.split(r"(?<=\n)", text) if line]


def _empty(piece: Piece) -> Piece:
    """Where a piece was made: nothing of it is there yet."""
    return Piece("", piece.name, items=(), joint=piece.joint)


def _ended(text: str, ending: str) -> str:
    return text if text.endswith("\n") or not text else text + ending

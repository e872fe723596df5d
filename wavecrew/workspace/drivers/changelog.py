"""Branches that each add their line to the changelog: all lines, ours first.

Markdown, reStructuredText and plain text alike: headings make sections, and
inside a section bullets and paragraphs are the entries. An entry that both
sides changed, or one changed and the other removed, stays a conflict.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from wavecrew.workspace.drivers.files import FileDriver
from wavecrew.workspace.drivers.pieces import DEEPEST, Piece, lines_of, merge_files

LARGEST_CHANGELOG = 2_000_000
_NAME = re.compile(r"(CHANGELOG|CHANGES|HISTORY|NEWS)[\w.-]*\Z", re.IGNORECASE)
_ENDINGS = ("", ".md", ".rst", ".txt", ".markdown")
_HASHES = re.compile(r"(#{1,6})[ \t]+(.*)")
_RULE = re.compile(r"([=\-~^\"'`*+#:._])\1{2,}\s*\Z")
_BULLET = re.compile(r"([ \t]*)(?:[-*+•]|\d{1,9}[.)])(?:[ \t]|$)")
_FENCE = re.compile(r"[ \t]*(```|~~~)")


def is_changelog(path: str) -> bool:
    name = posixpath.basename(path)
    return bool(_NAME.match(name)) and posixpath.splitext(name)[1].lower() in _ENDINGS


def merge_changelogs(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """The union of what both sides added, section by section."""
    return merge_files(base, ours, theirs, parse, joins_new=True)


@dataclass(slots=True)
class _Section:
    level: int
    piece: Piece
    items: list[Piece] = field(default_factory=list)


def parse(text: str) -> Piece | None:
    """Sections inside sections with their entries."""
    stack = [_Section(-1, Piece("", name="all"))]
    for level, piece in _blocks(lines_of(text)):
        if level is None:
            stack[-1].items.append(piece)
            continue
        while stack[-1].level >= level:
            _close(stack)
        if len(stack) > DEEPEST:
            return None
        stack.append(_Section(level, piece))
    while len(stack) > 1:
        _close(stack)
    return replace(stack[0].piece, items=tuple(stack[0].items))


def _close(stack: list[_Section]) -> None:
    section = stack.pop()
    stack[-1].items.append(replace(section.piece, items=tuple(section.items)))


def _blocks(lines: list[str]) -> Iterator[tuple[int | None, Piece]]:
    """(level of a heading, None for an entry; the piece) of each block."""
    at, lead, rules = 0, "", list[str]()
    while at < len(lines):
        if not lines[at].strip():
            lead += lines[at]
            at += 1
            continue
        level, title, end = _heading(lines, at, rules)
        if level is None:
            end = _entry_end(lines, at, rules)
            text = "".join(lines[at:end])
            yield None, Piece(text, said=" ".join(text.split()), lead=lead)
        else:
            while end < len(lines) and not lines[end].strip():
                end += 1
            yield level, Piece("".join(lines[at:end]), name=title, lead=lead)
        at, lead = end, ""
    if lead:
        yield None, Piece(lead, said="")


def _heading(lines: list[str], at: int, rules: list[str]) -> tuple[int | None, str, int]:
    """(level, title, line behind it); level None when no heading starts here.

    `rules`: the underlines seen so far; their order is that of the levels.
    """
    if hashes := _HASHES.match(lines[at]):
        return len(hashes[1]), hashes[2].strip(), at + 1
    first, second, third = (
        (lines[n] if n < len(lines) else "").rstrip() for n in range(at, at + 3)
    )
    over = _RULE.match(first)
    if over and second and third == first:
        return _level(rules, over[1] * 2), second.strip(), at + 3
    under = _RULE.match(second)
    if under and not over and not first[0].isspace() and not _BULLET.match(first):
        return _level(rules, under[1]), first.strip(), at + 2
    return None, "", at


def _level(rules: list[str], rule: str) -> int:
    if rule not in rules:
        rules.append(rule)
    return 10 + rules.index(rule)


def _entry_end(lines: list[str], at: int, rules: list[str]) -> int:
    """Line behind a bullet with all that belongs to it, or behind a paragraph."""
    bullet = _BULLET.match(lines[at])
    depth = len(bullet[1]) if bullet else -1
    end = _fence_end(lines, at)
    while end < len(lines):
        line = lines[end]
        if not line.strip():
            after = next((n for n in range(end, len(lines)) if lines[n].strip()), len(lines))
            if bullet is None or after == len(lines) or _indent(lines[after]) <= depth:
                return end
            end = after
            continue
        inner = _BULLET.match(line)
        if inner and (bullet is None or len(inner[1]) <= depth):
            return end
        if _heading(lines, end, list(rules))[0] is not None and _indent(line) == 0:
            return end
        end = _fence_end(lines, end)
    return end


def _fence_end(lines: list[str], at: int) -> int:
    """Line behind `at`, or behind the block of code that starts there."""
    if not (fence := _FENCE.match(lines[at])):
        return at + 1
    closing = (n + 1 for n in range(at + 1, len(lines)) if lines[n].strip() == fence[1])
    return next(closing, len(lines))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


CHANGELOG = FileDriver("changelog", is_changelog, merge_changelogs, LARGEST_CHANGELOG)

"""Replacing an exact piece of text in a file, or saying where it nearly stands."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from tools.context import ToolContext
from tools.files import encoded
from tools.spec import TreePath, tool
from tools.text import as_text, is_crlf, to_crlf, to_lf
from wavecrew.errors import ToolError

_GUTTER = re.compile(r"^\d+\|")
_MOST_LINES = 20_000
_NEAR = 0.6


@tool(mutates=True)
def edit_file(context: ToolContext, path: TreePath, old: str, new: str, count: int = 1) -> str:
    """Replace exact text in a file. It must occur exactly `count` times, or nothing is changed.

    Args:
        path: The file, relative to the tree's root.
        old: The text as it stands in the file, indentation included, line numbers left out.
        new: What stands there instead; empty deletes it.
        count: How many occurrences there are; all of them are replaced.
    """
    text = as_text(path, context.tree.read(path).data)
    context.tree.write(path, encoded(replaced(path, text, old, new, count)))
    return f"edited {path} ({count} {'place' if count == 1 else 'places'})"


def replaced(path: str, text: str, old: str, new: str, count: int) -> str:
    """The text after the edit, its line ends kept. ToolError when it cannot be made as said."""
    if is_crlf(text):
        return to_crlf(replaced(path, to_lf(text), to_lf(old), to_lf(new), count))
    if not old:
        raise ToolError("old is empty; write_file replaces a whole file")
    if old == new:
        raise ToolError("old and new are the same; nothing would change")
    if count < 1:
        raise ToolError(f"count must be at least 1, not {count}")
    found = text.count(old)
    if found == 0:
        raise ToolError(f"{path!r} does not have this text{_why_missing(text, old)}")
    if found != count:
        raise ToolError(
            f"{path!r} has this text {found} times, not {count} (at lines "
            f"{_places(text, old)}); add lines around it to name one place, or say count={found}"
        )
    return text.replace(old, new)


def _places(text: str, old: str) -> str:
    numbers: list[str] = []
    at = text.find(old)
    while at >= 0 and len(numbers) < 20:
        numbers.append(str(text.count("\n", 0, at) + 1))
        at = text.find(old, at + len(old))
    return ", ".join(numbers)


def _why_missing(text: str, old: str) -> str:
    wanted = old.strip("\n").split("\n")
    if all(_GUTTER.match(line) for line in wanted):
        return "; leave out the line numbers and the '|' that read_file shows"
    lines = text.split("\n")[:_MOST_LINES]
    return nearby(lines, wanted)


def nearby(lines: list[str], wanted: list[str]) -> str:
    """Where `wanted` nearly stands in `lines`, for the end of an error; "" when nowhere."""
    at = _same_but_for_space(lines, wanted)
    if at is not None:
        return "; it differs only in white space from\n" + _numbered(lines, at, len(wanted))
    near = _closest(lines, wanted)
    if not near:
        return "; no line is like it. Read the file first"
    return "; the closest lines are\n" + "\n".join(_numbered(lines, i, 1) for i in near)


def _same_but_for_space(lines: list[str], wanted: list[str]) -> int | None:
    stripped = [" ".join(line.split()) for line in lines]
    target = [" ".join(line.split()) for line in wanted]
    if not any(target):
        return None
    for at in range(len(stripped) - len(target) + 1):
        if stripped[at : at + len(target)] == target:
            return at
    return None


def _closest(lines: list[str], wanted: list[str]) -> list[int]:
    """Indexes of at most three lines most like the first line wanted that says something."""
    telling = next((line.strip() for line in wanted if len(line.strip()) > 3), wanted[0].strip())
    matcher = SequenceMatcher(b=telling[:500])
    scored = []
    for index, line in enumerate(lines):
        matcher.set_seq1(line.strip()[:500])
        if matcher.real_quick_ratio() >= _NEAR and matcher.quick_ratio() >= _NEAR:
            scored.append((matcher.ratio(), -index))
    best = sorted((score for score in scored if score[0] >= _NEAR), reverse=True)[:3]
    return sorted(-index for _, index in best)


def _numbered(lines: list[str], at: int, count: int) -> str:
    return "\n".join(
        f"{at + i + 1}|{line[:300]}" for i, line in enumerate(lines[at : at + count][:30])
    )

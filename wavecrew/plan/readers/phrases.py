"""How is a piece of Markdown text read: emphasis, fields, check marks, file names?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_EMPHASIS = re.compile(r"\*+|(?<!\w)_+(?=\S)|(?<=\S)_+(?!\w)|~~")
_MARKS = "✅✔☑🟢🔴🟡🔵⏳🚧❌✓\ufe0f"
_BULLET = re.compile(r"^\s*(?:[-*+]\s+)?")
_COLON = re.compile(r"[:：]")
_FILE = re.compile(r"`([^`\s]+\.[A-Za-z0-9]{1,8}|[^`\s]+/[^`\s]*)`")


class Field(NamedTuple):
    name: str
    """Casefolded, without emphasis."""
    value: str


def plain(text: str) -> str:
    """Without the marks of emphasis; code spans stay as written."""
    if "*" not in text and "_" not in text and "~" not in text:
        return text.strip()
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") else _EMPHASIS.sub("", p) for p in parts).strip()


def without_marks(text: str) -> str:
    """Without check marks at the end, which people add when they are done."""
    return text.rstrip(_MARKS + " \t") if text.rstrip()[-1:] in _MARKS else text.rstrip()


def folded(text: str) -> str:
    """With single blanks, as every pattern that looks for an ending expects it."""
    return " ".join(text.split())


def field(text: str) -> Field | None:
    """`**Name:** value`, `Name: value` or `- **Name**: value`; None when it is no field."""
    body = text[_BULLET.match(text).end() :]  # type: ignore[union-attr]
    colon = _COLON.search(body, 0, 60)
    if colon is None:
        return None
    name, value = body[: colon.start()], body[colon.end() :]
    if name.count("**") % 2:
        value = value.lstrip().removeprefix("**")
    name = plain(name.strip().removeprefix("**")).strip("*_ ")
    name = name.lstrip("📁🔗⏱️👤🎯🚫📋 ")
    if not name[:1].isalpha() or "`" in name or "|" in name or value.startswith("//"):
        return None
    return Field(" ".join(name.casefold().split()), value.strip())


def fields(text: str) -> Iterator[Field]:
    """The fields of one line, those joined by `|` too."""
    for part in text.split(" | "):
        found = field(part)
        if found is not None:
            yield found


def files_in(text: str) -> tuple[str, ...]:
    """File names in code spans, in order, each once."""
    return tuple(dict.fromkeys(name for name in _FILE.findall(text) if not name.startswith("http")))


def slug(text: str, limit: int = 40) -> str:
    """A stable id for something written without one."""
    words = re.sub(r"[^\w]+", "-", plain(text).casefold().replace("`", "")).strip("-_")
    return words[:limit].strip("-_") or "task"

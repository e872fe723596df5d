"""JSON as npm writes it: read strictly, written back byte for byte, keys in npm's order."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

Table = dict[str, Any]
_INDENT = re.compile(r"\{\r?\n([ \t]+)\"")
_FIRST = ("name", "version", "lockfileVersion", "resolved", "integrity", "requires", "packages")
_MARKS = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"
"""Signs in the order of the Unicode collation that npm sorts by; digits and letters follow."""


@dataclass(frozen=True, slots=True)
class Document:
    value: Table
    indent: str
    newline: str
    ending: str
    """What stands after the closing brace."""

    def written(self, value: Table) -> bytes:
        """Another value in this document's form."""
        text = json.dumps(value, indent=self.indent, ensure_ascii=False) + self.ending
        return text.replace("\n", self.newline).encode()


def read(data: bytes) -> Document | None:
    """None for what is no object, says a key twice, or was not written by npm."""
    try:
        text = data.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
        indent = _INDENT.match(text)
        newline = "\r\n" if "\r\n" in text else "\n"
        ending = "\n" if text.endswith("\n") else ""
        document = Document(value, indent[1] if indent else "  ", newline, ending)
        is_npms = isinstance(value, dict) and document.written(value) == data
    except (ValueError, RecursionError):
        return None
    return document if is_npms else None


def _unique(pairs: list[tuple[str, Any]]) -> Table:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key stands twice")
    return made


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def ordered(sides: tuple[Table, ...], merged: Table) -> Table:
    """A table's keys by name where both sides have them so, else as they were merged."""
    if all(list(side) == sorted(side, key=rank) for side in sides):
        return {key: merged[key] for key in sorted(merged, key=rank)}
    return merged


def in_lock_order(value: Any) -> Any:
    """As npm orders a lock: what it is first, then by name, tables behind the rest."""
    if not isinstance(value, dict):
        return value

    def place(key: str) -> tuple[Any, ...]:
        first = _FIRST.index(key) if key in _FIRST else len(_FIRST)
        return isinstance(value[key], dict), first, rank(key)

    return {key: in_lock_order(value[key]) for key in sorted(value, key=place)}


def rank(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sorts like `localeCompare` in English for the letters that names of packages have."""
    primary = [(_MARKS.index(c), "") if c in _MARKS else (len(_MARKS), c.lower()) for c in name]
    return primary, name.swapcase()

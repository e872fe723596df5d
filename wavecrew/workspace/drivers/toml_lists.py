"""pyproject.toml and its kin: both branches add a dependency, a setting or a table.

Works on the lines, so comments and layout stay. A dependency is known by the
name of its package: two versions of one are a clash, wherever each was added.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from wavecrew.workspace.drivers.files import FileDriver
from wavecrew.workspace.drivers.pieces import Piece, lines_of, merge_files

LARGEST_TOML = 300_000
TALLEST_VALUE = 400
"""Lines of one value."""
MOST_TRIED = 8_000_000
"""Characters read to find where the values of a file end."""
_TABLE = re.compile(r"\s*\[")
_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)[^;]*(;.*)?", re.DOTALL)
_LISTS = re.compile(
    r"(project dependencies|project\.optional-dependencies .*|dependency-groups .*"
    r"|build-system requires|tool\.uv [\w-]*dependencies)\Z"
)
"""Tables and keys whose lists hold requirements of Python packages."""


def is_toml(path: str) -> bool:
    return path.endswith(".toml")


def merge_tomls(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """By table, key and, for lists, by item."""
    made = merge_files(base, ours, theirs, parse)
    return made if made is None or _read(made.decode()) is not None else None


def _read(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def parse(text: str) -> Piece | None:
    """Tables with their keys."""
    if text.startswith("\ufeff") or _read(text) is None:
        return None
    tables = [Piece("", name="", items=())]
    keys: list[list[Piece]] = [[]]
    lines, at, lead, room = lines_of(text), 0, "", MOST_TRIED
    while at < len(lines):
        line = lines[at]
        if not line.strip() or line.lstrip().startswith("#"):
            lead, at = lead + line, at + 1
            continue
        if _TABLE.match(line):
            tables.append(Piece(line, name=line.partition("#")[0].strip(), lead=lead, items=()))
            keys.append([])
            at, lead = at + 1, ""
            continue
        end, tried = _value_end(lines, at, room)
        room -= tried
        if end is None:
            return None
        keys[-1].append(_entry(lines[at:end], lead, str(tables[-1].name).strip("[]")))
        at, lead = end, ""
    items = [
        Piece(table.head, name=table.name, lead=table.lead, items=tuple(held))
        for table, held in zip(tables, keys, strict=True)
    ]
    return Piece("", name="all", items=tuple(items), tail=lead)


def _value_end(lines: list[str], at: int, room: int) -> tuple[int | None, int]:
    """(line behind the value that starts at line `at`, characters read to find it)."""
    text, tried = "", 0
    for end in range(at, min(at + TALLEST_VALUE, len(lines))):
        text += lines[end]
        tried += len(text)
        if tried > room:
            break
        if _read(text) is not None:
            return end + 1, tried
    return None, tried


def _entry(lines: list[str], lead: str, table: str) -> Piece:
    text = "".join(lines)
    key = text.partition("=")[0].strip()
    value = _read(text)
    plain = Piece(text, name=key, said=repr(value), lead=lead)
    listed = value.get(key) if value else None
    if not isinstance(listed, list):
        return plain
    is_requirements = bool(_LISTS.match(f"{table} {key}"))
    split = _short(text) if len(lines) == 1 else _tall(lines)
    if split is None or len(split[1]) != len(listed):
        return plain
    head, items, joint, tail = split
    pieces = []
    for (above, item), said in zip(items, listed, strict=True):
        name = _package(said) if is_requirements else None
        pieces.append(Piece(item, name=name, said=repr(said), lead=above))
    whole = Piece(head, key, lead=lead, items=tuple(pieces), joint=joint, tail=tail)
    return whole if whole.text == plain.text else plain


Split = tuple[str, list[tuple[str, str]], str, str]
"""(head, (lines above, item) of each item, what joins them, tail)."""


def _short(line: str) -> Split | None:
    """A list on one line: `key = ["a", "b"]`."""
    found = re.fullmatch(r"([^\[\"'#]*\[)([^\[\]{}#]*)(\]\s*(?:#.*)?\s*)", line)
    if not found:
        return None
    items = re.findall(r"\"[^\"\\]*\"|'[^']*'|[^\s,\"']+", found[2])
    return (found[1], [("", item) for item in items], ", ", found[3])


def _tall(lines: list[str]) -> Split | None:
    """A list with one item a line, the last one with its comma."""
    opening, *inner, closing = lines
    if not re.fullmatch(r"[^\[#]*\[\s*(#.*)?\s*", opening) or not closing.lstrip().startswith("]"):
        return None
    items: list[tuple[str, str]] = []
    above = ""
    for line in inner:
        if not line.strip() or line.lstrip().startswith("#"):
            above += line
            continue
        one = _read(f"x = [{line.rstrip()}\n]")
        if one is None or len(one["x"]) != 1:
            return None
        items.append((above, line))
        above = ""
    if not items or not _has_comma(items[-1][1]):
        return _joined(opening, items, above + closing)
    return opening, items, "", above + closing


def _has_comma(line: str) -> bool:
    return _read(f"x = [{line.rstrip()}\n 1]") is not None


def _joined(opening: str, items: list[tuple[str, str]], closing: str) -> Split | None:
    """The same without the last comma: each item joins the next by one."""
    ending = "\r\n" if opening.endswith("\r\n") else "\n"
    bare = [(above, line.rstrip().removesuffix(",")) for above, line in items]
    if not items or any("#" in line or above for above, line in bare):
        return None
    return opening, bare, f",{ending}", ending + closing


def _package(said: object) -> str | None:
    """A requirement's package and condition, in one spelling."""
    found = _REQUIREMENT.match(said) if isinstance(said, str) else None
    if not found:
        return None
    condition = "".join((found[2] or "").split())
    return re.sub(r"[-_.]+", "-", found[1]).lower() + condition


TOML = FileDriver("toml", is_toml, merge_tomls, LARGEST_TOML)

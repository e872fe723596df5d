"""What does wavecrew.toml say, and on which line?

`tomllib` judges and reads the file; it keeps no positions, so a scan of the
lines finds them again. The scan only serves messages: a key it cannot find
(an inline table, a quoted key) is told with the line of its table.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from wavecrew.plan.problem import Place, PlanRejected, Problem
from wavecrew.plan.yaml_positions import Document, Keys, decode, read_bytes

_TABLE = re.compile(r"^\s*(\[\[?)\s*([\w.\-\s]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([\w\-]+(?:\s*\.\s*[\w\-]+)*)\s*=\s*(.*)$")
_PLACE_IN_ERROR = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_toml(path: Path) -> Document:
    """Read a TOML file. PlanRejected names the line where it is not TOML."""
    file = str(path)
    text = decode(read_bytes(path), file)
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PlanRejected([_not_toml(error, text, file)]) from None
    places = _places(text, file)
    return Document(file, data, places, places)


def _not_toml(error: Exception, text: str, file: str) -> Problem:
    found = _PLACE_IN_ERROR.search(str(error))
    line = int(found[1]) if found and found[1] else text.rstrip().count("\n") + 1
    column = int(found[2]) if found and found[2] else 1
    what = _PLACE_IN_ERROR.sub("", str(error)).lower() or "nested too deep"
    return Problem("syntax", f"not TOML: {what}", Place(file, line, column))


def _places(text: str, file: str) -> dict[Keys, Place]:
    places: dict[Keys, Place] = {(): Place(file, 1, 1)}
    table: Keys = ()
    arrays: dict[Keys, int] = {}
    closing = ""
    for number, line in enumerate(text.splitlines(), 1):
        if closing:
            closing = "" if closing in line else closing
            continue
        place = Place(file, number, len(line) - len(line.lstrip()) + 1)
        if head := _TABLE.match(line):
            table = _table(head[2], head[1] == "[[", arrays)
            places.setdefault(table[:1], place)
            places[table] = place
        elif pair := _KEY.match(line):
            names = tuple(name.strip() for name in pair[1].split("."))
            places[table + names] = place
            closing = _open_string(pair[2])
    return places


def _table(name: str, is_array: bool, arrays: dict[Keys, int]) -> Keys:
    """The path of a table head; an array of tables counts its members."""
    table: Keys = ()
    parts = [part.strip() for part in name.split(".")]
    for at, part in enumerate(parts):
        table = (*table, part)
        if is_array and at == len(parts) - 1:
            arrays[table] = arrays.get(table, -1) + 1
        if table in arrays:
            table = (*table, arrays[table])
    return table


def _open_string(value: str) -> str:
    """The quotes that end a string over several lines which begins here, or nothing."""
    for quotes in ('"""', "'''"):
        if value.startswith(quotes) and quotes not in value[3:]:
            return quotes
    return ""

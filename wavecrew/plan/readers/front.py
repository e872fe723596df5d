"""What does the front matter of a Markdown file say?

YAML as far as it is YAML. People write values no parser takes (`title: @home:
now`); then every key is read for itself, and what still cannot be read stays
the text it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wavecrew.plan.problem import PlanRejected
from wavecrew.plan.readers.markdown import Line
from wavecrew.plan.readers.notes import Notes
from wavecrew.plan.yaml_positions import parse_yaml

MAX_LINES = 2_000

_KEY = re.compile(r"(?P<key>[A-Za-z_][\w -]*?)\s*:(?:\s+(?P<value>.*))?$")


@dataclass(frozen=True)
class Front:
    """Values by key: str, None, list or dict, as written; numbers stay text."""

    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def text(self, *keys: str) -> str:
        """The first of `keys` that has a text, empty when none has."""
        for key in keys:
            value = self.data.get(key)
            if isinstance(value, str) and value.strip():
                return value.strip()
        return ""

    def items(self, key: str) -> tuple[str, ...]:
        """The members of a list; a single text counts as one member, separated by commas."""
        value = self.data.get(key)
        if isinstance(value, str):
            value = [one.strip() for one in value.strip("[] ").split(",")]
        if not isinstance(value, list):
            return ()
        return tuple(one.strip() for one in value if isinstance(one, str) and one.strip())

    def line(self, key: str) -> int:
        return self.lines.get(key, 0)


def read_front(lines: Sequence[Line], name: str, notes: Notes) -> Front:
    """`lines` is the front matter without its dashes; `name` is the file's, for diagnostics."""
    if len(lines) > MAX_LINES:
        message = f"only the first {MAX_LINES} lines of the front matter are read"
        notes.add("front_matter_too_long", lines[MAX_LINES].number, message, file=name)
        lines = lines[:MAX_LINES]
    if not lines:
        return Front()
    places = {
        found["key"]: line.number for line in reversed(lines) if (found := _KEY.match(line.text))
    }
    try:
        document = parse_yaml("\n".join(line.text for line in lines), name)
    except PlanRejected as rejected:
        return Front(_by_key(lines, name, rejected, notes), places)
    for problem in document.problems:
        line = lines[0].number + problem.place.line - 1
        notes.add(problem.kind, line, problem.message, *problem.ids, file=name)
    return Front(document.data, places)


def _by_key(
    lines: Sequence[Line], name: str, rejected: PlanRejected, notes: Notes
) -> dict[str, Any]:
    problem = rejected.problems[0]
    line = lines[0].number + max(problem.place.line, 1) - 1
    message = f"the front matter is no YAML ({problem.message}); each key is read for itself"
    notes.add("front_matter", line, message, file=name)
    data: dict[str, Any] = {}
    chunk: list[str] = []
    for text in [*(line.text for line in lines), "end:"]:
        if _KEY.match(text) and chunk:
            data.update(_one_key(chunk, name))
            chunk = []
        chunk.append(text)
    return data


def _one_key(chunk: Sequence[str], name: str) -> dict[str, Any]:
    found = _KEY.match(chunk[0])
    if found is None:
        return {}
    try:
        return parse_yaml("\n".join(chunk), name).data
    except PlanRejected:
        return {found["key"]: (found["value"] or "").split(" #")[0].strip()}

"""Which waves does the dependency graph at the end of a Kiro file state?

A JSON block in one of several shapes, or lines of ids with arrows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from wavecrew.plan.json_positions import Array, Number, Object, parse_json
from wavecrew.plan.problem import PlanRejected
from wavecrew.plan.readers.markdown import Document, Fence, Line, Paragraph
from wavecrew.plan.readers.model import Edge
from wavecrew.plan.readers.notes import Notes

_GRAPH = re.compile(r"dependenc|wave|graph", re.IGNORECASE)
_WORTH = re.compile(r'"waves"|→|->|=>|⇒')
_ARROW = re.compile(r"\s*(?:→|-+>|=+>|⇒)\s*")
_IDS = re.compile(r"\[?\s*(?P<ids>\d+(?:\.\d+)*(?:\s*(?:,|&|\+|\|\|?|and)\s*\d+(?:\.\d+)*)*)\s*\]?")
_ID = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True)
class Wave:
    name: str
    tasks: tuple[str, ...]
    line: int
    after: tuple[str, ...] | None = None
    """Names of the waves it waits for, when the block says so."""


def read_waves(text: str, document: Document, notes: Notes) -> tuple[list[Wave], list[Edge]]:
    """(waves in order, edges stated with arrows); both empty without such a block."""
    waves: list[Wave] = []
    edges: list[Edge] = []
    if not _WORTH.search(text):
        return waves, edges
    for visit in document.walk():
        block = visit.block
        under = bool(visit.headings) and bool(_GRAPH.search(visit.headings[-1].text))
        if isinstance(block, Fence) and '"waves"' in "\n".join(one.text for one in block.lines):
            if waves:
                message = "a second block of waves is left out"
                notes.add("second_wave_block", block.line, message)
                continue
            waves = _json_waves(block, notes)
        elif under and isinstance(block, Fence | Paragraph):
            edges += [edge for line in block.lines for edge in _arrows(line)]
    return waves, edges


def _json_waves(block: Fence, notes: Notes) -> list[Wave]:
    first = block.lines[0].number
    try:
        root = parse_json("\n".join(one.text for one in block.lines), "", first)
    except PlanRejected as rejected:
        problem = rejected.problems[0]
        message = f"the block of waves cannot be read: {problem.message}"
        notes.add("bad_wave_block", problem.place.line or first, message)
        return []
    listed = root.get("waves") if isinstance(root, Object) else None
    if not isinstance(listed, Array):
        notes.add("bad_wave_block", first, "the block of waves holds no list of waves")
        return []
    waves = []
    for number, (entry, line) in enumerate(listed.with_lines()):
        wave = _wave(entry, line, number)
        if wave is None:
            notes.add("bad_wave_block", line, f"member {number + 1} of the waves is no wave")
        else:
            waves.append(wave)
    return waves


def _wave(entry: Any, line: int, number: int) -> Wave | None:
    if isinstance(entry, Array):
        return Wave(f"wave {number + 1}", _texts(entry), line)
    if not isinstance(entry, Object) or not isinstance(entry.get("tasks"), Array):
        return None
    label = next((entry[key] for key in ("id", "wave", "number", "name") if key in entry), number)
    after = entry.get("depends_on", entry.get("dependsOn"))
    waits = tuple(map(_name, _texts(after))) if isinstance(after, Array) else None
    return Wave(_name(str(label)), _texts(entry["tasks"]), line, waits)


def _texts(listed: Array) -> tuple[str, ...]:
    """Ids in a list; a member may be an object with an id."""
    plain = [one.get("id") if isinstance(one, Object) else one for one in listed]
    return tuple(str(one).strip() for one in plain if isinstance(one, str | Number))


def _name(label: str) -> str:
    return label if label.lower().startswith("wave") else f"wave {label}"


def _arrows(line: Line) -> Iterator[Edge]:
    """Edges of `1.1, 1.2 → 2`; a line that holds anything else states none."""
    parts = _ARROW.split(line.text.strip().strip("`").lstrip("-* "))
    groups = [_IDS.fullmatch(part.strip()) for part in parts]
    if len(parts) < 2 or not all(groups):
        return
    ids = [_ID.findall(found["ids"]) for found in groups if found]
    for before, after in pairwise(ids):
        yield from (Edge("explicit", one, two, line.number) for one in before for two in after)

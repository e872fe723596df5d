"""Both branches insert keys or items into one YAML file: both stay, ours first.

The document is cut into lines of each key and item (comments above go with
them), so quotes, comments and indentation stay; a key with two values is a
clash. Items of a list that have an id or a name are known by it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import accumulate, pairwise

from wavecrew.workspace.drivers.files import FileDriver
from wavecrew.workspace.drivers.pieces import DEEPEST, Piece, lines_of, merge_files
from wavecrew.workspace.drivers.yaml_nodes import Node, read

LARGEST_YAML = 128_000
_NAMES = ("id", "name", "key", "path", "repo")
"""Keys that tell what an item is, the surest first."""
_DASHES = re.compile(r"[ -]*")


def is_yaml(path: str) -> bool:
    """Lock files are left out: what two of them say together was never resolved."""
    return path.endswith((".yml", ".yaml")) and "lock" not in posixpath.basename(path)


def merge_yamls(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """By key and item at every depth."""
    return merge_files(base, ours, theirs, parse)


def parse(text: str) -> Piece | None:
    """None for what is no single document with keys or items, one to a line."""
    root = read(text)
    if root is None or root.kind not in ("map", "seq"):
        return None
    lines = lines_of(text)
    offsets = list(accumulate(map(len, lines), initial=0))
    whole = _Lines(lines, offsets).collection(root, 0, None, None, 0)
    return whole if whole is not None and whole.text == text else None


@dataclass(frozen=True, slots=True)
class _Lines:
    lines: list[str]
    offsets: list[int]
    """Where each line starts in the text."""

    def collection(
        self, node: Node, begin: int, end: int | None, name: Hashable | None, depth: int
    ) -> Piece | None:
        """Lines `begin` to `end` around `node`'s entries; None when they cannot be cut."""
        if depth > DEEPEST:
            return None
        if node.is_flow:
            return self._flow(node, begin, end, name)
        is_map, entries = node.kind == "map", node.pairs
        column = entries[0][0].column if is_map else node.column
        starts = [key.line if is_map else self._dash(key, column) for key, _ in entries]
        if not self._is_cuttable(node, starts, column, begin):
            return None
        names = [_said_key(key) if is_map else _item_name(key) for key, _ in entries]
        told = [one for one in names if one is not None]
        if len(set(told)) < len(told) and is_map:
            return None
        leads = [self._lead(starts[0], begin, column)]
        leads += [self._lead(s, before + 1, column) for before, s in pairwise(starts)]
        ends = [*leads[1:], end if end is not None else len(self.lines)]
        items = [
            self._entry(value, (lead, start, stop), one, depth)
            for (_, value), lead, start, stop, one in zip(
                entries, leads, starts, ends, names, strict=True
            )
        ]
        return Piece(self._join(begin, leads[0]), name, items=tuple(items))

    def _entry(
        self, value: Node, place: tuple[int, int, int], name: Hashable | None, depth: int
    ) -> Piece:
        above, start, end = place
        lead = self._join(above, start)
        inner = None
        if value.kind in ("map", "seq") and value.children:
            begin = start if value.line == start or value.is_flow else start + 1
            inner = self.collection(value, start if value.is_flow else begin, end, name, depth + 1)
            if inner is not None and begin > start and not value.is_flow:
                inner = Piece(self._join(start, begin) + inner.head, name, items=inner.items)
        elif value.kind in ("map", "seq"):
            inner = Piece(self._join(start, end), name, items=())
        if inner is None:
            return Piece(self._join(start, end), name, said=value.meaning, lead=lead)
        return Piece(inner.head, name, None, lead, inner.items, inner.joint, inner.tail)

    def _flow(self, node: Node, begin: int, end: int | None, name: Hashable | None) -> Piece | None:
        """A list on one line, `[a, b]`, written without surprises."""
        whole = self._join(begin, len(self.lines) if end is None else end)
        offset = self.offsets[begin]
        if node.kind == "map" or not node.children or not node.is_plain:
            return None
        spans = [(child.start - offset, child.end - offset) for child in node.children]
        items = [
            Piece(whole[start:stop], said=child.meaning)
            for child, (start, stop) in zip(node.children, spans, strict=True)
        ]
        piece = Piece(
            whole[: spans[0][0]],
            name,
            items=tuple(items),
            joint=", ",
            tail=whole[spans[-1][1] :],
        )
        return piece if piece.text == whole and piece.tail.startswith("]") else None

    def _is_cuttable(self, node: Node, starts: list[int], column: int, begin: int) -> bool:
        """Whether every entry begins a line of its own, at the same column."""
        if starts != sorted(set(starts)) or starts[0] < begin:
            return False
        if node.kind == "seq" and not node.is_plain:
            return False
        if node.kind == "map" and any(key.column != column for key, _ in node.pairs):
            return False
        first, *others = (self.lines[start][:column] for start in starts)
        return bool(_DASHES.fullmatch(first)) and not any(other.strip() for other in others)

    def _dash(self, item: Node, column: int) -> int:
        """The line of an item's dash, which may stand above the item; -1 when there is none."""
        for line in range(item.line, -1, -1):
            text = self.lines[line] if line < len(self.lines) else ""
            if text[column : column + 1] == "-" and _DASHES.fullmatch(text[:column]):
                return line
            if text.strip() and not text.lstrip().startswith("#") and line < item.line:
                return -1
        return -1

    def _lead(self, start: int, lowest: int, column: int) -> int:
        """First of the blank lines and comments that stand above line `start` and belong to it."""
        first = start
        while first > lowest and self._is_above(self.lines[first - 1], column):
            first -= 1
        return first

    def _is_above(self, line: str, column: int) -> bool:
        bare = line.lstrip(" ")
        return not line.strip() or (bare.startswith("#") and len(line) - len(bare) <= column)

    def _join(self, begin: int, end: int) -> str:
        return "".join(self.lines[begin:end])


def _said_key(key: Node) -> Hashable:
    return key.said[2] if key.kind == "scalar" and key.is_plain else key.meaning


def _item_name(item: Node) -> Hashable | None:
    """A map's id or name, as (key, what it says)."""
    if item.kind != "map":
        return None
    told = {_said_key(key): value for key, value in item.pairs if key.kind == "scalar"}
    for name in _NAMES:
        value = told.get(name)
        if value is not None and value.kind == "scalar":
            return name, value.said
    return None


ORDERED_YAML = FileDriver("ordered_yaml", is_yaml, merge_yamls, LARGEST_YAML)

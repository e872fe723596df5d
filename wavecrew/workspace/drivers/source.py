"""Python source that may be hostile: parsed with limits, edited by exact byte spans."""

from __future__ import annotations

import ast
import codecs
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

LARGEST_SOURCE = 1_000_000
_BREAK = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Edit:
    start: int
    end: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed module and its bytes."""

    data: bytes
    module: ast.Module
    starts: tuple[int, ...]
    """Byte offset of each line's start."""

    @classmethod
    def parse(cls, data: bytes) -> Source | None:
        """None when it is no Python, no UTF-8, larger than source is, or nested beyond sense."""
        if len(data) > LARGEST_SOURCE:
            return None
        try:
            data.decode("utf-8")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = ast.parse(data)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        first = len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0
        starts = (first, *(match.end() for match in _BREAK.finditer(data)))
        return cls(data, module, starts)

    @property
    def newline(self) -> bytes:
        """The line break this file uses."""
        match = _BREAK.search(self.data)
        return match[0] if match else b"\n"

    def start(self, node: ast.expr | ast.stmt | ast.alias) -> int:
        return self.starts[node.lineno - 1] + node.col_offset

    def end(self, node: ast.expr | ast.stmt | ast.alias) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: ast.expr | ast.stmt | ast.alias) -> bytes:
        return self.data[self.start(node) : self.end(node)]

    def line_end(self, offset: int) -> int:
        """Where the line of `offset` ends, before its break."""
        match = _BREAK.search(self.data, offset)
        return match.start() if match else len(self.data)

    def indent(self, node: ast.expr | ast.alias) -> bytes:
        """White space at the start of the node's line."""
        line = self.data[self.starts[node.lineno - 1] :]
        return line[: len(line) - len(line.lstrip(b" \t"))]

    def edited(self, edits: Iterable[Edit]) -> bytes:
        """The bytes with every edit made; edits do not overlap, equal places keep their order."""
        made, at = bytearray(), 0
        for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
            made += self.data[at : edit.start] + edit.text
            at = edit.end
        return bytes(made + self.data[at:])

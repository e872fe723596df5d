"""What does a JSON file say, and on which line does it say it?

Strict JSON read with a stack, so that no depth of nesting can end the process.
Numbers stay the text that was written (1.10 is not 1.1, and an id of thirty
digits stays one). Keys written twice are kept in a list of their own.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from typing import Any

from wavecrew.plan.problem import Place, PlanRejected, Problem

MAX_DEPTH = 200

_BLANK = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}
_WORD = re.compile(r"true|false|null")
_SURROGATE = re.compile("[\ud800-\udfff\0]")


class Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


class Object(dict[str, Any]):
    """`lines` says where each value begins, `line` where the brace stands."""

    __slots__ = ("line", "lines", "twice")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}
        self.twice: list[tuple[str, int]] = []
        """Keys written again, with the line; the last value counts, as everywhere."""

    def line_of(self, key: str) -> int:
        """Line of the value of `key`, or of the object when it has no such key."""
        return self.lines.get(key, self.line)


class Array(list[Any]):
    """`lines` says where each member begins, in their order."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []

    def with_lines(self) -> Iterator[tuple[Any, int]]:
        return zip(self, self.lines, strict=True)


def parse_json(text: str, file: str, first_line: int = 1) -> Any:
    """Object, Array, str, Number, bool or None. PlanRejected names the line of a mistake."""
    return _Parser(text, file, first_line).parse()


class _Parser:
    def __init__(self, text: str, file: str, first_line: int) -> None:
        self.text = text
        self.file = file
        self.first_line = first_line
        self.starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
        self.open: list[Object | Array] = []

    def parse(self) -> Any:
        at = self._blank(0)
        value, at = self._value(at)
        root = value
        if isinstance(value, Object | Array):
            at = self._contents(value, at)
        at = self._blank(at)
        if at < len(self.text):
            raise self._wrong(at, "something follows the end of the value")
        return root

    def _contents(self, root: Object | Array, at: int) -> int:
        """Reads until `root` is closed; the stack stands for what recursion would hold."""
        self.open = [root]
        while self.open:
            top = self.open[-1]
            at = self._blank(at)
            closing = "}" if isinstance(top, Object) else "]"
            begun = bool(top) or (isinstance(top, Object) and bool(top.lines))
            if self.text[at : at + 1] == closing:
                self.open.pop()
                at += 1
                continue
            if begun:
                at = self._expect(at, ",", f"expected ',' or {closing!r}")
                at = self._blank(at)
            at = self._member(top, at)
        return at

    def _member(self, top: Object | Array, at: int) -> int:
        key = ""
        if isinstance(top, Object):
            key, at = self._key(at)
            at = self._blank(self._expect(self._blank(at), ":", "expected ':' after a key"))
        line = self._line(at)
        value, at = self._value(at)
        if isinstance(top, Object):
            if key in top.lines:
                top.twice.append((key, line))
            top[key] = value
            top.lines[key] = line
        else:
            top.append(value)
            top.lines.append(line)
        if isinstance(value, Object | Array):
            self.open.append(value)
            if len(self.open) > MAX_DEPTH:
                raise self._wrong(at, f"nested deeper than {MAX_DEPTH} levels", "too_deep")
        return at

    def _key(self, at: int) -> tuple[str, int]:
        if self.text[at : at + 1] != '"':
            raise self._wrong(at, "expected a key in double quotes")
        return self._string(at)

    def _value(self, at: int) -> tuple[Any, int]:
        first = self.text[at : at + 1]
        if first == '"':
            return self._string(at)
        if first == "{":
            return Object(self._line(at)), at + 1
        if first == "[":
            return Array(self._line(at)), at + 1
        if number := _NUMBER.match(self.text, at):
            return Number(number[0]), number.end()
        if word := _WORD.match(self.text, at):
            return _WORDS[word[0]], word.end()
        raise self._wrong(at, "expected a value" if first else "the file ends too early")

    def _string(self, at: int) -> tuple[str, int]:
        try:
            value, end = scanstring(self.text, at + 1, True)
        except JSONDecodeError as error:
            raise self._wrong(error.pos, error.msg[0].lower() + error.msg[1:]) from None
        if _SURROGATE.search(value):
            raise self._wrong(at, "an escape stands for no character")
        return value, end

    def _blank(self, at: int) -> int:
        found = _BLANK.match(self.text, at)
        return found.end() if found else at

    def _expect(self, at: int, sign: str, message: str) -> int:
        if self.text[at : at + 1] != sign:
            raise self._wrong(at, message if at < len(self.text) else "the file ends too early")
        return at + 1

    def _line(self, at: int) -> int:
        return bisect_right(self.starts, at) - 1 + self.first_line

    def _wrong(self, at: int, message: str, kind: str = "syntax") -> PlanRejected:
        line = self._line(min(at, len(self.text)))
        column = at - self.starts[line - self.first_line] + 1
        text = message if kind == "too_deep" else f"not JSON: {message}"
        return PlanRejected([Problem(kind, text, Place(self.file, line, column))])

"""What does a YAML file say, and on which line does it say it?

YAML 1.2 read as events, so that nothing is guessed: every scalar stays the
text that was written ("1.10" is not 1.1), only a plain null is None, and what
a value means is decided by the model it is put into. Hostile input (bombs of
aliases, endless nesting, huge files) ends in an error, never in a hang.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from wavecrew.plan.problem import Place, PlanRejected, Problem

MAX_BYTES = 10 * 1024 * 1024
MAX_DEPTH = 64
MAX_ALIASED = 100_000
"""Values that aliases may add; a bomb of anchors needs billions."""

Keys = tuple[str | int, ...]
"""Keys and list positions from the root to a value."""


@dataclass
class Document:
    """`data` is made of dict, list, str and None; `places` says where each value stands."""

    file: str
    data: dict[str, Any]
    values: Mapping[Keys, Place] = field(default_factory=dict)
    keys: Mapping[Keys, Place] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    """What is wrong but does not stop the reading: keys written twice."""

    def place(self, path: Keys) -> Place:
        """Where the value at `path` is written, or the nearest thing around it."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Place(self.file, 1, 1))

    def key_place(self, path: Keys) -> Place:
        """Where the last key of `path` is written."""
        return self.keys.get(path) or self.place(path)


def read_bytes(path: Path) -> bytes:
    """The file's bytes. PlanRejected when it is missing, no ordinary file, or over 10 MB."""
    place = Place(str(path))
    try:
        if path.exists() and not path.is_file():
            raise _rejected("not_a_file", "this is not an ordinary file", place)
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _rejected(
            "missing_file", "the file does not exist", place, "name another file, or write it"
        ) from None
    except OSError as error:
        raise _rejected(
            "unreadable", f"cannot be read: {error.strerror or error}", place
        ) from error
    if len(data) > MAX_BYTES:
        raise _rejected("too_large", "the file is larger than 10 MB", place, "split the plan")
    return data


def decode(data: bytes, file: str) -> str:
    """UTF-8 text, with or without a byte order mark. PlanRejected names the line of a bad byte."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _rejected("encoding", "the file is UTF-16", Place(file, 1, 1), "save it as UTF-8")
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        bad = data[error.start]
        raise _rejected(
            "encoding", f"byte 0x{bad:02x} is not UTF-8", Place(file, line, 1), "save it as UTF-8"
        ) from error


def read_yaml(path: Path) -> Document:
    """Read a file whose root is a mapping. PlanRejected says why it cannot be read."""
    return parse_yaml(decode(read_bytes(path), str(path)), str(path))


def parse_yaml(text: str, file: str) -> Document:
    """The same for a text; `file` is only for the places."""
    if not text.strip():
        raise _rejected("empty_file", "the file is empty", Place(file, 1, 1))
    return _Builder(file).build(text)


@dataclass
class _Node:
    """A value as written; `items` holds (key, key's place, value) or list members."""

    place: Place
    scalar: str | None = None
    mapping: list[tuple[str, Place, _Node]] | None = None
    sequence: list[_Node] | None = None


class _Builder:
    def __init__(self, file: str) -> None:
        self.file = file
        self.anchors: dict[str, _Node] = {}
        self.open: set[int] = set()
        self.written = 0
        self.visited = 0
        self.values: dict[Keys, Place] = {}
        self.keys: dict[Keys, Place] = {}
        self.problems: list[Problem] = []

    def build(self, text: str) -> Document:
        try:
            events = YAML(typ="safe", pure=True).parse(io.StringIO(text))
            root = self._document(events)
        except ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            what = f"the character {text[error.position]!a} must not stand in YAML"
            raise self._error("syntax", what, Place(self.file, line, 1)) from None
        except MarkedYAMLError as error:
            raise self._syntax(error) from None
        except (YAMLError, ValueError) as error:
            raise self._error("syntax", f"not YAML: {error}", Place(self.file)) from None
        if root is None or root.mapping is None:
            raise self._error(
                "not_a_mapping",
                "the top of the file must be names with values (`name: ...`)",
                root.place if root else Place(self.file, 1, 1),
            )
        data = self._plain(root, ())
        return Document(self.file, data, self.values, self.keys, tuple(self.problems))

    def _document(self, events: Iterator[Any]) -> _Node | None:
        root: _Node | None = None
        documents = 0
        for event in events:
            name = type(event).__name__
            if name == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    raise self._error(
                        "two_documents",
                        "a second document starts here",
                        self._mark(event.start_mark),
                        "keep one document in a file",
                    )
            elif name not in ("StreamStartEvent", "StreamEndEvent", "DocumentEndEvent"):
                root = self._node(event, events, 1)
        return root

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> _Node:
        place = self._mark(event.start_mark)
        name = type(event).__name__
        if name == "AliasEvent":
            return self._alias(event.anchor, place)
        if event.ctag is not None:
            raise self._error(
                "tag", f"the tag {str(event.ctag)!r} has no meaning here", place, "leave it out"
            )
        if depth > MAX_DEPTH:
            raise self._error("too_deep", f"nested deeper than {MAX_DEPTH} levels", place)
        self.written += 1
        node = _Node(place)
        if event.anchor:
            self.anchors[event.anchor] = node
        self.open.add(id(node))
        if name == "ScalarEvent":
            null = event.style is None and event.value in ("", "~", "null", "Null", "NULL")
            node.scalar = None if null else self._text(event.value, place)
        elif name == "SequenceStartEvent":
            node.sequence = []
            for child in self._children(events, "SequenceEndEvent"):
                node.sequence.append(self._node(child, events, depth + 1))
        else:
            node.mapping = []
            for child in self._children(events, "MappingEndEvent"):
                node.mapping.append(self._pair(child, events, depth))
        self.open.discard(id(node))
        return node

    def _text(self, text: str, place: Place) -> str:
        """Escapes can smuggle in what no UTF-8 file and no command line can hold."""
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise self._error("syntax", "an escape stands for no character", place)
        return text

    @staticmethod
    def _children(events: Iterator[Any], end: str) -> Iterator[Any]:
        for event in events:
            if type(event).__name__ == end:
                return
            yield event

    def _pair(self, event: Any, events: Iterator[Any], depth: int) -> tuple[str, Place, _Node]:
        key = self._node(event, events, depth + 1)
        if key.mapping is not None or key.sequence is not None or key.scalar is None:
            raise self._error("key", "a key must be a name", key.place)
        if key.scalar == "<<" and event.style is None:
            raise self._error(
                "merge_key",
                "'<<' is not part of YAML 1.2",
                key.place,
                "write the keys out, or use an alias for a whole value",
            )
        return key.scalar, key.place, self._node(next(events), events, depth + 1)

    def _alias(self, anchor: str, place: Place) -> _Node:
        node = self.anchors.get(anchor)
        if node is None:
            raise self._error("alias", f"the anchor {anchor!r} is not defined above", place)
        if id(node) in self.open:
            raise self._error("alias", f"the anchor {anchor!r} contains itself", place)
        return _Node(node.place, node.scalar, node.mapping, node.sequence)

    def _plain(self, node: _Node, path: Keys) -> Any:
        """dict, list, str or None; stops when aliases make far more of it than was written."""
        self.visited += 1
        if self.visited > self.written + MAX_ALIASED:
            raise self._error("alias", "aliases blow this file up beyond reading", node.place)
        if len(path) > MAX_DEPTH:
            raise self._error("too_deep", f"nested deeper than {MAX_DEPTH} levels", node.place)
        self.values[path] = node.place
        if node.mapping is not None:
            return self._plain_mapping(node.mapping, path)
        if node.sequence is not None:
            return [self._plain(one, (*path, at)) for at, one in enumerate(node.sequence)]
        return node.scalar

    def _plain_mapping(self, pairs: list[tuple[str, Place, _Node]], path: Keys) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, place, node in pairs:
            if key in data:
                first = self.keys[(*path, key)]
                self.problems.append(
                    Problem(
                        "duplicate_key",
                        f"{key!r} is written twice, first on line {first.line}",
                        place,
                        "keep one of them",
                        (key,),
                    )
                )
                continue
            self.keys[(*path, key)] = place
            data[key] = self._plain(node, (*path, key))
        return data

    def _mark(self, mark: Any) -> Place:
        return Place(self.file, mark.line + 1, mark.column + 1)

    def _syntax(self, error: MarkedYAMLError) -> PlanRejected:
        mark = error.problem_mark or error.context_mark
        place = self._mark(mark) if mark else Place(self.file)
        what = str(error.problem or error.context).replace("\\t", "TAB")
        opened = error.context_mark
        if opened and mark and opened.line != mark.line:
            what += f" ({error.context}, begun on line {opened.line + 1})"
        mend = "indent with spaces" if "TAB" in what else ""
        return self._error("syntax", f"not YAML: {what}", place, mend)

    def _error(self, kind: str, message: str, place: Place, mend: str = "") -> PlanRejected:
        return _rejected(kind, message, place, mend)


def _rejected(kind: str, message: str, place: Place, mend: str = "") -> PlanRejected:
    return PlanRejected([Problem(kind, message, place, mend)])

"""Which value stands where in a YAML file: strict reading with file and line in every error.

YAML is read as a tree of nodes rather than as objects, so that a key written
twice, an unknown key or a value of the wrong kind is told at its own line.
What the values mean is the caller's business.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from wavecrew.errors import PlanError

MAX_DEPTH = 64


@dataclass(frozen=True)
class Value:
    """A node of a YAML file that knows its place."""

    file: Path
    node: Node
    yaml: YAML
    depth: int = 0

    @property
    def where(self) -> str:
        """`file:line`, lines from 1."""
        return f"{self.file}:{self.node.start_mark.line + 1}"

    def wrong(self, what: str, mend: str = "") -> PlanError:
        """An error at this place, to be raised by the caller."""
        return PlanError(what, where=self.where, mend=mend)

    def fields(self, known: Iterable[str], *, required: Iterable[str] = ()) -> dict[str, Value]:
        """Key -> value of a mapping that has no keys but `known` and all of `required`."""
        names = tuple(known)
        found: dict[str, Value] = {}
        for key, value in self.items():
            name = key.text()
            if name not in names:
                raise key.wrong(f"unknown key {name!r}", _nearest(name, names))
            found[name] = value
        for name in required:
            if name not in found:
                raise self.wrong(f"{name!r} is missing")
        return found

    def items(self) -> list[tuple[Value, Value]]:
        """The pairs of a mapping in the file's order; a key written twice is an error."""
        if not isinstance(self.node, MappingNode):
            raise self.wrong(f"a mapping is wanted here, not {self._kind()}")
        seen: set[str] = set()
        pairs = [(self._child(key), self._child(value)) for key, value in self.node.value]
        for key, _ in pairs:
            name = key.text()
            if name in seen:
                raise key.wrong(f"{name!r} is written twice")
            seen.add(name)
        return pairs

    def entries(self) -> list[Value]:
        """The entries of a list."""
        if not isinstance(self.node, SequenceNode):
            raise self.wrong(f"a list is wanted here, not {self._kind()}")
        return [self._child(entry) for entry in self.node.value]

    def text(self) -> str:
        """A scalar as it is written: `1.10` stays `1.10`."""
        if not isinstance(self.node, ScalarNode):
            raise self.wrong(f"a text is wanted here, not {self._kind()}")
        return str(self.node.value)

    def number(self, *, least: float = 0.0) -> float:
        """A number that is at least `least`."""
        data = self.data()
        if isinstance(data, bool) or not isinstance(data, int | float) or not data >= least:
            raise self.wrong(f"a number from {least:g} is wanted here, not {self._kind()}")
        return float(data)

    def whole(self, *, least: int = 0) -> int:
        """A whole number that is at least `least`."""
        number = self.number(least=least)
        if number != int(number):
            raise self.wrong(f"a whole number is wanted here, not {number:g}")
        return int(number)

    def flag(self) -> bool:
        data = self.data()
        if not isinstance(data, bool):
            raise self.wrong(f"true or false is wanted here, not {self._kind()}")
        return data

    def data(self) -> Any:
        """The value as JSON data; a date, a binary or a key that is no text is an error."""
        if isinstance(self.node, MappingNode):
            return {key.text(): value.data() for key, value in self.items()}
        if isinstance(self.node, SequenceNode):
            return [entry.data() for entry in self.entries()]
        value = self.yaml.constructor.construct_object(self.node, deep=True)
        if value is None or isinstance(value, str | int | bool):
            return value
        if isinstance(value, float) and abs(value) < float("inf"):
            return value
        raise self.wrong(f"{self.node.value!r} is no JSON value", "put it in quotes")

    def _child(self, node: Node) -> Value:
        if self.depth >= MAX_DEPTH:  # an alias can contain itself
            raise self.wrong(f"nested deeper than {MAX_DEPTH} levels")
        return Value(self.file, node, self.yaml, self.depth + 1)

    def _kind(self) -> str:
        if isinstance(self.node, MappingNode):
            return "a mapping"
        return "a list" if isinstance(self.node, SequenceNode) else repr(self.node.value)


def read(path: Path) -> Value:
    """The one document of a YAML file. PlanError when it is no readable YAML, or empty."""
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(path.read_text("utf-8"))
    except OSError as error:
        raise PlanError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise PlanError("is not UTF-8 text", where=str(path)) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise PlanError(f"not YAML: {error.problem}", where=f"{path}{line}") from error
    except YAMLError as error:
        raise PlanError(f"not YAML: {error}", where=str(path)) from error
    if node is None:
        raise PlanError("the file is empty", where=str(path))
    return Value(path, node, yaml)


def _nearest(name: str, names: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"perhaps you meant {near[0]!r}" if near else f"known here: {', '.join(names)}"

"""Where does a dotted name lead in one tree of the repository?

Follows imports, re-exports and base classes through the tree's own modules. What was
parsed is kept by blob, since forecasts look at the same files again and again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeVar

from wavecrew.workspace.drivers.source import Source
from wavecrew.workspace.objects import ObjectReader
from wavecrew.workspace.symbols import LARGEST_MODULE, Binding, Module, ModuleNames, module_of
from wavecrew.workspace.uses import Use, uses

MOST_KEPT = 3_000
_DEEPEST = 12
"""How many imports and base classes are followed from one name."""
_REGULAR = ("100644", "100755")
_Key = tuple[str, str]
"""Blob, path."""
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Found:
    """How far a name led."""

    state: Literal["here", "gone", "outside", "unknown"]
    """outside: of no module in the tree. unknown: the source does not tell."""
    name: str = ""
    """Where it is defined, absolute."""
    binding: Binding | None = None
    """None for a module, and for what lies beyond what the source tells."""


_GONE, _OUTSIDE, _UNKNOWN = Found("gone"), Found("outside"), Found("unknown")


@dataclass(slots=True)
class Parsed:
    """What modules bind and use, by blob: content of a blob never changes, so nothing goes stale.

    None stands for what cannot be read.
    """

    modules: dict[_Key, Module | None] = field(default_factory=dict)
    uses: dict[_Key, Counter[Use] | None] = field(default_factory=dict)


@dataclass
class SymbolTree:
    """The Python modules of one tree. For one thread."""

    reader: ObjectReader
    treeish: str
    parsed: Parsed

    @cached_property
    def _names(self) -> ModuleNames:
        return ModuleNames.of(self.reader.files(self.treeish))

    def module(self, path: str) -> Module | None:
        """None without such a file, and for one that cannot be read."""

        def read(source: Source) -> Module:
            return module_of(self._names.names[path], path.endswith("/__init__.py"), source)

        return self._read(path, self.parsed.modules, read)

    def uses(self, path: str) -> Counter[Use]:
        """What the module at `path` uses of others, and how often."""
        module = self.module(path)
        if module is None:
            return Counter()
        return self._read(path, self.parsed.uses, lambda s: uses(module, s.module)) or Counter()

    def content(self, path: str) -> bytes | None:
        """None without such a file, and for one too large to be source."""
        mode, blob = self.reader.files(self.treeish).get(path, ("", ""))
        return self.reader.blobs([blob], LARGEST_MODULE).get(blob) if mode in _REGULAR else None

    def find(self, name: str, depth: int = 0) -> Found:
        """What an absolute dotted name means here."""
        if depth > _DEEPEST:
            return _UNKNOWN
        parts = name.split(".")
        for end in range(len(parts), 0, -1):
            start = ".".join(parts[:end])
            if start not in self._names.paths:
                continue
            if not (path := self._names.paths[start]):
                return _UNKNOWN
            return self._in_module(path, parts[end:], depth)
        return _OUTSIDE

    def _in_module(self, path: str, rest: list[str], depth: int) -> Found:
        name = self._names.names[path]
        if not rest:
            return Found("here", name)
        module = self.module(path)
        if module is None:
            return _UNKNOWN
        binding = module.bindings.get(rest[0])
        if binding is None:
            return _UNKNOWN if module.is_open else _GONE
        if binding.kind == "import":
            target = ".".join([binding.target, *rest[1:]])
            return self.find(target, depth + 1) if binding.target else _UNKNOWN
        own = f"{name}.{rest[0]}"
        if len(rest) == 1:
            return Found("here", own, binding)
        if binding.kind == "class" and len(rest) == 2:
            return self._in_class(own, binding, rest[1], depth)
        return Found("here", own)

    def _in_class(self, name: str, cls: Binding, member: str, depth: int) -> Found:
        if member in cls.members:
            return Found("here", f"{name}.{member}", cls.members[member])
        for base in cls.bases:
            found = self.find(f"{base}.{member}", depth + 1) if base else _UNKNOWN
            if found.state != "gone":
                return found if found.state == "here" else _UNKNOWN
        return _GONE

    def _read(
        self, path: str, known: dict[_Key, V | None], read: Callable[[Source], V]
    ) -> V | None:
        mode, blob = self.reader.files(self.treeish).get(path, ("", ""))
        if mode not in _REGULAR:
            return None
        key = (blob, path)
        if key not in known:
            content = self.content(path)
            source = Source.parse(content) if content is not None else None
            if len(known) >= MOST_KEPT:
                known.clear()
            known[key] = read(source) if source else None
        return known[key]

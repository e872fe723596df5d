"""Which symbols does one branch take away or re-sign while another begins to use them?

Git merges both without a word and the program is broken. Each branch is a tree that already
contains the tip, so what it took away stands in the difference to the tip, and what it
began to use does too. In doubt nothing is reported: the gates judge the merged tree anyway.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from wavecrew.workspace.objects import ObjectReader
from wavecrew.workspace.symbol_trees import Found, Parsed, SymbolTree
from wavecrew.workspace.symbols import Binding
from wavecrew.workspace.uses import Call, Use

MOST_FILES = 400
"""Changed modules of one branch that are looked at."""
MOST_USES = 2_000
"""New uses in one branch that are held against another."""
MOST_ARGUMENTS = 250
LONGEST_PARAMETER = 200
_MAY_BE_PARAMETER = re.compile(rb"(?:\*|/|\*{0,2}\w+ *(?::[^=]*)?(?:=.*)?),? *(?:\).*)?\Z")
_PARSED = Parsed()
ANYTHING = ""
"""As a lost name: any use may be concerned."""


@dataclass
class Side:
    """What one branch does to the tip, as far as symbols are concerned."""

    tip: SymbolTree
    tree: SymbolTree
    changed: tuple[str, ...]
    """Paths of modules that differ, in order."""
    passed_over: set[str] = field(default_factory=set)
    """Paths of modules that could not be read: no Python, too large, nested beyond sense."""

    @classmethod
    def all_of(cls, reader: ObjectReader, tip: str, branches: Mapping[str, str]) -> dict[str, Side]:
        """A side for each branch (task id -> commit that contains `tip`)."""
        before = SymbolTree(reader, tip, _PARSED)
        sides = {}
        for task, commit in branches.items():
            changes = reader.changes(tip, commit)
            paths = tuple(change.path for change in changes if change.path.endswith(".py"))
            sides[task] = cls(before, SymbolTree(reader, commit, _PARSED), paths[:MOST_FILES])
        return sides

    @cached_property
    def lost(self) -> frozenset[str]:
        """Last parts of the names that uses of lost or re-signed symbols must contain."""
        return frozenset(name for path in self.changed for name in self._lost_at(path))

    def _lost_at(self, path: str) -> Iterator[str]:
        old, new = self.tip.content(path), self.tree.content(path)
        if old is None or (new is not None and _only_adds(old, new)):
            return
        before, after = self.tip.module(path), self.tree.module(path)
        is_gone = path not in self.tree.reader.files(self.tree.treeish)
        if before is None or (after is None and not is_gone):
            self.passed_over.add(path)
            return
        if is_gone:
            yield before.name.rpartition(".")[2]
        yield from _lost(before.bindings, after.bindings if after else {})

    def begun(self, names: frozenset[str]) -> Iterator[Use]:
        """Uses that the tip does not have, of anything that one of the names may be part of."""
        wanted = {name.encode() for name in names}
        for path in self.changed:
            content = self.tree.content(path)
            if content is None or (ANYTHING not in names and wanted.isdisjoint(_words(content))):
                continue
            if self.tree.module(path) is None:
                self.passed_over.add(path)
            for use in self.tree.uses(path) - self.tip.uses(path):
                if ANYTHING in names or not names.isdisjoint(use.target.split(".")):
                    yield use


def broken(one: Side, other: Side) -> set[str]:
    """Names that one side takes away or re-signs and the other begins to use, either way round."""
    found: set[str] = set()
    for taker, user in ((one, other), (other, one)):
        if taker.lost:
            begun = islice(user.begun(taker.lost), MOST_USES)
            found |= {name for use in begun if (name := _broken(use, taker, user))}
    return found


def _broken(use: Use, taker: Side, user: Side) -> str:
    """The name that the tip has for what is used, when the taker breaks the use; else empty."""
    target = use.target
    old = taker.tip.find(target)
    if old.state != "here":  # led to by what the user adds, such as a class below an old one
        target = user.tree.find(target).name
        old = taker.tip.find(target)
    if old.state != "here":
        return ""
    new = taker.tree.find(target)
    if new.state in ("gone", "outside"):
        return old.name
    if use.call is None or new.state != "here":
        return ""
    fits = (_accepts(found, use, side) for found, side in ((old, taker.tip), (new, taker.tree)))
    return old.name if tuple(fits) == (True, False) else ""


def _accepts(found: Found, use: Use, tree: SymbolTree) -> bool | None:
    """Whether a call fits; None when the source does not tell."""
    binding, is_bound = found.binding, use.on_instance
    if binding is not None and binding.kind == "class":
        made = tree.find(f"{found.name}.__init__")
        if made.state == "gone":
            return _binds(inspect.Signature(), use.call)
        binding, is_bound = made.binding, True
    if binding is None or binding.signature is None:
        return None
    parameters = list(binding.signature.parameters.values())
    takes_self = binding.drops_first == "always" or (binding.drops_first == "bound" and is_bound)
    if takes_self and parameters and parameters[0].kind is not inspect.Parameter.VAR_POSITIONAL:
        parameters = parameters[1:]
    return _binds(inspect.Signature(parameters), use.call)


def _binds(signature: inspect.Signature, call: Call | None) -> bool | None:
    if call is None or call.positional + len(call.keywords) > MOST_ARGUMENTS:
        return None
    bind = signature.bind_partial if call.is_open else signature.bind
    try:
        bind(*[None] * call.positional, **dict.fromkeys(call.keywords))
    except TypeError:
        return False
    return True


def _lost(old: Mapping[str, Binding], new: Mapping[str, Binding]) -> Iterator[str]:
    for name, before in old.items():
        after = new.get(name)
        if after == before:
            continue
        if after is None or after.kind != before.kind or before.kind != "class":
            yield name
        if before.kind == "class":
            yield from _lost_members(before, after or Binding("class"))


def _lost_members(before: Binding, after: Binding) -> Iterator[str]:
    """A constructor or a base may be missed under the name of any class below."""
    constructors = [cls.members.get("__init__") for cls in (before, after)]
    if before.bases != after.bases or constructors[0] != constructors[1]:
        yield ANYTHING
    yield from (name for name, was in before.members.items() if after.members.get(name) != was)


def _words(content: bytes) -> set[bytes]:
    return set(re.findall(rb"\w+", content))


def _only_adds(old: bytes, new: bytes) -> bool:
    """Whether lines were added and none of them can be a parameter: then no name is lost."""
    fresh: Counter[bytes] = Counter(new.splitlines())
    known = old.splitlines()
    rest = iter(new.splitlines())
    if not all(line in rest for line in known):
        return False
    return not any(map(_may_be_parameter, fresh - Counter(known)))


def _may_be_parameter(line: bytes) -> bool:
    text = line.strip()
    return len(text) > LONGEST_PARAMETER or _MAY_BE_PARAMETER.match(text) is not None

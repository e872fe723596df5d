"""How two commits become one tree: git's own merge, then the convergence drivers.

Runs in the bare mirror, so no merge driver or filter of a repository takes
part. A conflict is a value; only git itself failing is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wavecrew.workspace.drivers import DRIVERS
from wavecrew.workspace.model import Conflict, Conflicted, Merged, MergeView, Trees

if TYPE_CHECKING:
    from wavecrew.workspace.mirror import Mirror

HUNKS_PER_PATH = 4_000
HUNKS_IN_ALL = 24_000
_KIND = re.compile(r"CONFLICT \(([^)]+)\)")
_HUNK = re.compile(rb"^<{7} .*?^>{7} [^\n]*\n?", re.MULTILINE | re.DOTALL)
MARKED = {"content", "add/add"}
"""Kinds whose file in the merged tree holds markers, so that a whole new content resolves them."""

WriteTree = Callable[[str, Mapping[str, bytes]], str]
"""A tree with other contents for these files; gives its id."""


def merge(mirror: Mirror, ours: str, theirs: str) -> Merged | Conflicted:
    """See `Mirror.merge`."""
    tree, conflicts = _merge_trees(mirror, ours, theirs)
    base = mirror.merge_base(ours, theirs) or mirror.empty_tree()
    view = MergeView(base, ours, theirs, tree, conflicts)
    view, used = converge(mirror, view, mirror.write_tree)
    if view.conflicts:
        return Conflicted(view.tree, _cut(view.conflicts), used)
    return Merged(view.tree, used)


def converge(
    trees: Trees, view: MergeView, write_tree: WriteTree
) -> tuple[MergeView, tuple[str, ...]]:
    """What the drivers make of git's merge, and the names of those that changed it.

    The tree and the conflicts of the view given back are what is left; a conflict that
    only a driver sees is among them.
    """
    used: list[str] = []
    found: list[Conflict] = []
    for driver in DRIVERS:
        made = driver.converge(trees, view)
        if made is None:
            continue
        found += made.conflicts
        if made.files:
            used.append(driver.name)
            left = tuple(c for c in view.conflicts if not _resolved(c, made.files))
            view = replace(view, tree=write_tree(view.tree, made.files), conflicts=left)
    return replace(view, conflicts=_told(view.conflicts, found)), tuple(used)


def _told(left: tuple[Conflict, ...], found: list[Conflict]) -> tuple[Conflict, ...]:
    """One conflict a path: what a driver says about git's marks stands above them."""
    why = {conflict.path: conflict for conflict in reversed(found)}
    marked = {conflict.path for conflict in left}
    explained = (
        replace(one, hunks=f"{why[one.path].kind}: {why[one.path].hunks}\n{one.hunks}")
        if one.path in why
        else one
        for one in left
    )
    return (*explained, *(one for one in found if one.path not in marked))


def _resolved(conflict: Conflict, files: Mapping[str, bytes]) -> bool:
    return conflict.kind in MARKED and conflict.path in files


def _merge_trees(mirror: Mirror, ours: str, theirs: str) -> tuple[str, tuple[Conflict, ...]]:
    args = ("merge-tree", "--write-tree", "-z", "--messages", ours, theirs)
    ended = mirror.git.call(*args)
    if ended.code > 1:
        raise mirror.git.failed(args, ended)
    raw = read_merge(iter(ended.stdout.split(b"\0")))
    if ended.code == 0:
        return raw.tree, ()
    kinds = raw.kinds()
    contents = mirror.read_all(raw.tree, raw.stages)
    names = {ours: "integration", theirs: "branch"}
    conflicts = []
    for path, (kind, text) in kinds.items():
        marked = _HUNK.findall(contents.get(path, b"")) if kind in MARKED else []
        hunks = b"".join(marked).decode("utf-8", "replace") or text
        for sha, name in names.items():
            hunks = hunks.replace(sha, name)
        conflicts.append(Conflict(path, kind, hunks))
    return raw.tree, tuple(conflicts)


@dataclass(frozen=True, slots=True)
class RawMerge:
    """What `merge-tree` says of one merge, before any driver."""

    tree: str
    stages: Mapping[str, Mapping[str, str]]
    """Unmerged path -> stage (`1` base, `2` ours, `3` theirs) -> blob."""
    messages: tuple[tuple[str, str, str], ...]
    """(path, kind, text) of each conflict."""

    def kinds(self) -> dict[str, tuple[str, str]]:
        """path -> its worst (kind, text): only one with nothing but marks can be resolved."""
        found = {path: ("unmerged", f"git left {path!r} unmerged") for path in self.stages}
        for path, kind, text in self.messages:
            known = found.get(path)
            if known is None or known[0] == "unmerged" or known[0] in MARKED:
                found[path] = (kind, text)
        return found


def read_merge(fields: Iterator[bytes]) -> RawMerge:
    """One merge from the output of `merge-tree -z --messages`, split at its NULs."""
    tree = next(fields).decode().strip()
    stages: dict[str, dict[str, str]] = {}
    for field in fields:
        if not field:
            break
        facts, _, path = field.partition(b"\t")
        _, blob, stage = facts.decode().split(" ")
        stages.setdefault(_text(path), {})[stage] = blob
    messages: list[tuple[str, str, str]] = []
    for count in fields:
        if not count.isdigit():
            break
        named = [_text(next(fields)) for _ in range(int(count))]
        next(fields)
        text = _text(next(fields)).strip()
        if kind := _KIND.search(text):
            messages += [(path, kind[1], text) for path in named]
    return RawMerge(tree, stages, tuple(messages))


def _text(field: bytes) -> str:
    return field.decode("utf-8", "surrogateescape")


def _cut(conflicts: tuple[Conflict, ...]) -> tuple[Conflict, ...]:
    """Hunks within the budget; what is left out is said."""
    left = HUNKS_IN_ALL
    cut: list[Conflict] = []
    for conflict in conflicts:
        room = min(HUNKS_PER_PATH, left)
        text = conflict.hunks
        if len(text) > room:
            text = f"{text[:room]}\n[{len(text) - room} more characters]"
        left -= min(len(conflict.hunks), room)
        cut.append(replace(conflict, hunks=text))
    return tuple(cut)

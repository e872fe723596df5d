"""How two commits become one tree: git's own merge, then the convergence drivers.

Runs in the bare mirror, so no merge driver or filter of a repository takes
part. A conflict is a value; only git itself failing is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from wavecrew.workspace.drivers import DRIVERS
from wavecrew.workspace.model import Conflict, Conflicted, Merged, MergeView

if TYPE_CHECKING:
    from wavecrew.workspace.mirror import Mirror

HUNKS_PER_PATH = 4_000
HUNKS_IN_ALL = 24_000
_KIND = re.compile(r"CONFLICT \(([^)]+)\)")
_HUNK = re.compile(rb"^<{7} .*?^>{7} [^\n]*\n?", re.MULTILINE | re.DOTALL)
_MARKED = {"content", "add/add"}
"""Kinds whose file in the merged tree holds markers, so that a whole new content resolves them."""


def merge(mirror: Mirror, ours: str, theirs: str) -> Merged | Conflicted:
    """See `Mirror.merge`."""
    tree, conflicts = _merge_trees(mirror, ours, theirs)
    base = mirror.merge_base(ours, theirs) or mirror.empty_tree()
    view = MergeView(base, ours, theirs, tree, conflicts)
    used: list[str] = []
    found: list[Conflict] = []
    for driver in DRIVERS:
        made = driver.converge(mirror, view)
        if made is None:
            continue
        found += made.conflicts
        if made.files:
            used.append(driver.name)
            left = tuple(c for c in view.conflicts if not _resolved(c, made.files))
            view = replace(view, tree=mirror.write_tree(view.tree, made.files), conflicts=left)
    if view.conflicts or found:
        return Conflicted(view.tree, _cut(_told(view.conflicts, found)), tuple(used))
    return Merged(view.tree, tuple(used))


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
    return conflict.kind in _MARKED and conflict.path in files


def _merge_trees(mirror: Mirror, ours: str, theirs: str) -> tuple[str, tuple[Conflict, ...]]:
    args = ("merge-tree", "--write-tree", "-z", "--messages", ours, theirs)
    ended = mirror.git.call(*args)
    if ended.code > 1:
        raise mirror.git.failed(args, ended)
    tree, paths, messages = parse_merge(ended.stdout)
    if ended.code == 0:
        return tree, ()
    kinds = _kinds(paths, messages)
    contents = mirror.read_all(tree, paths)
    names = {ours: "integration", theirs: "branch"}
    conflicts = []
    for path, (kind, text) in kinds.items():
        marked = _HUNK.findall(contents.get(path, b"")) if kind in _MARKED else []
        hunks = b"".join(marked).decode("utf-8", "replace") or text
        for sha, name in names.items():
            hunks = hunks.replace(sha, name)
        conflicts.append(Conflict(path, kind, hunks))
    return tree, tuple(conflicts)


def _kinds(
    paths: tuple[str, ...], messages: list[tuple[str, str, str]]
) -> dict[str, tuple[str, str]]:
    """path -> its worst (kind, message): only a path with nothing but marks can be resolved."""
    found = {path: ("unmerged", f"git left {path!r} unmerged") for path in paths}
    for path, kind, text in messages:
        known = found.get(path)
        if known is None or known[0] == "unmerged" or known[0] in _MARKED:
            found[path] = (kind, text)
    return found


def parse_merge(output: bytes) -> tuple[str, tuple[str, ...], list[tuple[str, str, str]]]:
    """Tree, conflicting paths, and (path, kind, message) of each conflict of `merge-tree -z`."""
    fields = [field.decode("utf-8", "surrogateescape") for field in output.split(b"\0")]
    tree, rest = fields[0].strip(), iter(fields[1:])
    paths: list[str] = []
    for field in rest:
        if not field:
            break
        paths.append(field.split("\t", 1)[1])
    messages: list[tuple[str, str, str]] = []
    for count in rest:
        if not count.isdigit():
            break
        named = [next(rest) for _ in range(int(count))]
        next(rest)
        text = next(rest).strip()
        if kind := _KIND.search(text):
            messages += [(path, kind[1], text) for path in named]
    return tree, tuple(dict.fromkeys(paths)), messages


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

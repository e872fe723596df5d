"""Two branches each lock new packages with uv: one lock that holds both.

A lock does not say which versions a package accepts, so nothing is resolved
here: a merge counts only when every edge of it (this package uses that one,
in these versions) stands in one side's lock, where uv resolved it. What
neither side has resolved together stays a conflict, for `uv lock` to settle.
"""

from __future__ import annotations

import posixpath
import tomllib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from wavecrew.workspace.drivers.entries import Clash, merge_entries, merge_values
from wavecrew.workspace.drivers.files import FileDriver
from wavecrew.workspace.drivers.uv_format import EXTRAS, GROUPS, Lock, Table, read, write

LARGEST_LOCK = 4_000_000
Id = tuple[str, ...]
_KEYS = (
    *("name", "version", "source", "resolution-markers", "dependencies", "sdist", "wheels"),
    *(EXTRAS, GROUPS, "metadata"),
    *("requires-dist", "provides-extras", "requires-dev"),
)
"""In uv's order."""
_LOCAL = frozenset({"editable", "virtual", "directory"})
"""Sources of packages that the repository itself holds."""


def is_uv_lock(path: str) -> bool:
    return posixpath.basename(path) == "uv.lock"


def merge_locks(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """One lock of two, byte for byte as uv writes it."""
    sides = [read(data) for data in (base or b"", ours, theirs)]
    old, one, other = sides[0] or Lock("", []), sides[1], sides[2]
    if one is None or other is None or (base and sides[0] is None):
        return None
    header = _header(one, other)
    try:
        return _joined(header, _packages(old, one, other), one, other)
    except Clash:  # what one side has no use for any more, the other may need
        kept = (_with_dropped(old, side) for side in (one, other))
        return _joined(header, _packages(old, *kept), one, other)


def _joined(header: str, packages: list[Table], ours: Lock, theirs: Lock) -> bytes:
    merged = Lock(header, _used(packages))
    if problem := _problem(merged, ours, theirs):
        raise Clash(problem)
    return write(merged).encode()


def is_sound(data: bytes) -> bool:
    """Whether it reads as a lock in which every dependency names exactly one package."""
    lock = read(data)
    if lock is None:
        return False
    named = Counter(_id(package) for package in lock.packages)
    if max(named.values(), default=0) > 1:
        return False
    return all(len(found) == 1 for _, _, found in _edges(lock.packages))


def _header(ours: Lock, theirs: Lock) -> str:
    """Settings hold for every package, so a lock made under others cannot be joined."""
    if ours.header != theirs.header:
        one, other = (tomllib.loads(side.header) for side in (ours, theirs))
        differ = [key for key in {**one, **other} if one.get(key) != other.get(key)]
        key = differ[0] if differ else "what stands before the first package"
        raise Clash(key, one.get(key, ours.header), other.get(key, theirs.header))
    return ours.header


def _id(package: Table) -> Id:
    markers = package.get("resolution-markers", ())
    source = ", ".join(f"{key} {value}" for key, value in package["source"].items())
    return (package["name"], package.get("version", ""), source, *map(str, markers))


def _packages(base: Lock, ours: Lock, theirs: Lock) -> list[Table]:
    """By name, then by id where a name has several."""
    merged = merge_entries(_by_name(base), _by_name(ours), _by_name(theirs), _group)
    return [package for name in sorted(merged) for package in merged[name].values()]


def _with_dropped(base: Lock, side: Lock) -> Lock:
    named = {package["name"] for package in side.packages}
    dropped = [p for p in base.packages if p["name"] not in named and not _is_local(p)]
    return Lock(side.header, [*side.packages, *dropped])


def _is_local(package: Table) -> bool:
    return not _LOCAL.isdisjoint(package["source"])


Group = dict[Id, Table]


def _by_name(lock: Lock) -> dict[str, Group]:
    groups: dict[str, Group] = {}
    for package in lock.packages:
        groups.setdefault(package["name"], {})[_id(package)] = package
    return groups


def _group(base: Group | None, ours: Group, theirs: Group) -> Group:
    """One name that both changed: only while both agree which versions there are."""
    if ours.keys() != theirs.keys():
        raise Clash("", *(_versions(side) for side in (ours, theirs)))
    same = base if base and base.keys() == ours.keys() else {}
    return merge_entries(same, ours, theirs, _package)


def _versions(group: Group) -> str:
    return ", ".join(f"{key[1] or 'a version of its own'} from {key[2]}" for key in group)


def _package(base: Table | None, ours: Table, theirs: Table) -> Table:
    merged: Table = merge_values(base or {}, ours, theirs, _dependency)
    return _sorted(merged)


def _dependency(item: Any) -> Any:
    """What an item of a list is known by: its package, and under which condition."""
    if not isinstance(item, dict) or "name" not in item:
        return None
    return tuple(repr(item.get(key)) for key in ("name", "version", "source", "marker"))


def _sorted(table: Table) -> Table:
    """As uv does: keys in a fixed order, groups and dependencies by name, nothing that is empty."""
    made: Table = {}
    for key, value in sorted(table.items(), key=lambda item: _place(item[0])):
        if key in (EXTRAS, GROUPS):
            value = {group: _by_item_name(items) for group, items in sorted(value.items()) if items}
        elif key == "metadata":
            value = _sorted(value)
        elif key == "requires-dev":
            value = {group: _by_item_name(items) for group, items in sorted(value.items())}
        elif key in ("dependencies", "requires-dist"):
            value = _by_item_name(value)
        elif key == "provides-extras":
            value = sorted(value)
        if value or key == "metadata":
            made[key] = value
    return made


def _place(key: str) -> int:
    return _KEYS.index(key) if key in _KEYS else len(_KEYS)


def _by_item_name(items: list[Table]) -> list[Table]:
    return sorted(items, key=lambda item: str(item["name"]))


def _requirements(package: Table) -> Iterator[Table]:
    yield from package.get("dependencies", [])
    for kind in (EXTRAS, GROUPS):
        for items in package.get(kind, {}).values():
            yield from items


def _edges(packages: list[Table]) -> Iterator[tuple[Table, Table, tuple[Table, ...]]]:
    """(package, requirement, what it names) of every requirement."""
    by_name: dict[str, list[Table]] = {}
    for package in packages:
        by_name.setdefault(package["name"], []).append(package)
    for package in packages:
        for item in _requirements(package):
            named = by_name.get(item["name"], [])
            told = [key for key in ("version", "source") if key in item]
            yield package, item, tuple(p for p in named if all(p.get(k) == item[k] for k in told))


def _used(packages: list[Table]) -> list[Table]:
    """Without packages that nothing of the repository leads to any more."""
    leads: dict[Id, list[Table]] = {}
    for package, _, found in _edges(packages):
        leads.setdefault(_id(package), []).extend(found)
    waiting = [package for package in packages if _is_local(package)]
    if not waiting:
        return packages
    reached: set[Id] = set()
    while waiting:
        package = waiting.pop()
        if (key := _id(package)) not in reached:
            reached.add(key)
            waiting += leads.get(key, [])
    return [package for package in packages if _id(package) in reached]


def _facts(lock: Lock) -> set[tuple[str, ...]]:
    """Each edge as what uv resolved: who asks (a local package: how), for what, and what it got."""
    wishes = {_id(p): _wishes(p["metadata"]) for p in lock.packages if "metadata" in p}
    facts: set[tuple[str, ...]] = set()
    for package, item, found in _edges(lock.packages):
        key, name = _id(package), item["name"]
        asks = wishes[key].get(name, "") if key in wishes else repr(key)
        extras = set(map(str, item.get("extra", ())))
        got = (
            (_id(one), sorted(extra for extra in extras if extra in one.get(EXTRAS, ())))
            for one in found
        )
        facts.add((asks, name, repr(sorted(extras)), *sorted(map(repr, got))))
    return facts


def _wishes(metadata: Table) -> dict[str, str]:
    """name -> all that a package of the repository says about it."""
    wishes: dict[str, list[str]] = {}
    for items in (metadata.get("requires-dist", []), *metadata.get("requires-dev", {}).values()):
        for item in items:
            wishes.setdefault(item["name"], []).append(repr(item))
    return {name: repr(sorted(said)) for name, said in wishes.items()}


def _problem(merged: Lock, ours: Lock, theirs: Lock) -> str:
    """Why uv might not have resolved it so; empty when each edge is proven by one side."""
    for package, item, found in _edges(merged.packages):
        if len(found) != 1:
            return (
                f"{package['name']} needs {item['name']}, which would be locked {len(found)} times"
            )
    if unproven := sorted(_facts(merged) - _facts(ours) - _facts(theirs)):
        return f"{unproven[0][1]} was never resolved together with all that would need it"
    return ""


UV_LOCK = FileDriver("uv_lock", is_uv_lock, merge_locks, LARGEST_LOCK, is_sound)

"""Two branches each install packages with npm: one package.json and one lock for both.

The lock's `packages` are merged by the place each is installed at. As npm
never checked the mixture, a merge counts only when every dependency in it
finds the same version that it found on one of the two sides.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import Any

from wavecrew.workspace.drivers.entries import Clash, merge_entries, merge_values, no_parts
from wavecrew.workspace.drivers.files import FileDriver
from wavecrew.workspace.drivers.npm_json import Document, Table, in_lock_order, ordered, read

LARGEST_MANIFEST = 1_000_000
LARGEST_NPM_LOCK = 8_000_000
LONGEST_PLACE = 500
MOST_DEPENDENCIES = 100_000
"""Beyond these, looking up where node finds what takes too long."""
_MODULES = "node_modules/"
_WISHES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
_FLAGS = ("dev", "optional", "devOptional", "peer")
"""What npm works out from who needs a package; a merge works it out anew."""


def is_npm_lock(path: str) -> bool:
    return posixpath.basename(path) in ("package-lock.json", "npm-shrinkwrap.json")


def is_manifest(path: str) -> bool:
    return posixpath.basename(path) == "package.json"


def merge_manifests(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """package.json, by keys; two versions of one dependency are a clash."""
    old, one, other = (read(data) for data in (base or b"{}", ours, theirs))
    if old is None or one is None or other is None:
        return None
    merged: Table = merge_values(old.value, one.value, other.value)
    for kind in _WISHES:
        sides = tuple(t for side in (one, other) if isinstance(t := side.value.get(kind), dict))
        if sides and isinstance(merged.get(kind), dict):
            merged[kind] = ordered(sides, merged[kind])
    return one.written(merged)


def merge_npm_locks(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """package-lock.json of lockfileVersion 2 and 3."""
    old, one, other = (_read_lock(data) for data in (base, ours, theirs))
    if old is None or one is None or other is None:
        return None
    sides = (old.value, one.value, other.value)
    try:
        merged = _joined(*sides, _packages(*sides))
    except Clash:  # what one side has no use for any more, the other may need
        kept = (_with_dropped(old.value, side) for side in sides[1:])
        merged = _joined(*sides, _packages(old.value, *kept))
    in_order = all(
        document.written(in_lock_order(document.value)) == data
        for document, data in ((one, ours), (other, theirs))
    )
    return one.written(in_lock_order(merged) if in_order else merged)


def is_sound(data: bytes) -> bool:
    """Whether npm can have written it."""
    return _read_lock(data) is not None


def _read_lock(data: bytes) -> Document | None:
    document = read(data)
    if document is None or document.value.get("lockfileVersion") not in (2, 3):
        return None
    packages = document.value.get("packages")
    if not isinstance(packages, dict) or not isinstance(packages.get(""), dict):
        return None
    if max(map(len, packages)) > LONGEST_PLACE or not all(map(_is_package, packages.values())):
        return None
    wishes = sum(len(p.get(kind, {})) for p in packages.values() for kind in _WISHES)
    return document if wishes <= MOST_DEPENDENCIES else None


def _is_package(package: object) -> bool:
    if not isinstance(package, dict):
        return False
    tables = [package.get(kind, {}) for kind in _WISHES]
    return all(isinstance(table, dict) for table in tables)


def _packages(base: Table, ours: Table, theirs: Table) -> Table:
    old, one, other = (
        {place: _unflagged(package) for place, package in side["packages"].items()}
        for side in (base, ours, theirs)
    )
    return _used(merge_entries(old, one, other, _package))


def _joined(base: Table, ours: Table, theirs: Table, packages: Table) -> Table:
    if problem := _problem(packages, ours["packages"], theirs["packages"]):
        raise Clash(problem)
    old, one, other = ({**side, "packages": {}} for side in (base, ours, theirs))
    merged: Table = merge_values(old, one, other)
    merged["packages"] = _flagged(packages, *(side["packages"] for side in (base, ours, theirs)))
    legacy = merged.get("dependencies")
    if legacy is not None and _places(legacy) != {p for p in packages if _MODULES in p}:
        raise Clash("the lock's older part, `dependencies`, would not match its `packages`")
    return merged


def _package(base: Table | None, ours: Table, theirs: Table) -> Table:
    if ours.get("version") != theirs.get("version"):
        raise Clash("", *(side.get("version", "no version") for side in (ours, theirs)))
    merged: Table = merge_values(base or {}, ours, theirs)
    return merged


def _unflagged(package: Table) -> Table:
    return {key: value for key, value in package.items() if key not in _FLAGS}


def _with_dropped(base: Table, side: Table) -> Table:
    """What the base has installed stays; a workspace's own members are the project's to remove."""
    is_workspace = "workspaces" in side["packages"][""]
    dropped = {
        place: package
        for place, package in base["packages"].items()
        if not (is_workspace and (_MODULES not in place or package.get("link") is True))
    }
    return {**side, "packages": {**dropped, **side["packages"]}}


def _found(packages: Table, place: str, name: str) -> str | None:
    """Where node finds `name` from a package: the nearest node_modules above it."""
    while True:
        inner = f"{place}/{_MODULES}{name}" if place else f"{_MODULES}{name}"
        if inner in packages:
            return inner
        if not place:
            return None
        cut = place.rfind(f"/{_MODULES}")
        place = place[:cut] if cut >= 0 else "" if place.startswith(_MODULES) else _above(place)


def _above(folder: str) -> str:
    return folder.rpartition("/")[0]


def _edges(packages: Table) -> Iterator[tuple[str, str, str, str | None]]:
    """(place, kind of dependency, name, where it is found) of every dependency."""
    for place, package in packages.items():
        if package.get("link") is True and isinstance(package.get("resolved"), str):
            yield place, "link", package["resolved"], package["resolved"]
        for kind in _WISHES:
            if kind == "devDependencies" and _MODULES in place:
                continue  # of a package that others wrote; npm does not install them
            for name in package.get(kind, {}):
                yield place, kind, name, _found(packages, place, name)


def _reached(packages: Table, edges: Iterable[tuple[str, str]]) -> set[str]:
    """Places that the repository's own packages lead to."""
    leads: dict[str, list[str]] = {}
    for place, target in edges:
        leads.setdefault(place, []).append(target)
    waiting = [""]
    reached: set[str] = set()
    while waiting:
        place = waiting.pop()
        if place not in reached and place in packages:
            reached.add(place)
            waiting += leads.get(place, [])
    return reached


def _used(packages: Table) -> Table:
    edges = ((place, target) for place, _, _, target in _edges(packages) if target is not None)
    reached = _reached(packages, [*edges, *_workspaces(packages)])
    return {place: package for place, package in packages.items() if place in reached}


def _facts(packages: Table) -> set[tuple[str, ...]]:
    """Each dependency as npm settled it: who asks, in which words, and what it gets."""
    facts = set()
    for place, kind, name, target in _edges(packages):
        package = packages[place]
        asked = package[kind][name] if kind in _WISHES else ""
        who = f"{place} {package.get('version', '')}" if _MODULES in place else place
        got = packages.get(target, {}) if target is not None else {}
        facts.add((who, name, str(asked), str(target), *(str(got.get(k)) for k in _SAME)))
    return facts


_SAME = ("version", "resolved", "integrity", "link")


def _problem(merged: Table, ours: Table, theirs: Table) -> str:
    """Why npm might refuse it; empty when every dependency is settled as on one side."""
    unproven = sorted(_facts(merged) - _facts(ours) - _facts(theirs))
    if not unproven:
        return ""
    who, name, *_ = unproven[0]
    return f"{who.strip() or 'the project'} needs {name}, and got another one on each side"


def _workspaces(packages: Table) -> list[tuple[str, str]]:
    """The links by which npm installs the members of a workspace, as edges from the project."""
    if "workspaces" not in packages[""]:
        return []
    return [("", place) for place, package in packages.items() if package.get("link") is True]


def _flagged(packages: Table, *sides: Table) -> Table:
    """With npm's marks for what only development or optional packages need.

    Worked out anew where the same rule gives what npm wrote on both sides; else
    merged like any value.
    """
    told = [{place: _told(package) for place, package in side.items()} for side in sides]
    if all(flags == _flags(side) for flags, side in zip(told[1:], sides[1:], strict=True)):
        flags = _flags(packages)
    else:
        old, one, other = told
        flags = merge_entries(old, one, other, no_parts)
    return {
        place: {**package, **dict.fromkeys(sorted(flags.get(place, ())), True)}
        for place, package in packages.items()
    }


def _told(package: Table) -> frozenset[str]:
    return frozenset(flag for flag in _FLAGS if package.get(flag) is True)


def _flags(packages: Table) -> dict[str, frozenset[str]]:
    kinds = [
        (place, _kinds(packages[place], kind, name), target)
        for place, kind, name, target in _edges(packages)
        if target is not None
    ]
    roots = _workspaces(packages)

    def reached(*left_out: str) -> set[str]:
        kept = [(place, target) for place, kind, target in kinds if kind.isdisjoint(left_out)]
        return _reached(packages, [*kept, *roots])

    without = {flag: reached(flag) for flag in ("dev", "optional", "peer")}
    plain = reached("dev", "optional")
    made = {}
    for place, package in packages.items():
        flags = {flag for flag, places in without.items() if place not in places}
        if place not in plain and flags.isdisjoint(("dev", "optional")):
            flags.add("devOptional")
        made[place] = frozenset() if package.get("link") is True else frozenset(flags)
    return made


def _kinds(package: Table, kind: str, name: str) -> frozenset[str]:
    """Which of npm's marks a dependency of this kind may pass on."""
    match kind:
        case "devDependencies":
            return frozenset({"dev"})
        case "optionalDependencies":
            return frozenset({"optional"})
        case "peerDependencies":
            about = package.get("peerDependenciesMeta")
            told = about.get(name) if isinstance(about, dict) else None
            is_optional = isinstance(told, dict) and told.get("optional") is True
            return frozenset({"peer", "optional"} if is_optional else {"peer"})
    return frozenset()


def _places(dependencies: Any, prefix: str = "") -> set[str]:
    """Where the older part of a lock has packages."""
    places: set[str] = set()
    for name, package in dependencies.items() if isinstance(dependencies, dict) else ():
        place = f"{prefix}{_MODULES}{name}"
        places.add(place)
        if isinstance(package, dict):
            places |= _places(package.get("dependencies"), f"{place}/")
    return places


NPM_MANIFEST = FileDriver("package_json", is_manifest, merge_manifests, LARGEST_MANIFEST)
NPM_LOCK = FileDriver("package_lock", is_npm_lock, merge_npm_locks, LARGEST_NPM_LOCK, is_sound)

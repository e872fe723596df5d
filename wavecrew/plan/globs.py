"""Can two path globs name the same file?

Gitignore syntax: a pattern with no slash but at its end matches at any depth,
a pattern also matches all below the folder it names. Answers err towards yes:
`[...]` counts as any one character and a negation is never subtracted. One
exception keeps the answers useful: a name with a dot in it is a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

_MAGIC = frozenset("*?[\\")
Segments = tuple[str, ...]


@lru_cache(maxsize=65_536)
def segments(glob: str) -> Segments:
    """The glob as path segments from the root, `**` for any number of them; () for a negation."""
    text = glob.strip()
    if not text or text.startswith(("!", "#")):
        return ()
    anchored = "/" in text.rstrip("/")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    is_file = not text.endswith("/") and "." in parts[-1][1:] if parts else False
    return (*(() if anchored else ("**",)), *parts, *(() if is_file else ("**",)))


def overlap(one: str, other: str) -> bool:
    """True when some path may match both."""
    a, b = segments(one), segments(other)
    return bool(a and b) and _meet(a, b)


def overlapping(globs: Iterable[str]) -> list[tuple[str, str]]:
    """All pairs of different globs that overlap, sorted; near linear when most do not."""
    shelf: dict[Segments, dict[str, list[str]]] = {}
    for glob in dict.fromkeys(globs):
        if segments(glob):
            tails = shelf.setdefault(_literal(segments(glob)), {})
            tails.setdefault(_tail(glob), []).append(glob)
    prefixes = sorted(shelf)
    pairs: set[tuple[str, str]] = set()
    for at, prefix in enumerate(prefixes):
        near = [prefix[:length] for length in range(len(prefix)) if prefix[:length] in shelf]
        while at < len(prefixes) and prefixes[at][: len(prefix)] == prefix:
            near.append(prefixes[at])
            at += 1
        for tail, ones in shelf[prefix].items():
            for other in _candidates([shelf[place] for place in near], tail):
                pairs.update(
                    (min(one, other), max(one, other))
                    for one in ones
                    if one != other and overlap(one, other)
                )
    return sorted(pairs)


def _candidates(shelves: list[dict[str, list[str]]], tail: str) -> Iterator[str]:
    """The globs whose last names allow a meeting: equal, or one of them open."""
    for tails in shelves:
        for key in (tail, "") if tail else tuple(tails):
            yield from tails.get(key, ())


def _tail(glob: str) -> str:
    """The file name that every path matched must have, or nothing when it is open."""
    last = segments(glob)[-1]
    return "" if _MAGIC & set(last) else last


def _literal(parts: Segments) -> Segments:
    """The leading segments without any magic: they must be equal in every path matched."""
    for at, part in enumerate(parts):
        if _MAGIC & set(part):
            return parts[:at]
    return parts


def _meet(a: Segments, b: Segments) -> bool:
    """Whether two segment patterns share a path: a walk over pairs of positions."""
    todo, seen = [(0, 0)], set()
    while todo:
        i, j = todo.pop()
        if (i, j) in seen:
            continue
        seen.add((i, j))
        at_end = (i == len(a), j == len(b))
        if all(at_end):
            return True
        if i < len(a) and a[i] == "**":
            todo.append((i + 1, j))
            if j < len(b):
                todo.append((i, j + 1))
        if j < len(b) and b[j] == "**":
            todo.append((i, j + 1))
            if i < len(a):
                todo.append((i + 1, j))
        if not any(at_end) and "**" not in (a[i], b[j]) and _segments_meet(a[i], b[j]):
            todo.append((i + 1, j + 1))
    return False


@lru_cache(maxsize=65_536)
def _segments_meet(one: str, other: str) -> bool:
    a, b = _letters(one), _letters(other)
    todo, seen = [(0, 0)], set()
    while todo:
        i, j = todo.pop()
        if (i, j) in seen:
            continue
        seen.add((i, j))
        if i == len(a) and j == len(b):
            return True
        if i < len(a) and a[i] == "*":
            todo += [(i + 1, j)] + ([(i, j + 1)] if j < len(b) else [])
        if j < len(b) and b[j] == "*":
            todo += [(i, j + 1)] + ([(i + 1, j)] if i < len(a) else [])
        if i < len(a) and j < len(b) and "*" not in (a[i], b[j]):
            same = a[i] == b[j] or "?" in (a[i], b[j])
            todo += [(i + 1, j + 1)] if same else []
    return False


def _letters(segment: str) -> list[str]:
    """Letters, `?` for any one (a class too), `*` for any number; an escaped one is itself."""
    letters: list[str] = []
    at = 0
    while at < len(segment):
        letter = segment[at]
        if letter == "\\" and at + 1 < len(segment):
            at += 1
            letters.append("?" if segment[at] in "*?" else segment[at])
        elif letter == "[" and (end := segment.find("]", at + 2)) > 0:
            letters.append("?")
            at = end
        elif not (letter == "*" and letters and letters[-1] == "*"):
            letters.append(letter)
        at += 1
    return letters

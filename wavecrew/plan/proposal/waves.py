"""Which of a document's groups are waves, in which order, and what comes after what?

One row of groups becomes the waves: the one with the most tasks. All other
groups stay labels, because waves of two rows have no common order.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wavecrew.plan.model import Wave, WaveId
from wavecrew.plan.proposal.names import line_of, plain, slug
from wavecrew.plan.readers.model import ImportedPlan
from wavecrew.plan.readers.waves_words import SEQUENTIAL

_NAME = re.compile(r"^\W*(?P<word>[^\W\d_]+)\s+#?(?P<token>[\w.]+)\W*\s*(?P<title>.*)$")
_FAR = 200
"""Waves in a row up to which each is told all that follow it, and not only the next."""


@dataclass(frozen=True)
class Row:
    waves: tuple[Wave, ...]
    wave_of: Mapping[str, WaveId]
    """Group as written -> wave; a group that is no wave is missing."""
    later: Mapping[str, tuple[str, ...]]
    """Group as written -> the groups after it, as far as the document orders them."""
    members: Mapping[str, tuple[str, ...]]
    """Group as written -> its tasks, as written."""


def row_of(plan: ImportedPlan) -> Row:
    members: dict[str, list[str]] = {}
    for task in plan.tasks:
        if task.group:
            members.setdefault(task.group, []).append(task.id)
    names = list(dict.fromkeys([*(one for one in plan.groups if one in members), *members]))
    follows = _follows(plan, members)
    row = _in_order(_largest(names, follows, members), follows)
    return Row(
        waves=tuple(_waves(row)),
        wave_of={name: wave.id for name, wave in zip(row, _waves(row), strict=True)},
        later=_later(names, follows),
        members={name: tuple(ids) for name, ids in members.items()},
    )


def _follows(plan: ImportedPlan, names: Mapping[str, list[str]]) -> dict[str, list[str]]:
    follows: dict[str, list[str]] = {}
    for edge in plan.edges:
        walls = edge.kind in ("barrier", "group")
        if walls and edge.before in names and edge.after in names and edge.before != edge.after:
            follows.setdefault(edge.before, []).append(edge.after)
    return follows


def _word(name: str) -> str:
    hit = _NAME.match(name)
    word = hit["word"].casefold() if hit else ""
    return word if word in SEQUENTIAL else ""


def _largest(
    names: list[str], follows: Mapping[str, list[str]], members: Mapping[str, list[str]]
) -> list[str]:
    """The groups joined by edges or by their common word that hold the most tasks."""
    label = {name: name for name in names}

    def find(name: str) -> str:
        while label[name] != name:
            label[name] = label[label[name]]
            name = label[name]
        return name

    first: dict[str, str] = {}
    for name in names:
        if word := _word(name):
            label[find(name)] = find(first.setdefault(word, name))
    for before, afters in follows.items():
        for after in afters:
            label[find(after)] = find(before)
    joined = {*follows, *(one for afters in follows.values() for one in afters)}
    size: Counter[str] = Counter()
    for name in names:
        if name in joined or _word(name):
            size[find(name)] += len(members[name])
    if not size:
        return []
    chosen = size.most_common(1)[0][0]
    return [name for name in names if find(name) == chosen]


def _in_order(names: list[str], follows: Mapping[str, list[str]]) -> list[str]:
    """By what follows what, ties as written; a circle is left as written."""
    inside = set(names)
    waiting = Counter(one for name in names for one in follows.get(name, ()) if one in inside)
    order: dict[str, None] = {}
    free = [name for name in names if not waiting[name]]
    while free:
        name = free.pop(0)
        order[name] = None
        for after in follows.get(name, ()):
            if after in inside:
                waiting[after] -= 1
                if not waiting[after]:
                    free.append(after)
        free.sort(key=names.index) if len(names) <= _FAR else None
    return [*order, *(name for name in names if name not in order)]


def _later(names: Iterable[str], follows: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    later: dict[str, tuple[str, ...]] = {}
    for name in names:
        if len(follows) > _FAR:
            later[name] = tuple(dict.fromkeys(follows.get(name, ())))
            continue
        found: dict[str, None] = {}
        todo = list(follows.get(name, ()))
        while todo:
            one = todo.pop(0)
            if one not in found and one != name:
                found[one] = None
                todo += follows.get(one, ())
        later[name] = tuple(found)
    return later


def _waves(row: list[str]) -> list[Wave]:
    hits = [_NAME.match(name) if _word(name) else None for name in row]
    alike = len({_word(name) for name in row}) == 1
    waves: list[Wave] = []
    taken: set[str] = set()
    for number, (name, hit) in enumerate(zip(row, hits, strict=True), start=1):
        wanted, title = slug(name, "-"), name
        if hit:
            token = hit["token"].rstrip(".")
            wanted = token if alike else f"{_word(name)}-{token}"
            title = hit["title"]
        one = plain(wanted, f"wave-{number}", taken)
        taken.add(one)
        waves.append(Wave(id=WaveId(one), title=line_of(title)))
    return waves

"""How two sides' changes to named entries become one: the three-way merge under every file driver.

Knows neither text nor format. A change that only one side made is taken, one
that both made alike is taken once, anything else is a `Clash`; nothing is
ever chosen for one side and against the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

SHOWN = 300
"""Characters of a side's value that a clash shows."""


class Clash(Exception):
    """Both sides changed one thing, each in its own way.

    `sides` are ours and theirs, or nothing when the sentence alone says it.
    """

    def __init__(self, what: str, *sides: object) -> None:
        super().__init__(what, *sides)
        self.what, self.sides = what, sides

    def __str__(self) -> str:
        """A sentence an agent can act on."""
        who = ("the integration branch has", "this branch has")
        told = "; ".join(
            f"{one} {_shown(side)}" for one, side in zip(who, self.sides, strict=False)
        )
        return f"{self.what}: {told}" if told else self.what

    def within(self, name: object) -> Clash:
        """The same clash, told from one level further out."""
        return Clash(f"{name} > {self.what}" if self.what else str(name), *self.sides)


def _shown(side: object) -> str:
    text = side if isinstance(side, str) else repr(side)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} …"


Both = Callable[[V | None, V, V], V]
"""(base, ours, theirs) -> one value, for an entry that both sides have and both changed."""


def merge_one(base: V, ours: V, theirs: V) -> V:
    """A value without parts. Clash when both sides changed it differently."""
    if same(ours, theirs) or same(theirs, base):
        return ours
    if same(ours, base):
        return theirs
    raise Clash("", ours, theirs)


def same(one: Any, other: Any) -> bool:
    """Equal, also in type (`1` is not `true`) and in the order of keys."""
    if isinstance(one, dict | list | int | float):
        return one is other or repr(one) == repr(other)
    return bool(one == other)


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


_ABSENT: Any = _Absent()


def merge_entries(
    base: Mapping[K, V], ours: Mapping[K, V], theirs: Mapping[K, V], both: Both[V]
) -> dict[K, V]:
    """Entries by key, in our order with theirs where they put them; ours first at one place.

    Clash for an entry that both changed (unless `both` merges it), for one that one
    side removed and the other changed, and for two different orders.
    """
    kept: dict[K, V] = {}
    for key in dict.fromkeys((*ours, *theirs)):
        old, one, other = (side.get(key, _ABSENT) for side in (base, ours, theirs))
        try:
            chosen = _merged(old, one, other, both)
        except Clash as clash:
            raise clash.within(key[1] if isinstance(key, tuple) else key) from None
        if chosen is not _ABSENT:
            kept[key] = chosen
    return {key: kept[key] for key in merge_order(list(base), list(ours), list(theirs), kept)}


def _merged(old: V, one: V, other: V, both: Both[V]) -> V:
    try:
        return merge_one(old, one, other)
    except Clash:
        if one is _ABSENT or other is _ABSENT:
            raise
        return both(None if old is _ABSENT else old, one, other)


def no_parts(base: object, ours: object, theirs: object) -> Any:
    """For entries that are one thing each."""
    raise Clash("", ours, theirs)


def merge_order(
    base: Sequence[K], ours: Sequence[K], theirs: Sequence[K], kept: Iterable[K]
) -> list[K]:
    """`kept` in the order of the side that moved something, else in ours."""
    common = set(base) & set(ours) & set(theirs)
    old, one, other = ([key for key in side if key in common] for side in (base, ours, theirs))
    try:
        is_ours = merge_one(old, one, other) == one
    except Clash:
        raise Clash("the order", one, other) from None
    first, second = (ours, theirs) if is_ours else (theirs, ours)
    wanted, placed, known = set(kept), set(first), set(second)
    after: dict[K | None, list[K]] = {}
    anchor: K | None = None
    for key in second:
        if key in wanted and key not in placed:
            after.setdefault(anchor, []).append(key)
        elif key in wanted:
            anchor = key
    merged, waiting = ([], after.get(None, [])) if is_ours else (list(after.get(None, [])), [])
    for key in first:
        if key not in wanted:
            continue
        if key in known or not is_ours:  # what only ours added goes before what only theirs did
            merged += waiting
            waiting = []
        merged.append(key)
        new = after.get(key, [])
        if is_ours:
            waiting = [*waiting, *new]
        else:
            merged += new
    return merged + waiting


def merge_items(
    base: Sequence[V],
    ours: Sequence[V],
    theirs: Sequence[V],
    *,
    name: Callable[[V], Hashable | None],
    content: Callable[[V], Hashable],
    both: Both[V],
) -> list[V]:
    """A list: by the items' names where those are unique, else by what the items say.

    An item that both sides took out, where they then differ, may have been
    edited or renamed by both: that is a clash too.
    """
    sides = (base, ours, theirs)
    if not all(_are_unique([name(item) for item in side]) for side in sides):
        return merge_items(base, ours, theirs, name=_nameless, content=content, both=both)
    old, one, other = (_keyed(side, name, content) for side in sides)
    gone = [key for key in old if key not in one and key not in other]
    if gone and one.keys() != other.keys():
        new = [[key[1] for key in side if key not in old] for side in (one, other)]
        raise Clash(f"what stood as {_shown(gone[0][1])}", *new)
    return list(merge_entries(old, one, other, both).values())


def _nameless(item: object) -> None:
    """No item is known by a name."""


def _are_unique(names: Sequence[Hashable | None]) -> bool:
    told = [name for name in names if name is not None]
    return len(set(told)) == len(told)


ItemKey = tuple[bool, Hashable, int]
"""(has a name, the name or what it says, the how-manieth of those that say it)."""


def _keyed(
    items: Sequence[V], name: Callable[[V], Hashable | None], content: Callable[[V], Hashable]
) -> dict[ItemKey, V]:
    seen: Counter[Hashable] = Counter()
    keyed: dict[ItemKey, V] = {}
    for item in items:
        if (named := name(item)) is not None:
            keyed[True, named, 0] = item
        else:
            said = content(item)
            seen[said] += 1
            keyed[False, said, seen[said]] = item
    return keyed


Named = Callable[[Any], Hashable | None]


def merge_values(base: Any, ours: Any, theirs: Any, name: Named = _nameless) -> Any:
    """Parsed data (tables, lists, scalars); `name` says what a list's item is known by."""

    def deeper(old: Any, one: Any, other: Any) -> Any:
        return merge_values(old, one, other, name)

    if not same(ours, theirs):
        if all(isinstance(side, dict) for side in (base or {}, ours, theirs)):
            return merge_entries(base or {}, ours, theirs, deeper)
        if all(isinstance(side, list) for side in (base or [], ours, theirs)):
            return merge_items(base or [], ours, theirs, name=name, content=repr, both=deeper)
    return merge_one(base, ours, theirs)

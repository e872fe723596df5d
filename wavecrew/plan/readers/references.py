"""Which tasks does a piece of text name?

`Tasks 1, 3 (needs the parser)`, `1.1–1.7`, `none (can run beside 1.1)`: a
reference is resolved only against ids that exist, a remark in brackets names
nothing, and what cannot be resolved is handed back instead of guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

MEMBERS = 10_000
"""A range of more ids than this is taken for a slip."""

_NONE = re.compile(r"(?:none|nothing|n/?a|no|nil|-+|–|—|\[\s*\])(?![\w-])", re.IGNORECASE)
_REMARK = re.compile(r"\([^()]*\)")
_BETWEEN = re.compile(r"\s*(?:,|;|&|\+|\band\b|\bsowie\b|\bund\b)\s*")
_LABEL = re.compile(r"(?:tasks?|stor(?:y|ies)|issues?|subtasks?|epics?|steps?)\s+", re.IGNORECASE)
_RANGE = re.compile(r"(?P<first>\S+?)\s*(?:–|—|-|\bto\b|\.\.\.?)\s*(?P<last>\S+)")


@dataclass(frozen=True)
class References:
    ids: tuple[str, ...] = ()
    """Known ids, in the order of the text, ranges expanded."""
    unknown: tuple[str, ...] = ()
    """What looks like an id and is none that is known."""
    ranges: tuple[str, ...] = ()
    """The ranges that were expanded, as written."""
    vague: tuple[str, ...] = ()
    """Words that name no task one could be sure of."""
    remarks: tuple[str, ...] = ()
    """Known ids that stand only in a remark and were therefore not taken."""


class KnownIds:
    """The ids of a plan, and what an id of its format looks like.

    `pattern` matches one whole id; `fold` makes the spellings of one id alike.
    """

    def __init__(
        self,
        ids: Iterable[str],
        pattern: re.Pattern[str],
        fold: Callable[[str], str] = str,
    ) -> None:
        self.pattern = pattern
        self.fold = fold
        self.by_spelling = {fold(one): one for one in ids}

    def find(self, written: str) -> str | None:
        """The id as the plan has it."""
        return self.by_spelling.get(self.fold(written))

    def inside(self, text: str) -> tuple[str, ...]:
        """Every known id that stands anywhere in `text`."""
        found = (self.find(match[0]) for match in self.pattern.finditer(text))
        return tuple(dict.fromkeys(one for one in found if one is not None))

    def between(self, first: str, last: str) -> tuple[str, ...]:
        """Ids from `first` to `last`; none unless every member of the range exists."""
        head, number = _split(first)
        tail, end = _split(last)
        if head != tail or number is None or end is None or not number <= end < number + MEMBERS:
            return ()
        members = [self._numbered.get((head, one)) for one in range(number, end + 1)]
        return tuple(one for one in members if one is not None) if None not in members else ()

    @cached_property
    def _numbered(self) -> dict[tuple[str, int | None], str]:
        return {_split(one): one for one in self.by_spelling.values()}


def read_references(text: str, known: KnownIds) -> References:
    """What `text` names; it holds nothing but the references and remarks on them."""
    text = text.strip().strip("*_`").strip()
    bare = text
    while (shorter := _REMARK.sub(" ", bare)) != bare:
        bare = shorter
    if not bare.strip(" .") or _NONE.match(bare.lstrip("[ ")):
        return References(remarks=known.inside(text))
    ids: dict[str, None] = {}
    unknown: dict[str, None] = {}
    ranges: list[str] = []
    vague: list[str] = []
    for written in _BETWEEN.split(bare.strip("[] .")):
        part = _LABEL.sub("", written, count=1).strip("[]'\"`*_# .")
        span = _RANGE.fullmatch(part)
        if known.pattern.fullmatch(part):
            found = known.find(part)
            (unknown if found is None else ids)[found or part] = None
        elif span and all(known.pattern.fullmatch(one) for one in span.groups()):
            inside = known.between(*span.groups())
            ranges += [part] if inside else []
            missing = [one for one in span.groups() if known.find(one) is None]
            ids.update(dict.fromkeys(inside))
            unknown.update(dict.fromkeys([] if inside else missing or [part]))
        elif part:
            vague.append(part)
    return References(tuple(ids), tuple(unknown), tuple(ranges), tuple(vague))


def _split(id_: str) -> tuple[str, int | None]:
    """(what stands before the last number, that number)."""
    digits = re.search(r"\d{1,9}$", id_)
    return (id_[: digits.start()], int(digits[0])) if digits else (id_, None)

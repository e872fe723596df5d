"""Which tasks does a phrase such as `Tasks 1, 3-5 (needs the parser)` mean?

Works inside one cell or one line. What it cannot tell for sure it hands back:
ranges, keywords such as ALL, groups such as Wave 2, and numbers that are no
task of this document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAX_RANGE = 500

_EMPHASIS = re.compile(r"[*`~]+|(?<!\w)_+|_+(?!\w)")
_PAREN = re.compile(r"[(（][^()（）]*[)）]")
_NONE = re.compile(
    r"(?:none|no(?:ne|thing)?\b(?!\.)|n/?a|nil|nothing|無|无|なし|无依赖"
    r"|keine?|ninguna|aucune|없음|[—–-]+|∅|✗|×)"
    r"(?:$|[\s,.;:(—–-])",
    re.IGNORECASE,
)
_GROUP = re.compile(
    r"\b(?P<word>wave|phase|batch|stage|group|track|stream|workstream|sprint|milestone|epic|step"
    r"|week|tier|layer|round)s?\s+(?P<name>[A-Z]\b|\d+(?:\.\d+)*[a-z]?\b|final\b)",
    re.IGNORECASE,
)
_ID = r"#?(?:[A-Za-z]{1,10}(?:[-_][A-Za-z]{1,6})?[-_.]?)?\d+(?:\.\d+)*[A-Za-z]?"
_WORDS = re.compile(
    rf"(?<![\w.])(?P<first>{_ID})(?![\w])"
    rf"(?:\s*(?:[-–—~～]|\.\.\.?|…|\bto\b|\bthrough\b|\bthru\b)\s*(?P<last>{_ID})(?![\w]))?"
)
_ALL = re.compile(
    r"\b(?:all|every|everything|any)\b(?:\s+(?:of\s+)?(?:the\s+)?(?:above|previous|prior|preceding"
    r"|other|subsequent|remaining|implementation|tasks?|others?|following|downstream|rest|work))*",
    re.IGNORECASE,
)
_FINAL = re.compile(r"\bfinal\b(?!\.)(?:\s+(?:verification|wave|review|checks?))*", re.IGNORECASE)
_AFTER_REMARK = re.compile(
    r"\s+(?:—|–|--|-)\s+(?=[^\W\d_]{3,})(?!tasks?\b)"
    r"|;\s|\s(?:because|since|though|so that|but|before)\s",
    re.IGNORECASE,
)
_SPLIT = re.compile(r"^(?P<head>.*?)(?P<number>\d+)(?P<tail>[A-Za-z]?)$")


class Known:
    """The ids of a document, found again in other spellings: `T5`, `Task 5`, `#5`, `05` for `5`."""

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = tuple(dict.fromkeys(ids))
        self._exact = set(self.ids)
        spaced = sorted((one for one in self.ids if " " in one), key=len, reverse=True)[:500]
        words = "|".join(re.escape(one) for one in spaced)
        self._phrases = re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.I) if words else None
        self._alias: dict[str, str] = {}
        for one in self.ids:
            for spelling in _spellings(one):
                self._alias.setdefault(spelling, one)

    def find(self, word: str) -> str | None:
        """The id written as `word`, or None."""
        if word in self._exact:
            return word
        for spelling in _spellings(word):
            if spelling in self._alias:
                return self._alias[spelling]
        return None

    def phrases(self, text: str) -> tuple[list[str], str]:
        """Ids of several words such as `Agent 1`, and the text without them."""
        if self._phrases is None:
            return [], text
        found = [self.find(hit) or hit for hit in self._phrases.findall(text)]
        return found, self._phrases.sub(" ", text)


def _spellings(word: str) -> tuple[str, ...]:
    low = word.casefold().lstrip("#")
    bare = re.sub(r"^(?:task|t)[-_ ]?(?=\d)", "", low)
    plain = re.sub(r"(?<![\d.])0+(?=\d)", "", bare)
    return tuple(dict.fromkeys((low, bare, plain)))


@dataclass(frozen=True)
class References:
    ids: tuple[str, ...] = ()
    """Task ids of the document, in order, ranges expanded."""
    unknown: tuple[str, ...] = ()
    """Words that look like ids but are none of the document."""
    ranges: tuple[str, ...] = ()
    """Ranges as written that were expanded."""
    groups: tuple[str, ...] = ()
    """`Wave 2`, `Phase 1` and so on, as written."""
    keywords: tuple[str, ...] = ()
    """`all` and `final`."""
    is_none: bool = False
    """It says that there are none."""
    vague: str = ""
    """The text, when nothing of it could be told."""


def references(text: str, known: Known, *, trust_unknown: bool = True) -> References:
    """What `text` refers to. With `trust_unknown` false, numbers that are no ids say nothing."""
    plain = " ".join(_EMPHASIS.sub("", text).split())
    if not plain or _NONE.match(plain):
        return References(is_none=True)
    outside = plain
    for _ in range(5):
        outside, count = _PAREN.subn(" ", outside)
        if not count:
            break
    if not _WORDS.search(outside) and not _GROUP.search(outside) and not _ALL.search(outside):
        outside = plain.replace("(", " ").replace(")", " ") if _WORDS.search(plain) else outside
    outside = _AFTER_REMARK.split(outside, maxsplit=1)[0]
    phrases, outside = known.phrases(outside)
    groups = tuple(" ".join(hit.group().split()) for hit in _GROUP.finditer(outside))
    rest = _GROUP.sub(" ", outside)
    ids: dict[str, None] = dict.fromkeys(phrases)
    unknown: dict[str, None] = {}
    ranges: list[str] = []
    for hit in _WORDS.finditer(rest):
        _resolve(hit, known, ids, unknown, ranges)
    keywords = []
    if _FINAL.search(rest):
        keywords.append("final")
    if _ALL.search(rest):
        keywords.append("all")
    told = ids or groups or keywords or (unknown and trust_unknown)
    return References(
        tuple(ids),
        tuple(unknown) if trust_unknown else (),
        tuple(ranges),
        groups,
        tuple(keywords),
        vague="" if told else plain,
    )


def _resolve(
    hit: re.Match[str],
    known: Known,
    ids: dict[str, None],
    unknown: dict[str, None],
    ranges: list[str],
) -> None:
    first, last = hit["first"], hit["last"]
    whole = known.find(hit.group())
    if whole is not None:
        ids[whole] = None
        return
    members = range_members(first, last) if last else (first,)
    if last and not members:
        members = (first, last)
    elif last:
        ranges.append(hit.group())
    for one in members:
        found = known.find(one)
        if found is not None:
            ids[found] = None
        else:
            unknown[one] = None


def range_members(first: str, last: str) -> tuple[str, ...]:
    """`4.2` to `4.5`, `T005` to `T015`, `F1` to `4`: every id; empty when it is no range."""
    start, end = _SPLIT.match(first), _SPLIT.match(last)
    if start is None or end is None:
        return ()
    if end["head"] not in ("", start["head"]):
        return ()
    if start["number"] == end["number"] and start["tail"] and end["tail"]:
        span = range(ord(start["tail"]), ord(end["tail"]) + 1)
        return tuple(f"{start['head']}{start['number']}{chr(one)}" for one in span[:26])
    if start["tail"] or end["tail"] or len(start["number"]) > 12 or len(end["number"]) > 12:
        return ()
    low, high = int(start["number"]), int(end["number"])
    if not low < high < low + MAX_RANGE:
        return ()
    width = len(start["number"]) if start["number"].startswith("0") else 0
    return tuple(f"{start['head']}{number:0{width}d}" for number in range(low, high + 1))

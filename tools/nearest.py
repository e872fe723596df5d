"""Which known name was probably meant: for errors that a model has to mend."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name closest to `name`, or "" when none is close."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    found = get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or "" when nothing is close."""
    found = nearest(name, known)
    return f"; did you mean {found!r}?" if found else ""

"""How much work is written here: hours, a span of hours, or something that is no hours at all?

Minutes become hours. Days, weeks and sizes do not: how long a day is, is the
reader's question, not ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_NUMBER = r"\d{1,6}(?:[.,]\d{1,3})?"
_SPAN = re.compile(
    rf"(?P<low>{_NUMBER})\s*(?P<unit1>[A-Za-z]*)\.?\s*(?:(?:-|–|—|to|\.\.)\s*(?P<high>{_NUMBER})"
    r"\s*(?P<unit2>[A-Za-z]*))?(?P<plus>\s*\+)?"
)
_BOTH = re.compile(
    r"(?P<hours>\d{1,5})\s*h\w*\s*(?:and\s+)?(?P<minutes>\d{1,3})\s*m", re.IGNORECASE
)
_HOURS = frozenset(["h", "hr", "hrs", "hour", "hours"])
_MINUTES = frozenset(["m", "min", "mins", "minute", "minutes"])
_LONGER = frozenset(
    [
        "d",
        "day",
        "days",
        "w",
        "wk",
        "week",
        "weeks",
        "month",
        "months",
        "sp",
        "pt",
        "pts",
        "point",
        "points",
    ]
)
_SIZE = re.compile(r"(?:XX?S|S|M|L|X{1,3}L)(?![A-Za-z])")


@dataclass(frozen=True)
class Estimate:
    low: float | None = None
    """Hours; None when what is written is no number of hours."""
    high: float | None = None
    other: str = ""
    """What was written, when it says how much but not in hours: `M`, `2 days`."""

    @property
    def fields(self) -> dict[str, Any]:
        """As keywords of an `ImportedTask`."""
        if self.low is None:
            return {}
        single = self.low if self.low == self.high else None
        return {"hours": single, "hours_min": self.low, "hours_max": self.high}


def read_estimate(text: str, default_unit: str = "") -> Estimate | None:
    """The estimate that `text` begins with, None when it does not begin with one.

    `default_unit` is the unit of a bare number; without it a bare number is no hours.
    """
    text = text.strip().lstrip("~≈ ")
    if both := _BOTH.match(text):
        hours = int(both["hours"]) + int(both["minutes"]) / 60
        return Estimate(hours, hours)
    found = _SPAN.match(text)
    if found is None:
        size = _SIZE.match(text)
        return Estimate(other=size[0]) if size else None
    unit = (found["unit2"] or found["unit1"] or default_unit).lower()
    written = found[0].strip()
    if found["plus"] or unit in _LONGER:
        return Estimate(other=written)
    if unit not in _HOURS | _MINUTES:
        return Estimate(other=written) if not unit else None
    low = _hours(found["low"], (found["unit1"] or unit).lower())
    high = _hours(found["high"], unit) if found["high"] else low
    return Estimate(min(low, high), max(low, high))


def _hours(number: str, unit: str) -> float:
    value = float(number.replace(",", "."))
    return value / 60 if unit in _MINUTES else value

"""How many hours does an estimate such as `2-3h`, `15 min` or `4 days` mean?"""

from __future__ import annotations

import re
from dataclasses import dataclass

HOURS_PER_DAY = 8
DAYS_PER_WEEK = 5

_NUMBER = r"\d{1,6}(?:[.,]\d{1,3})?"
_DURATION = re.compile(
    rf"(?<![\w.])(?:~|≈|about\s+|approx\.?\s*)?(?P<low>{_NUMBER})"
    rf"(?:\s*(?:-|–|—|~|to|bis)\s*(?P<high>{_NUMBER}))?\s*\+?\s*"
    r"(?P<unit>minutes?|mins?|m|hours?|hrs?|h|stunden?|days?|d|tage?|weeks?|wks?|w|时|小时|分钟|時間|分|天|시간)"
    r"(?![A-Za-z])",
    re.IGNORECASE,
)
_UNITS = {
    "m": 1 / 60,
    "h": 1.0,
    "d": float(HOURS_PER_DAY),
    "w": float(HOURS_PER_DAY * DAYS_PER_WEEK),
}
_FOREIGN = {"s": "h", "t": "d", "时": "h", "小": "h", "時": "h", "시": "h", "分": "m", "天": "d"}


@dataclass(frozen=True)
class Estimate:
    low: float
    high: float
    unit: str
    """`m`, `h`, `d` or `w`; days and weeks are turned into hours by an assumption."""

    @property
    def hours(self) -> float | None:
        """The hours when it is one number; None for a span."""
        return self.low if self.low == self.high else None

    @property
    def assumes_day(self) -> bool:
        return self.unit in "dw"


def estimate(text: str) -> Estimate | None:
    """The first duration in `text`; parts such as `1h 30m` are added up. None without one."""
    found: Estimate | None = None
    end = 0
    for hit in _DURATION.finditer(text):
        one = _read(hit)
        if found is None:
            found = one
        elif text[end : hit.start()].strip() == "" and found.unit == "h" and one.unit == "m":
            found = Estimate(found.low + one.low, found.high + one.high, "h")
        else:
            break
        end = hit.end()
    return found


def _read(hit: re.Match[str]) -> Estimate:
    letter = hit["unit"][0].lower()
    unit = _FOREIGN.get(letter, letter)
    factor = _UNITS[unit]
    low = float(hit["low"].replace(",", "."))
    high = float(hit["high"].replace(",", ".")) if hit["high"] else low
    return Estimate(_hours(low * factor), _hours(max(low, high) * factor), unit)


def _hours(value: float) -> float:
    return round(value, 4)

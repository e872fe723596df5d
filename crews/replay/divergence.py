"""Where does a replay part from its recording, and which differences are none?

Trees and commits are compared bit for bit. Only texts may differ, and only in
what `VOLATILE` names: things no second run can repeat.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

_MONTH = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_DAY = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"

VOLATILE: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("dates", re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ](?=\d\d:))?"), "<date>"),
    ("dates", re.compile(rf"\b(?:(?:{_DAY}),? )?(?:{_MONTH}) +\d{{1,2}}\b"), "<date>"),
    ("clock times", re.compile(r"\b\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?\b"), "<time>"),
    ("durations", re.compile(r"\b\d+(?:\.\d+)?(?:e-\d+)? ?(?:s|ms|sec|seconds?)\b"), "<duration>"),
    ("memory addresses", re.compile(r"\b0x[0-9a-fA-F]{6,}\b"), "<address>"),
    ("ids of commits", re.compile(r"\b(?=[a-f]*\d)[0-9a-f]{7,64}\b"), "<id>"),
    ("rulers, as pytest draws them", re.compile(r"={3,}|-{3,}|_{3,}"), "<ruler>"),
)
"""What it is, how it looks, what stands for it when two texts are compared."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first place where a replay came to something else."""

    kind: str
    """task, triage, sync, landing."""
    subject: str
    """Task id or sync point id."""
    attempt: int
    """Attempt, or round of a sync point."""
    exchange: int
    """Number in the journal; 0 for what stands in no journal, such as a landing."""
    what: str
    expected: str
    """What is recorded."""
    came: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Diverged(Exception):
    """Ends a replay."""

    def __init__(self, divergence: Divergence) -> None:
        super().__init__(divergence)
        self.divergence = divergence


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the run a replay is at work."""

    kind: str
    subject: str
    attempt: int
    exchange: int = 0

    def same(self, what: str, expected: object, came: object) -> None:
        """Go on when both are equal, else raise Diverged."""
        if expected != came:
            raise self.diverged(what, expected, came)

    def diverged(self, what: str, expected: object, came: object) -> Diverged:
        here = (self.kind, self.subject, self.attempt, self.exchange)
        return Diverged(Divergence(*here, what, str(expected), str(came)))

    def at(self, exchange: int) -> Place:
        return Place(self.kind, self.subject, self.attempt, exchange)


def settled(text: str) -> str:
    """`text` with everything volatile replaced, so that two runs of one thing are equal."""
    for _, pattern, stand_in in VOLATILE:
        text = pattern.sub(stand_in, text)
    return text

"""What is a schedule, once every task has its time?

Times are whole minutes from the start, so that no two ways of computing one
schedule can differ by a rounding error.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from typing import NamedTuple

from wavecrew.plan.model import TaskId

MINUTES = 60


class Span(NamedTuple):
    """One task at work, from `start` up to but not including `end`."""

    task: TaskId
    role: str
    start: int
    end: int


@dataclass(frozen=True)
class Timeline:
    spans: tuple[Span, ...]
    """By start, then end; one for each task."""

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Timeline:
        return cls(tuple(sorted(spans, key=lambda span: (span.start, span.end))))

    @cached_property
    def minutes(self) -> int:
        """From the start to the end of the last task."""
        return max((span.end for span in self.spans), default=0)

    @property
    def hours(self) -> float:
        return self.minutes / MINUTES

    @property
    def most_at_once(self) -> int:
        """How many agents it really keeps at work at the busiest moment."""
        ends: list[int] = []
        most = 0
        for span in self.spans:
            while ends and ends[0] <= span.start:
                heappop(ends)
            if span.end > span.start:
                heappush(ends, span.end)
                most = max(most, len(ends))
        return most

    def order(self) -> tuple[TaskId, ...]:
        return tuple(span.task for span in self.spans)

    def lanes(self) -> dict[str, list[list[Span]]]:
        """Role -> its agents -> their spans in order; roles by their first start."""
        lanes: dict[str, list[list[Span]]] = {}
        for span in self.spans:
            agents = lanes.setdefault(span.role, [])
            free = next((lane for lane in agents if lane[-1].end <= span.start), None)
            if free is None:
                agents.append([span])
            else:
                free.append(span)
        return lanes

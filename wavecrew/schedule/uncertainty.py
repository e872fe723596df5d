"""How long may it take, when estimates are guesses and work comes back?

Monte Carlo: the scheduler is played many times, each time with every task a
random stretch longer or shorter and with attempts that fail and are done over
in part. The random generator is handed in: the same seed gives the same band.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from wavecrew.plan.model import TaskId
from wavecrew.schedule.problem import Job, Problem
from wavecrew.schedule.simulate import dispatch

MOST_JOBS = 200_000
"""Jobs played in all; a large plan is played less often."""
LEAST = 20


@dataclass(frozen=True)
class Doubt:
    """What is assumed about one task."""

    low: float = 0.7
    high: float = 2.0
    """A first attempt takes between these parts of the estimate; most likely all of it."""
    failing: float = 0.15
    """Part of the attempts that a gate or the merge queue sends back."""
    rework: float = 0.5
    """What an attempt after the first takes, as part of the first."""


@dataclass(frozen=True)
class Band:
    """Minutes that a tenth, a half and nine tenths of the plays stay below."""

    p10: int
    p50: int
    p90: int
    plays: int
    stuck: float
    """Part of the plays in which some task uses up its attempts and waits for a person. It
    counts as done with the last attempt: how long a person takes is not guessed."""


def band(
    problem: Problem,
    order: Mapping[TaskId, int],
    random: Random,
    *,
    plays: int = 500,
    doubt: Doubt | None = None,
) -> Band:
    """Where the end will lie when ready tasks are started in `order`."""
    told = doubt or Doubt()
    plays = max(LEAST, min(plays, MOST_JOBS // max(1, len(problem.jobs))))
    ends, stuck = [], 0
    for _ in range(plays):
        lengths, gave_up = {}, False
        for task, job in problem.jobs.items():
            lengths[task], passed = _length(job, random, told)
            gave_up |= not passed
        stuck += gave_up
        ends.append(dispatch(problem, order, lengths).minutes)
    ends.sort()
    tenth, half, most = (ends[(plays - 1) * part // 10] for part in (1, 5, 9))
    return Band(tenth, half, most, plays, stuck / plays)


def _length(job: Job, random: Random, doubt: Doubt) -> tuple[int, bool]:
    """Minutes until the job is merged or given up, and whether it is merged."""
    first = job.minutes * random.triangular(doubt.low, doubt.high, 1.0)
    minutes = first
    for attempt in range(1, job.attempts + 1):
        if random.random() >= doubt.failing:
            return round(minutes), True
        if attempt < job.attempts:
            minutes += first * doubt.rework
    return round(minutes), False

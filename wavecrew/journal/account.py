"""What did a run spend, and where: for the run, each wave, each task, and the manager crew?

A fold over the log like every other view: a resumed run knows what was paid
for, because the log does. The run's figures are the sums of those below it.
Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

RUN = "run"
CREW = "crew"
"""The manager crew's share. It counts for the run, and for no wave or task."""
MOST_GAP_S = 900.0
"""Of the time between two facts no more counts as work: an engine that was killed says nothing."""


@dataclass(slots=True)
class Spent:
    cost_usd: float = 0.0
    tokens: int = 0
    model_calls: int = 0
    """Answers that were paid for."""
    tries: int = 0
    """HTTP requests that these answers took."""
    worked_s: float = 0.0
    """Seconds at work, up to the end of the newest attempt."""


@dataclass(slots=True)
class Account:
    """What was spent by node: `run`, `crew`, `wave/<id>`, `task/<id>`."""

    spent: dict[str, Spent] = field(default_factory=dict)
    clock_s: float = 0.0
    """The run's working time up to the newest fact; pauses stand still."""
    seen_at: float = 0.0
    """When that was, in seconds since the epoch; 0 while the run is paused."""
    since_s: dict[str, float] = field(default_factory=dict)
    """Node at work -> the clock when it began."""
    waves_of: dict[str, str] = field(default_factory=dict)
    """Task at work -> its wave, empty when it has none."""

    def of(self, node: str) -> Spent:
        """The figures of a node, to read; all are zero where nothing was spent."""
        return self.spent.get(node, Spent())

    def pay(self, nodes: tuple[str, ...], tokens: int, cost_usd: float, tries: int) -> None:
        """Count one answer of a model at each of `nodes`."""
        for node in nodes:
            spent = self._counted(node)
            spent.model_calls += 1
            spent.tokens += tokens
            spent.tries += tries
            spent.cost_usd = round(spent.cost_usd + cost_usd, 9)

    def tick(self, at: str) -> None:
        """Take in when a fact was written."""
        moment = datetime.fromisoformat(at).timestamp()
        self.clock_s = self.clock_at(moment)
        self.seen_at = max(self.seen_at, moment)

    def clock_at(self, now: float) -> float:
        """The working time at `now`, in seconds since the epoch."""
        if not self.seen_at:
            return self.clock_s
        return self.clock_s + min(max(0.0, now - self.seen_at), MOST_GAP_S)

    def pause(self) -> None:
        """The clock stands until the next tick."""
        self.seen_at = 0.0

    def begin(self, task: str, wave: str) -> None:
        """An attempt at `task` is at work."""
        self.waves_of[task] = wave
        for node in nodes_of(task, wave)[1:]:
            self.since_s.setdefault(node, self.clock_s)

    def end(self, task: str) -> None:
        """No attempt at `task` is at work any more."""
        wave = self.waves_of.pop(task, None)
        if wave is None:
            return
        self._stop(f"task/{task}")
        if wave and wave not in self.waves_of.values():
            self._stop(f"wave/{wave}")

    def worked_s(self, node: str, now: float) -> float:
        """Seconds that a node was at work until `now`."""
        clock_s = self.clock_at(now)
        if node == RUN:
            return clock_s
        open_s = clock_s - self.since_s[node] if node in self.since_s else 0.0
        return self.of(node).worked_s + open_s

    def _stop(self, node: str) -> None:
        self._counted(node).worked_s += self.clock_s - self.since_s.pop(node)

    def _counted(self, node: str) -> Spent:
        return self.spent.setdefault(node, Spent())


def nodes_of(task: str, wave: str) -> tuple[str, ...]:
    """A task's place in the tree, from the run down."""
    return (RUN, f"wave/{wave}", f"task/{task}") if wave else (RUN, f"task/{task}")

"""How many calls may be under way at once, and when may the next one go?

Additive increase, multiplicative decrease over all agents of a run: a 429, a
5xx, a time-out or a lost connection halves how many go at once and lets nobody
go for a moment; each answer raises it again. After several troubled rounds
without one answer the provider counts as down, and one call at a time probes
it. Pure: the clock and the dice are arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from wavecrew.plan.settings import ModelSettings

Trouble = Literal["busy", "failed"]
"""busy: the provider says 429. failed: 5xx, a time-out, a connection that is lost or refused."""

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""The longest that we wait by ourselves; a Retry-After may ask for more."""
POLL_S = 0.1
"""An agent without a slot asks again after this long for each agent per slot."""
POLLS_S = (0.2, 5.0)

Dice = Callable[[], float]
"""A number from 0 up to 1."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What the settings say about it."""

    agents: int
    """Calls at once when all is well."""
    requests_per_minute: float = 0
    tokens_per_minute: float = 0
    rounds: int = 6
    """Troubled rounds in a row after which the provider counts as down."""
    patience_s: float = 1800

    @classmethod
    def of(cls, model: ModelSettings, agents: int) -> Pace:
        return cls(
            agents=agents,
            requests_per_minute=model.requests_per_minute,
            tokens_per_minute=model.tokens_per_minute,
            rounds=model.retries,
            patience_s=model.patience_minutes * 60,
        )


@dataclass(slots=True)
class Traffic:
    """The state of one provider, as one row of the ledger holds it. Times are epoch seconds."""

    limit: float = 0.0
    """Calls at once; a fraction is on its way to the next one. 0: nothing was called yet."""
    calls: int = 0
    """Under way now."""
    quiet_until: float = 0.0
    """Nobody goes before."""
    troubles: int = 0
    """Troubled rounds since the last answer."""
    cut_at: float = 0.0
    """When the limit was last cut: calls that went before tell nothing new."""
    next_request_at: float = 0.0
    next_tokens_at: float = 0.0
    why: str = ""
    """The newest trouble."""
    changes: int = 0
    """How often the limit has changed, as told in facts."""
    tries: int = 0
    refused: int = 0
    failed: int = 0

    def is_down(self, pace: Pace) -> bool:
        return self.troubles > 0 and self.troubles >= pace.rounds

    def slots(self, pace: Pace) -> int:
        """Calls that may be under way at once now."""
        if self.is_down(pace):
            return 1
        return max(1, min(pace.agents, int(self.limit or pace.agents)))

    def wait_s(self, pace: Pace, now: float, dice: Dice) -> float:
        """After how long to ask again; 0: it may go now."""
        slots = self.slots(pace)
        poll_s = min(max(POLLS_S[0], POLL_S * pace.agents / slots), POLLS_S[1]) * (0.5 + dice())
        if now < self.quiet_until:
            return self.quiet_until - now + poll_s * dice()
        # Without trouble nobody is counted: the manager crew comes on top of the agents.
        is_full = slots < pace.agents and self.calls >= slots
        return poll_s if is_full or (self.is_down(pace) and self.calls) else 0.0

    def go(self, pace: Pace, now: float, tokens: int) -> float:
        """A call goes out; how long it is still to wait for the rates that the settings allow."""
        self.limit = self.limit or float(pace.agents)
        self.calls += 1
        self.tries += 1
        wait_s = max(0.0, self.next_request_at - now, self.next_tokens_at - now)
        if pace.requests_per_minute:
            self.next_request_at = max(now, self.next_request_at) + 60 / pace.requests_per_minute
        if pace.tokens_per_minute:
            share_s = tokens * 60 / pace.tokens_per_minute
            self.next_tokens_at = max(now, self.next_tokens_at) + share_s
        return wait_s

    def gone(self) -> None:
        """A call that was under way is no more, whatever came of it."""
        self.calls = max(0, self.calls - 1)

    def answered(self, pace: Pace) -> bool:
        """An answer came. True when more calls may go at once than before."""
        before = (self.slots(pace), self.is_down(pace))
        self.troubles = 0
        self.limit = min(float(pace.agents), max(1.0, self.limit) + 1 / max(1.0, self.limit))
        return (self.slots(pace), self.is_down(pace)) != before

    def troubled(
        self,
        pace: Pace,
        now: float,
        trouble: Trouble,
        why: str,
        *,
        began: float,
        retry_after_s: float,
        dice: Dice,
    ) -> bool:
        """Trouble came of a call that went out at `began`. True when fewer may go at once now.

        Trouble of calls that went out together is one round. A Retry-After is
        waited for in full; without one the pause is drawn with full jitter.
        """
        before = (self.slots(pace), self.is_down(pace))
        self.why = why
        if trouble == "busy":
            self.refused += 1
        else:
            self.failed += 1
        if began >= self.cut_at:
            self.cut_at = now
            self.troubles += 1
            self.limit = max(1.0, min(self.limit or pace.agents, pace.agents) / 2)
            most_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self.troubles, 10))
            self.quiet_until = max(self.quiet_until, now + most_s * dice())
        if retry_after_s:
            self.quiet_until = max(self.quiet_until, now + retry_after_s)
        return (self.slots(pace), self.is_down(pace)) != before

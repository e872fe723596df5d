"""What a run may spend, reserved before each model call and settled after it.

Reservations count as spent until they are settled, so that ten agents at once
cannot overshoot together. Zero means unlimited, as in wavecrew.toml.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from wavecrew.plan.settings import Budget
from wavecrew.run.wire import Granted


class Purse:
    """The run's tokens, calls, minutes and calls per minute. Thread-safe."""

    def __init__(
        self,
        budget: Budget,
        *,
        clock: Callable[[], float],
        requests_per_minute: float = 0,
        tokens: int = 0,
        model_calls: int = 0,
    ) -> None:
        """`clock` counts seconds; `tokens` and `model_calls` are what was spent before a resume."""
        self._budget = budget
        self._clock = clock
        self._tokens = tokens
        self._calls = model_calls
        self._reserved = 0
        self._started = clock()
        self._gap_s = 60 / requests_per_minute if requests_per_minute else 0.0
        self._next_call_at = 0.0
        self._lock = threading.Lock()

    def reserve(self, tokens: int) -> Granted:
        """Set `tokens` aside for one call, or say what is used up."""
        with self._lock:
            reason = self._spent(tokens)
            if reason:
                return Granted(granted=False, reason=reason)
            self._reserved += tokens
            self._calls += 1
            return Granted(granted=True, wait_s=self._wait())

    def settle(self, reserved: int, tokens: int) -> None:
        """Give a reservation back and count what the call took."""
        with self._lock:
            self._reserved = max(0, self._reserved - reserved)
            self._tokens += tokens

    def _spent(self, tokens: int) -> str:
        budget = self._budget
        if budget.tokens and self._tokens + self._reserved + tokens > budget.tokens:
            return f"the run's budget of {budget.tokens} tokens is used up ({self._tokens} spent)"
        if budget.model_calls and self._calls >= budget.model_calls:
            return f"the run's budget of {budget.model_calls} model calls is used up"
        minutes = (self._clock() - self._started) / 60
        if budget.wall_minutes and minutes > budget.wall_minutes:
            return f"the run's {budget.wall_minutes:g} minutes are over"
        return ""

    def _wait(self) -> float:
        now = self._clock()
        wait = max(0.0, self._next_call_at - now)
        self._next_call_at = max(now, self._next_call_at) + self._gap_s
        return wait

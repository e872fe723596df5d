"""What a run may spend, reserved before each model call and settled after it.

The tree is run, wave, task. What was spent is folded from the log; what agents
have reserved stands in the ledger by the agent's session, so that ten agents at
once cannot overshoot together and one that died takes nothing along. The same
door lets calls go to the provider as `traffic.py` says. Zero means unlimited,
as in wavecrew.toml.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from wavecrew.budget.held import Held, row_of, set_aside, take_back, together
from wavecrew.budget.limits import Level, allowance_of, level_of, over
from wavecrew.budget.prices import Prices, Usage
from wavecrew.budget.traffic import Dice, Pace, Traffic, Trouble
from wavecrew.journal.account import Account, Spent
from wavecrew.journal.events import ProviderChanged
from wavecrew.journal.instant import utc
from wavecrew.journal.ledger import Ledger, MemoryLedger, Rows
from wavecrew.plan.settings import Budget, ModelSettings

PROVIDER = "provider"
BRIEFLY_S = 0.5
"""Where others' reservations leave no room, an agent asks again after this long."""

Spending = Callable[[str, float], Spent]
"""Node and time -> what was spent there until then."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """May this call go?"""

    granted: bool
    wait_s: float = 0.0
    """Granted: sleep so long before the call. Not granted, and nothing used up: ask again then."""
    reason: str = ""
    level: Level = ""
    """What is used up; `provider`: our patience with it."""
    tokens: int = 0
    cost_usd: float = 0.0
    """What was asked for when it was refused."""


class Purse:
    """The run's money, tokens, calls and minutes, and its calls to the provider. Thread-safe."""

    def __init__(
        self,
        budget: Budget,
        *,
        spent: Spending = lambda node, now: Spent(),
        refresh: Callable[[], None] = lambda: None,
        ledger: Ledger | None = None,
        pace: Pace | None = None,
        prices: Prices | None = None,
        changes: int = 0,
        clock: Callable[[], float] = time.time,
        dice: Dice = random.random,
    ) -> None:
        """`clock` counts seconds since the epoch; `changes` were told of the provider before.

        `refresh` takes in what other engines of the run have written to the log.
        """
        self.prices = prices or Prices(ModelSettings())
        self._budget = budget
        self._spent = spent
        self._refresh = refresh
        self._ledger = ledger or MemoryLedger()
        self._pace = pace or Pace(agents=1000)
        self._changes = changes
        self._clock = clock
        self._dice = dice

    def reserve(self, session: str, nodes: Sequence[str], usage: Usage, model: str = "") -> Verdict:
        """Set aside what one call may take at most, and a place among the calls under way.

        `nodes` is the session's place in the tree, from the run down.
        """
        cost_usd = self.prices.cost_usd(model, usage)
        want = Held(list(nodes), usage.prompt + usage.answer, cost_usd, 1)

        def work(rows: Rows) -> Verdict:
            # With the rows in hand: what is set aside no more stands in the log by now.
            self._refresh()
            return self._reserve(rows, row_of(session), want)

        return self._ledger.change([*nodes, row_of(session), PROVIDER], work)

    def answered(self, session: str, usage: Usage, model: str = "") -> ProviderChanged | None:
        """An answer came. What it took stays set aside until `counted`; a fact when one is due."""
        tokens, cost_usd = usage.prompt + usage.answer, self.prices.cost_usd(model, usage)

        def settle(rows: Rows, held: Held, traffic: Traffic) -> bool:
            take_back(rows, held, traffic)
            held.tokens, held.cost_usd, held.calls = tokens, cost_usd, 1
            held.failing_since = 0.0
            set_aside(rows, held)
            return traffic.answered(self._pace)

        return self._settle(session, settle)

    def troubled(
        self, session: str, trouble: Trouble, why: str, retry_after_s: float = 0.0
    ) -> ProviderChanged | None:
        """The provider was busy or failed; the reservation is given back."""
        now = self._clock()

        def settle(rows: Rows, held: Held, traffic: Traffic) -> bool:
            take_back(rows, held, traffic)
            held.failing_since = held.failing_since or now
            return traffic.troubled(
                self._pace,
                now,
                trouble,
                why,
                began=held.began,
                retry_after_s=retry_after_s,
                dice=self._dice,
            )

        return self._settle(session, settle)

    def given_back(self, session: str) -> None:
        """Nothing came of the call, and it tells nothing about the provider."""

        def settle(rows: Rows, held: Held, traffic: Traffic) -> bool:
            take_back(rows, held, traffic)
            return False

        self._settle(session, settle)

    def counted(self, session: str) -> None:
        """What the session's answer took stands in the log now."""

        def settle(rows: Rows, held: Held, traffic: Traffic) -> bool:
            if not held.is_calling:
                take_back(rows, held, traffic)
            return False

        self._settle(session, settle)

    def begin(self, session: str) -> None:
        """The session starts, perhaps again: the call that died with it frees what it held.

        An answer that is not in the log yet stays set aside: the journal brings it.
        """

        def settle(rows: Rows, held: Held, traffic: Traffic) -> bool:
            if held.is_calling:
                take_back(rows, held, traffic)
            held.failing_since = 0.0
            return False

        self._settle(session, settle)

    def end(self, session: str) -> None:
        """The session is over; nothing of it stays set aside."""

        def settle(rows: Rows, held: Held, traffic: Traffic) -> bool:
            take_back(rows, held, traffic)
            held.nodes = []
            return False

        self._settle(session, settle)

    def used_up(
        self, nodes: Sequence[str], tokens: int = 1, cost_usd: float = 0.0
    ) -> Verdict | None:
        """Why a call of this size will not be granted on this path; None when it may be."""
        return self._refusal(nodes, Held(list(nodes), tokens, cost_usd, 1), self._clock())

    # ---- within a change of the ledger

    def _reserve(self, rows: Rows, row: str, want: Held) -> Verdict:
        now = self._clock()
        held, traffic = Held.read(rows[row]), self._traffic(rows)
        take_back(rows, held, traffic)
        verdict = self._verdict(rows, want, held.failing_since, traffic, now)
        want.failing_since = held.failing_since
        if verdict.granted:
            wait_s = traffic.go(self._pace, now, want.tokens)
            verdict = Verdict(granted=True, wait_s=wait_s)
            want.is_calling, want.began = True, now + wait_s
            set_aside(rows, want)
        else:
            want.tokens, want.cost_usd, want.calls = 0, 0.0, 0
        rows[row], rows[PROVIDER] = asdict(want), asdict(traffic)
        return verdict

    def _verdict(
        self, rows: Rows, want: Held, failing_since: float, traffic: Traffic, now: float
    ) -> Verdict:
        refused = self._refusal(want.nodes, want, now)
        if refused:
            return refused
        patience_s = self._pace.patience_s
        if failing_since and max(now, traffic.quiet_until) - failing_since > patience_s:
            return Verdict(granted=False, level="provider", reason=self._impatient(traffic, now))
        if not self._has_room(rows, want, now):
            return Verdict(granted=False, wait_s=BRIEFLY_S)
        wait_s = traffic.wait_s(self._pace, now, self._dice)
        return Verdict(granted=not wait_s, wait_s=wait_s)

    def _refusal(self, nodes: Sequence[str], want: Held, now: float) -> Verdict | None:
        """What is used up, whatever others have set aside."""
        for node in nodes:
            allowance, spent = allowance_of(self._budget, node), self._spent(node, now)
            if reason := over(allowance, spent, want, node):
                level = level_of(node)
                return Verdict(False, 0.0, reason, level, want.tokens, want.cost_usd)
        return None

    def _has_room(self, rows: Rows, want: Held, now: float) -> bool:
        """False while what others have set aside may still turn out to be needed."""
        for node in want.nodes:
            allowance, spent = allowance_of(self._budget, node), self._spent(node, now)
            if over(allowance, spent, together(want, rows[node]), node):
                return False
        return True

    def _settle(
        self, session: str, settle: Callable[[Rows, Held, Traffic], bool]
    ) -> ProviderChanged | None:
        """Have `settle` change what a session holds; a fact when it says that traffic changed."""
        row = row_of(session)
        nodes = self._ledger.change([row], lambda rows: Held.read(rows[row]).nodes)

        def work(rows: Rows) -> ProviderChanged | None:
            held, traffic = Held.read(rows[row]), self._traffic(rows)
            fact = self._fact(traffic) if settle(rows, held, traffic) else None
            rows[row] = asdict(held) if held.nodes else {}
            rows[PROVIDER] = asdict(traffic)
            return fact

        return self._ledger.change([*nodes, row, PROVIDER], work)

    def _traffic(self, rows: Rows) -> Traffic:
        row = rows[PROVIDER]
        return Traffic(**row) if row else Traffic(changes=self._changes)

    def _fact(self, traffic: Traffic) -> ProviderChanged:
        traffic.changes += 1
        quiet = datetime.fromtimestamp(traffic.quiet_until, UTC)
        return ProviderChanged(
            change=traffic.changes,
            limit=traffic.slots(self._pace),
            agents=self._pace.agents,
            is_down=traffic.is_down(self._pace),
            why=traffic.why if traffic.troubles else "",
            next_at=utc(quiet) if traffic.quiet_until > self._clock() else "",
            tries=traffic.tries,
            refused=traffic.refused,
            failed=traffic.failed,
        )

    def _impatient(self, traffic: Traffic, now: float) -> str:
        minutes = self._pace.patience_s / 60
        asks_s = traffic.quiet_until - now
        asked = f"; it asks to wait {asks_s:.0f} s more" if asks_s > 0 else ""
        return f"the provider did not serve a call for {minutes:g} minutes: {traffic.why}{asked}"


def spending(account: Account, reading: threading.RLock) -> Spending:
    """What a run's account says of a node, the time at work included; read under `reading`."""

    def spent(node: str, now: float) -> Spent:
        with reading:
            return replace(account.of(node), worked_s=account.worked_s(node, now))

    return spent

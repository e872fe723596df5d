"""What does one attempt have at hand while it works?

The journal in front of every effect, the workspace that must match it, the
line to the engine (budget, progress), and the request to stop. Model and tools
reach all of these through one `Attempt`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Protocol

from crews.endings import BudgetReached, Ending, OutOfTime, Parked
from wavecrew.errors import EnvironmentBroken
from wavecrew.journal.attempt import AttemptJournal, Exchange
from wavecrew.run.disk import require_room
from wavecrew.run.wire import Gated, Granted, Reply, Request, Reserve, Settle, Step, Submit

BRIEF_CHARS = 200

StopReason = Literal["parked", "out_of_time"]


class Line(Protocol):
    """The agent's end of the line to the engine."""

    def ask(self, request: Request) -> Reply:
        """Send and wait. ConnectionError when the engine is gone."""
        ...


class Tree(Protocol):
    """What the journal needs of a workspace."""

    def snapshot(self) -> str:
        """Tree id of what stands in the workspace now."""
        ...

    def restore(self, tree: str) -> None:
        """Make the workspace exactly `tree`."""
        ...


class Stop:
    """A request to stop: noticed before each effect, and at once while a model is waited for.

    `ask` is safe in a signal handler of the main thread. It raises there only
    inside `interruptible`, so that no write is ever cut in half.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self._reason: StopReason = "parked"
        self._open = False

    def ask(self, reason: StopReason) -> None:
        """The first reason stays."""
        if not self.asked.is_set():
            self._reason = reason
            self.asked.set()
        if self._open:
            self._open = False
            raise self.ending()

    def ending(self) -> Ending:
        """How the attempt ends because of this stop."""
        if self._reason == "out_of_time":
            return OutOfTime("the attempt's time is used up")
        return Parked("asked to stop")

    def check(self) -> None:
        """Raise the ending once a stop was asked for."""
        if self.asked.is_set():
            raise self.ending()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Within, `ask` raises at once: for waiting that can be cut anywhere without harm."""
        self._open = True
        try:
            self.check()
            yield
        finally:
            self._open = False

    def sleep(self, seconds: float) -> None:
        """Sleep, or raise the ending as soon as a stop is asked for."""
        with self.interruptible():
            time.sleep(seconds)


class Attempt:
    """One try of an agent at a task, seen from inside its process. Single-threaded."""

    def __init__(
        self, *, line: Line, journal: AttemptJournal, workspace: Tree, stop: Stop | None = None
    ) -> None:
        self.line = line
        self.journal = journal
        self.workspace = workspace
        self.stop = stop or Stop()
        self.steps = 0
        self.model_calls = 0
        self.tokens = 0
        self.submissions_left = True
        """False once the engine refused a submission and takes no further one."""
        self._must_restore = journal.replaying

    def begin(self) -> None:
        """Journal the tree the attempt starts from; a resumed attempt goes back to the newest."""
        self.exchange("tool", {"tool": "start"}, lambda: {"snapshot": self.workspace.snapshot()})

    def exchange(
        self,
        kind: Exchange,
        request: dict[str, Any],
        effect: Callable[[], dict[str, Any]],
        beside: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The journal's reply, after the stop was checked and the workspace matches the journal."""
        self.stop.check()
        if self._must_restore and not self.journal.replaying:
            self._must_restore = False
            if self.journal.last_snapshot:
                self.workspace.restore(self.journal.last_snapshot)
                self.journal.mark_restored()

        def effect_with_room() -> dict[str, Any]:
            reply = effect()
            require_room(self.journal.path.parent)  # else a full disk would be the agent's failure
            return reply

        return self.journal.exchange(kind, request, effect_with_room, beside)

    def ask(self, request: Request) -> Reply:
        """The line as tools see it; a last refused submission is remembered."""
        reply = self.line.ask(request)
        if isinstance(request, Submit) and isinstance(reply, Gated):
            self.submissions_left = reply.accepted or reply.attempts_left > 0
        return reply

    def reserve(self, tokens: int) -> None:
        """Ask the engine for budget; waits as long as its rate limit says.

        BudgetReached when it is refused.
        """
        reply = self.line.ask(Reserve(tokens=tokens))
        if not isinstance(reply, Granted):
            raise EnvironmentBroken(
                f"the engine answered a reservation with {reply!r}",
                mend="engine and agents are of different versions; start the run again",
            )
        if not reply.granted:
            raise BudgetReached(reply.reason or "the budget is used up")
        if reply.wait_s > 0:
            self._wait(tokens, reply.wait_s)

    def _wait(self, reserved: int, seconds: float) -> None:
        try:
            self.stop.sleep(seconds)
        except Ending:
            self.line.ask(Settle(reserved=reserved, tokens=0))
            raise

    def settle(self, reserved: int, tokens: int, wait_s: float = 0.0) -> None:
        """Tell what a call took; 0 gives the whole reservation back.

        `wait_s` is how long the provider asked to wait before the next try.
        """
        if tokens:
            self.model_calls += 1
            self.tokens += tokens
        self.line.ask(Settle(reserved=reserved, tokens=tokens, wait_s=wait_s))

    def step(self, what: str, brief: str, tokens: int = 0) -> None:
        """Report progress. Replayed steps are reported too: the engine knows them by number."""
        self.steps += 1
        text = " ".join(brief.split())[:BRIEF_CHARS]
        self.line.ask(Step(step=self.steps, what=what, brief=text, tokens=tokens))

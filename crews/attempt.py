"""What does one attempt have at hand while it works?

The journal in front of every effect, the workspace that must match it, the
line to the engine (budget, progress), and the request to stop. Model and tools
reach all of these through one `Attempt`.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
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

    def __init__(self, sleep: Callable[[float], None] | None = None) -> None:
        """`sleep` takes seconds; None: the system's."""
        self._sleep = sleep or (lambda seconds: time.sleep(seconds))
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
            self._sleep(seconds)

    def rest(self, seconds: float) -> None:
        """The same, outside of the attempt's own time: SIGALRM comes so much later."""
        left_s, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            self.sleep(seconds)
        finally:
            if left_s:
                signal.setitimer(signal.ITIMER_REAL, left_s)

    @staticmethod
    def give_back(seconds: float) -> None:
        """Time that was lost through no fault of the attempt does not count for it."""
        left_s, _ = signal.getitimer(signal.ITIMER_REAL)
        if left_s:
            signal.setitimer(signal.ITIMER_REAL, left_s + seconds)


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

    def reserve(self, prompt: int, answer: int) -> None:
        """Ask the engine for budget and for a place among the calls under way; wait as it says.

        Waiting for the provider counts neither as a stall nor for the attempt's
        time. BudgetReached when it is refused for good.
        """
        while True:
            reply = self.line.ask(Reserve(prompt=prompt, answer=answer))
            if not isinstance(reply, Granted):
                raise EnvironmentBroken(
                    f"the engine answered a reservation with {reply!r}",
                    mend="engine and agents are of different versions; start the run again",
                )
            if reply.reason and not reply.granted:
                raise BudgetReached(reply.reason)
            if reply.wait_s > 0:
                self._wait(reply)
            if reply.granted:
                return

    def _wait(self, granted: Granted) -> None:
        try:
            self.stop.rest(granted.wait_s)
        except Ending:
            if granted.granted:
                self.line.ask(Settle())
            raise

    def settle(self, settled: Settle) -> None:
        """Tell what came of a try; the time of one that met trouble is given back."""
        if settled.trouble:
            self.stop.give_back(settled.took_s)
        self.line.ask(settled)

    def paid(self, tokens: int) -> None:
        """A call was answered, not replayed."""
        self.model_calls += 1
        self.tokens += tokens

    def step(
        self, what: str, brief: str, usage: Mapping[str, int] | None = None, tries: int = 0
    ) -> None:
        """Report progress. Replayed steps are reported too: the engine knows them by number.

        `usage` has the tokens of a model's answer: total, prompt, completion, cached.
        """
        self.steps += 1
        text = " ".join(brief.split())[:BRIEF_CHARS]
        step = Step(step=self.steps, what=what, brief=text, tries=tries)
        if usage:
            told = {"tokens": usage["total"], "prompt": usage["prompt"], "cached": usage["cached"]}
            step = step.model_copy(update=told | {"answer": usage["completion"]})
        self.line.ask(step)

"""Does an attempt still get anywhere? Judged by its exchanges, never by its chatter.

An attempt stalls in two ways: nothing comes any more (no exchange recorded, no
word on the line), or it goes in circles (the same calls with the same results).
A model call or a command within its own deadline, a wait that a provider asked
for, and a gate at work are no stalls, however long they take. Pure: the clock
is an argument.
"""

from __future__ import annotations

import re
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from wavecrew.run.wire import Assignment, Granted, Reply, Request, Settle

SAME_CALLS = 12
"""How often calls that were made before may come back unchanged, with no new one between."""
SLOW_ANSWER_S = 60.0
"""What a try of a model call may take beyond its own time-out, which begins with the answer."""
SNAPSHOT_S = 300.0
"""The longest that recording the tree after a command may take."""
ASLEEP_S = 10.0
"""Nobody looked for so long: the engine itself was stopped, and the time does not count."""
EVIDENCE = 6
"""Exchanges that are shown as evidence."""
_TIMINGS = re.compile(r"\d+(?:\.\d+)? ?(?:s|ms|seconds)\b")


@dataclass(frozen=True, slots=True)
class Allowed:
    """Seconds without a sign of life; each kind of exchange has its own deadline."""

    quiet_s: float
    """Between exchanges; 0: an attempt never counts as stalled."""
    model_s: float
    """One try of a model call; the waits between tries are told on the line."""
    tool_s: float
    """One tool call with the snapshot after it; also the start, set-up commands included."""

    @classmethod
    def of(cls, assignment: Assignment) -> Allowed:
        """What the assignment's own deadlines add up to."""
        model, limits = assignment.model, assignment.limits
        done_when = assignment.task.done_when if assignment.task else ()
        commands = max(1, len(assignment.checks) + len(done_when))
        servers = [server.timeout_s for server in assignment.mcp.values()]
        return cls(
            quiet_s=limits.stall_minutes * 60,
            model_s=model.timeout_s + SLOW_ANSWER_S,
            tool_s=max([commands * limits.command_s, *servers]) + SNAPSHOT_S,
        )


class StallWatch:
    """Told of every journal record and every word on the line of one attempt. Thread-safe."""

    def __init__(self, allowed: Allowed, clock: Callable[[], float]) -> None:
        """`clock` counts seconds and never goes back."""
        self._allowed = allowed
        self._clock = clock
        self._lock = threading.Lock()
        self._since = self._looked = clock()
        self._limit_s = max(allowed.quiet_s, allowed.tool_s)
        self._under_way = "the start"
        self._answering = 0
        self._request: dict[str, Any] = {}
        self._seen: set[tuple[str, str]] = set()
        self._again: Counter[tuple[str, str]] = Counter()
        self._circle = ""
        self.idle_s = 0.0
        """Seconds that the attempt lost to the provider so far; they do not count for it."""
        self._last: deque[str] = deque(maxlen=EVIDENCE)

    def recorded(self, record: dict[str, Any]) -> None:
        """A record of the attempt's journal, in its order."""
        with self._lock:
            if record["record"] == "intent":
                self._request = record["request"]
                is_model = record["kind"] == "model"
                own_s = self._allowed.model_s if is_model else self._allowed.tool_s
                tool = str(self._request.get("tool", ""))
                self._sign("a model call" if is_model else f"the tool call {tool!r}", own_s)
            else:  # a reply, or that the workspace was restored
                if record["record"] == "reply":
                    self._replied(record)
                self._sign("", 0.0)

    def heard(self, request: Request, reply: Reply) -> None:
        """A request on the line and the engine's reply to it."""
        wait_s = reply.wait_s if isinstance(reply, Granted) else 0.0
        lost_s = request.took_s if isinstance(request, Settle) and request.trouble else 0.0
        with self._lock:
            self.idle_s += wait_s + lost_s
            self._since = self._clock() + wait_s

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While the engine itself works on a request, such as a gate, the agent only waits."""
        with self._lock:
            self._answering += 1
        try:
            yield
        finally:
            with self._lock:
                self._answering -= 1
                self._since = max(self._since, self._clock())

    def stalled(self) -> str:
        """Why the attempt is to be ended, with the evidence, in one line; empty when it is not.

        To be asked every second or so.
        """
        with self._lock:
            self._skip_sleep()
            if not self._allowed.quiet_s:
                return ""
            why = self._circle or self._silence()
            return f"{why}; last exchanges: {' | '.join(self._last) or 'none'}" if why else ""

    def _skip_sleep(self) -> None:
        now = self._clock()
        asleep_s = now - self._looked
        if asleep_s > ASLEEP_S:
            self._since = min(now, self._since + asleep_s)
        self._looked = now

    def _silence(self) -> str:
        silent_s = self._clock() - self._since
        if self._answering or silent_s <= self._limit_s:
            return ""
        where = f" after {self._under_way} began" if self._under_way else ""
        return f"no progress for {silent_s / 60:.1f} min{where}"

    def _sign(self, under_way: str, own_s: float) -> None:
        self._since = self._clock()
        self._under_way = under_way
        self._limit_s = max(self._allowed.quiet_s, own_s)

    def _replied(self, record: dict[str, Any]) -> None:
        reply = record["reply"]
        if record["kind"] == "model":
            names = ", ".join(call["name"] for call in reply.get("calls", ()))
            self._last.append(f"model: {_cut(names or str(reply.get('say', '')), 80)}")
            return
        text = str(reply.get("text", ""))
        tool, arguments = self._request.get("tool", "tool"), self._request.get("arguments", "")
        self._last.append(f"{tool} {_cut(str(arguments), 80)} -> {_cut(text, 80)}")
        self._repeated((record["digest"], _TIMINGS.sub("", text)), str(tool))

    def _repeated(self, call: tuple[str, str], tool: str) -> None:
        if call not in self._seen:
            self._seen.add(call)
            self._again.clear()
            self._circle = ""
            return
        self._again[call] += 1
        if self._again[call] >= SAME_CALLS:
            self._circle = (
                f"no progress: {tool!r} came back {self._again[call]} more times with the same "
                "arguments and the same result, and nothing new between"
            )


def _cut(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 3]}..."

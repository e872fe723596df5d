"""One run in a storm: what is done to it, what is counted meanwhile, how it is judged."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

import findings
import processes
from findings import Exchange
from processes import Process
from rig import Rig

from wavecrew.rehearsal.server import RunningRehearsal


@dataclass
class Report:
    """One run's figures."""

    name: str
    kills: Counter[str] = field(default_factory=Counter)
    events_hit: int = 0
    events_missed: list[str] = field(default_factory=list)
    """Events of the reference after which nothing of the kind was there to be killed."""
    resumes: int = 0
    seconds: float = 0.0
    model_calls: int = 0
    """Answers the model gave."""
    paid: int = 0
    """Answers that are recorded."""
    in_flight: int = 0
    """Answers given again because a kill came before their first reply was recorded."""
    tree: str = ""
    findings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kills = ", ".join(f"{number} {kind}" for kind, number in self.kills.items())
        missed = f" ({len(self.events_missed)} missed)" if self.events_missed else ""
        return (
            f"{self.name}: {kills or 'no kills'}{missed}; {self.resumes} resumes, {self.model_calls} model "
            f"calls ({self.in_flight} in flight at a kill), {self.paid} recorded, tree "
            f"{self.tree[:12]}, {self.seconds:.0f} s, {len(self.findings)} findings"
        )


@dataclass
class Reference:
    """The undisturbed run, which all others are held against."""

    events: list[str]
    tree: str
    paid: set[Exchange]
    seconds: float


class Storm:
    """What all storms share; a kind of its own says what is killed when, and how it goes on.

    A subclass makes its `rig` with `told` as what hears the events. To be used in a `with`.
    """

    rig: Rig

    def __init__(self, name: str, server: RunningRehearsal) -> None:
        self.report = Report(name)
        self.server = server
        self.seen: list[str] = []
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._family: set[Process] = set()
        self._recorded: dict[Exchange, int] = {}
        """Exchange -> how many answers the server had given when it was seen recorded."""
        self._first = len(server.log)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """End whatever is left of the run."""
        self.over.set()
        self.rig.close()

    def told(self, event: str, writer: int) -> None:
        """The thread that wrote this event stands still until this returns."""
        self.seen.append(event)

    def undisturbed(self) -> Report:
        began = time.monotonic()
        before = findings.checkout(self.rig.repo)
        self.rig.start()
        return self.judged(self.rig.wait(), began, before)

    def reference(self) -> Reference:
        """What this run was, once it is over."""
        report = self.report
        return Reference(list(self.seen), report.tree, set(self._recorded), report.seconds)

    def strike(self, kind: str, writer: int = 0) -> bool:
        """Do it, now; False when there was nothing of the kind."""
        self._family.update(self.rig.family())
        if not self.rig.strike(kind, writer):
            return False
        with self._lock:
            self.report.kills[kind] += 1
            number = self.report.kills.total()
        if number % 10 == 0:
            print(f"  {self.report.name}: {number} kills", file=sys.stderr, flush=True)
        self.note_answers()
        return True

    def note_answers(self) -> None:
        """What is recorded now may never be asked again."""
        for exchange in self.rig.answered():
            self._recorded.setdefault(exchange, len(self.server.log))

    def wait_for_the_dead(self) -> None:
        left = processes.gone(self._family, 10)
        found = [f"orphan after 10 s: {p.command} {p.words[:100]}" for p in left]
        self.report.findings += found

    def judged(
        self,
        code: int | None,
        began: float,
        before: dict[str, bytes],
        reference: Reference | None = None,
    ) -> Report:
        """`began`: seconds of the monotonic clock; `before`: the user's checkout then."""
        self.over.set()
        report, rig = self.report, self.rig
        report.seconds = round(time.monotonic() - began, 1)
        found = report.findings
        if code != 0:
            found.append(f"the run ended with {code}: {rig.said().strip()[-600:]}")
        if not rig.has_begun():
            found.append("the run never began")
            return report
        self.note_answers()
        report.paid = len(self._recorded)
        report.tree = findings.final_tree(rig.repo)
        if reference:
            self._compare(reference)
        self._count_calls()
        found += rig.breaches()
        self.wait_for_the_dead()
        if findings.checkout(rig.repo) != before:
            found.append("the user's checkout was touched")
        return report

    def _compare(self, reference: Reference) -> None:
        report = self.report
        if report.tree != reference.tree:
            report.findings.append(
                f"the final tree is {report.tree[:12]}, the reference's {reference.tree[:12]}"
            )
        for exchange in sorted(reference.paid ^ set(self._recorded)):
            side = "not made" if exchange in reference.paid else "only made"
            report.findings.append(f"a model call is {side} here: {exchange}")

    def _count_calls(self) -> None:
        """Every answer is given once, but for those that a kill kept out of the journal."""
        log = self.server.log
        given: set[Exchange] = set()
        for at in range(self._first, len(log)):
            served = log[at]
            if served.outcome != "answered":
                if served.outcome == "mismatch":
                    self.report.findings.append(f"the model was asked off its script: {served}")
                continue
            exchange = (served.conversation, served.attempt, served.turn)
            self.report.model_calls += 1
            if exchange in given:
                self.report.in_flight += 1
                if self._recorded.get(exchange, at + 1) <= at:
                    self.report.findings.append(f"paid twice: {exchange}")
            given.add(exchange)


def spread(events: list[str], number: int) -> list[str]:
    """So many events, evenly over the run: each in the middle of its part; 0: all of them."""
    if not number or number >= len(events):
        return list(events)
    step = len(events) / number
    return [events[int((at + 0.5) * step)] for at in range(number)]

"""The storm on one machine: `wavecrew run` with its engine, its agents and their commands killed.

One undisturbed run is the reference. Then one stormed run for each kind of
victim: right after every event of the reference, while the run stands still,
the victim is killed with SIGKILL: the engine; every agent at work; the sandbox
of every command at work. A killed engine is resumed with `wavecrew run
--resume`, half of the times at once, half after its last process is gone. Then
runs are killed at random times, a random victim each.

How it counts: one kill is one signal round at one event. Where no agent or no
command is at work at an event, the next one that appears is killed; a kill
still waiting for its victim at the next event is one with that event's.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import findings
from rig import EXAMPLE, LocalRig
from storm import Reference, Report, Storm, spread

from wavecrew.rehearsal.server import RunningRehearsal, serve

KINDS = ("engine", "agent", "command")
SHORT = ("agent", "command", "agent", "command", "engine") * 4 + ("agent",) * 4
"""Who is killed in the short storm, at as many events in turn."""
MOST_RESUMES_IN_VAIN = 5
MOST_FAULTS = 2
"""Ends of the engine that no kill explains."""


class LocalStorm(Storm):
    """One run here; a killed engine is resumed until the run has come to its end."""

    rig: LocalRig

    def __init__(
        self,
        folder: Path,
        server: RunningRehearsal,
        options: argparse.Namespace,
        seed: int = 0,
    ) -> None:
        super().__init__(folder.name, server)
        self.rig = LocalRig(
            folder, server.base_url, self.told, agents=options.agents, tasks=options.tasks
        )
        self._before = findings.checkout(self.rig.repo)
        self._pending: dict[str, str] = {}
        """Event -> who is killed right after it."""
        self._awaited = ""
        """Who is killed as soon as one appears."""
        self._at_events = False
        self._random = random.Random(seed)
        self._pause_s = 6.0
        """The longest between two random kills; a slow machine needs more to get anywhere."""
        threading.Thread(target=self._strike_next, daemon=True).start()

    def told(self, event: str, writer: int) -> None:
        super().told(event, writer)
        kind = self._pending.pop(event, None)
        if kind is None:
            return
        self.report.events_hit += 1
        if not self.strike(kind):
            self._awaited = kind

    def at_each(self, victims: dict[str, str], reference: Reference) -> Report:
        """A kill right after each of these events."""
        self._at_events, self._pending = True, victims
        began = time.monotonic()
        code = self._to_the_end()
        self.report.events_missed = sorted(self._pending)
        return self.judged(code, began, self._before, reference)

    def at_random(self, kills: int, reference: Reference) -> Report:
        """Up to so many kills at random times, as the run lasts."""
        self._pause_s = max(self._pause_s, reference.seconds / 8)
        threading.Thread(target=self._strike_randomly, args=(kills,), daemon=True).start()
        began = time.monotonic()
        return self.judged(self._to_the_end(), began, self._before, reference)

    def _strike_next(self) -> None:
        """Kills the next victim that appears, for events at which there was none."""
        while not self.over.wait(0.004):
            if self._awaited and self.strike(self._awaited):
                self._awaited = ""

    def _strike_randomly(self, kills: int) -> None:
        while self.report.kills.total() < kills:
            if self.over.wait(self._random.uniform(0.3, self._pause_s)):
                return
            self.strike(self._random.choice(KINDS))

    def _to_the_end(self) -> int:
        """Start, and resume whenever the engine was killed; the exit code."""
        self.rig.start()
        in_vain, events, faults = 0, 0, 0
        while (code := self.rig.wait()) not in (0, None):
            self._awaited = ""
            if code != -9:
                said = self.rig.said().strip()[-600:]
                self.report.findings.append(f"ended with {code}: {said}")
                faults += 1
                if faults > MOST_FAULTS:
                    break
            in_vain = in_vain + 1 if self._at_events and len(self.seen) == events else 0
            events = len(self.seen)
            if in_vain > MOST_RESUMES_IN_VAIN:
                self.report.findings.append(f"stuck: {in_vain} resumes without a new event")
                break
            if self.seen[-1:] == ["run_finished"]:
                code = self._cleaned_up()
                break
            if self.report.resumes % 2:
                self.wait_for_the_dead()
            self.report.resumes += 1
            if self.rig.has_begun():
                self.rig.resume()
            else:
                self.rig.start()
        return code or 0

    def _cleaned_up(self) -> int:
        """Killed after the run's end: the next start sweeps, which may be killed in its turn.

        It says with 2 that there is no run to go on with; that counts as 0.
        """
        code: int | None = -9
        while code == -9:
            self.rig.resume()
            code = self.rig.wait()
        return 0 if code == 2 else (code or 0)


def storm(options: argparse.Namespace, folder: Path, say: Callable[[Report], None]) -> None:
    """All runs, the reference first; `say` is told of each."""
    with serve(EXAMPLE / "rehearsal") as server:

        def new(name: str, seed: int = 0) -> LocalStorm:
            return LocalStorm(folder / name, server, options, seed)

        with new("reference") as calm:
            say(calm.undisturbed())
        reference = calm.reference()
        if options.short:
            chosen = spread(reference.events, len(SHORT))
            with new("short") as run:
                say(run.at_each(dict(zip(chosen, SHORT, strict=True)), reference))
            return
        chosen = spread(reference.events, options.events)
        for kind in options.only or KINDS:
            with new(f"every-event-{kind}") as run:
                say(run.at_each(dict.fromkeys(chosen, kind), reference))
        left, number = options.random, 0
        while left > 0:
            number += 1
            with new(f"random-{number}", options.seed + number) as run:
                report = run.at_random(left, reference)
            say(report)
            left -= max(1, report.kills.total())

"""The storm on many machines: three workers, a hub, and a real PostgreSQL server on this one.

One undisturbed run is the reference. Then, at events spread evenly over it:

- engine: the engine process that wrote the event is killed; its supervisor replaces it;
- worker: supervisor and engine are killed and never started again; the others finish;
- database: the postmaster and all its processes are killed, and started again 0 to 5 s later;
- network: every worker is in a network namespace of its own; the cable of the one that wrote
  the event is pulled for 10 to 22 s: it gives itself up, later the server gives its lock away.
  Its hub stays in reach, so it could still push;
- machine: the same, but the hub lies beyond the cable as well.

Last, kills at random times, of random kinds. Where there can be no network
namespaces that is said, and the rest is done.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import findings
from rig import EXAMPLE, ROOT
from shared_rig import WORKERS, SharedRig, Site
from storm import Reference, Report, Storm, spread

sys.path.insert(0, str(ROOT / "tests" / "servers"))
from cables import Cables, NoCables
from cuttable import CuttableLine
from git_daemon import GitDaemon
from postgres import PostgresServer

from wavecrew.rehearsal.server import RunningRehearsal, serve

MOST = {"engine": 4, "worker": 1, "database": 2, "network": 1, "machine": 1}
"""Of each kind in one run. A worker gives up when its engine dies five times in a minute."""
KINDS = tuple(MOST)
CUTS = ("network", "machine")
"""Kinds that need cables; a run has one of them, or none."""
SHORT = ("engine", "database", "network", "worker")
"""All in one run, in this order."""
EVENTS = 8
"""At so many events each kind, unless told otherwise."""


class SharedStorm(Storm):
    """One run of three workers; nobody resumes anything."""

    rig: SharedRig

    def __init__(
        self,
        folder: Path,
        server: RunningRehearsal,
        site: Site,
        options: argparse.Namespace,
        *,
        cut: str = "",
    ) -> None:
        super().__init__(folder.name, server)
        self._chance = random.Random(f"{options.seed} {folder.name}")
        self.rig = SharedRig(
            folder,
            site,
            self.told,
            agents=options.agents,
            tasks=options.tasks,
            cut=cut,
            chance=self._chance,
        )
        self._kinds = tuple(kind for kind in KINDS if kind == cut or kind not in CUTS)
        self._before = findings.checkout(self.rig.repo)
        self._pending: dict[str, str] = {}
        """Event -> what is done right after it."""

    def told(self, event: str, writer: int) -> None:
        super().told(event, writer)
        kind = self._pending.pop(event, None)
        if kind is None:
            return
        if self.strike(kind, writer):
            self.report.events_hit += 1
        else:
            self._pending[event] = kind

    def strike(self, kind: str, writer: int = 0) -> bool:
        self.note_answers()  # what is committed has to outlive the server's own death
        return super().strike(kind, writer)

    def at_each(self, harm: dict[str, str], reference: Reference) -> Report:
        """A kind of harm right after each of these events."""
        self._pending = harm
        began = time.monotonic()
        self.rig.start()
        code = self.rig.wait()
        self.report.events_missed = sorted(self._pending)
        return self.judged(code, began, self._before, reference)

    def at_random(self, kills: int, reference: Reference) -> Report:
        """Up to so many at random times, as the run lasts."""
        began = time.monotonic()
        self.rig.start()
        given = (kills, reference.seconds / 5)
        threading.Thread(target=self._strike_randomly, args=given, daemon=True).start()
        return self.judged(self.rig.wait(), began, self._before, reference)

    def _strike_randomly(self, kills: int, longest_s: float) -> None:
        done = self.report.kills
        while done.total() < kills:
            left = [kind for kind in self._kinds if done[kind] < MOST[kind]]
            if not left or self.over.wait(self._chance.uniform(0.3, longest_s)):
                return
            self.strike(self._chance.choice(left))


def storm(options: argparse.Namespace, folder: Path, say: Callable[[Report], None]) -> None:
    """All runs, the reference first; `say` is told of each."""
    with ExitStack() as stack:
        model = stack.enter_context(serve(EXAMPLE / "rehearsal"))
        site = _site(stack, model, folder)

        def new(name: str, cut: str = "") -> SharedStorm:
            return SharedStorm(folder / name, model, site, options, cut=cut)

        with new("reference") as calm:
            say(calm.undisturbed())
        reference = calm.reference()
        can = [kind for kind in KINDS if kind not in CUTS or site.cables]
        if options.short:
            kinds = [kind for kind in SHORT if kind in can]
            harm = dict(zip(_inside(reference, len(kinds)), kinds, strict=True))
            with new("short", "network" if "network" in kinds else "") as run:
                say(run.at_each(harm, reference))
            return
        for kind in filter(can.__contains__, options.only or KINDS):
            chosen = _inside(reference, options.events or EVENTS)
            runs = -(-len(chosen) // MOST[kind])
            for number in range(runs):
                with new(f"{kind}-{number + 1}", kind if kind in CUTS else "") as run:
                    say(run.at_each(dict.fromkeys(chosen[number::runs], kind), reference))
        left, number = options.random, 0
        while left > 0:
            number += 1
            with new(f"random-{number}", CUTS[number % 2] if site.cables else "") as run:
                report = run.at_random(left, reference)
            say(report)
            left -= max(1, report.kills.total())


def _site(stack: ExitStack, model: RunningRehearsal, folder: Path) -> Site:
    """Servers of its own, at an address that the far ends of the cables reach as well."""
    try:
        cables = stack.enter_context(Cables(len(WORKERS)))
    except NoCables as why:
        print(f"the network is not cut here: {why}", flush=True)
        return Site(stack.enter_context(PostgresServer(durable=True)), model.base_url, None, None)
    server = PostgresServer(durable=True, listen=cables.host)
    near = urlsplit(model.base_url)
    assert near.hostname is not None
    assert near.port is not None
    line = stack.enter_context(CuttableLine(near.hostname, near.port, cables.host))
    base_url = f"http://{cables.host}:{line.port}{near.path}"
    hubs = stack.enter_context(GitDaemon(folder, cables.host))
    return Site(stack.enter_context(server), base_url, cables, hubs)


def _inside(reference: Reference, number: int) -> list[str]:
    """Events all over the run but for its last one: there is nothing left to be disturbed."""
    return spread(reference.events[:-1], number)

"""One engine process of a worker: it joins a run, works on it, and leaves.

`python -P -m wavecrew.cli.joined`, with a `Joining` as a line of JSON on stdin.
Its exit code tells the supervisor (`cli/worker.py`) what to do next. The
process ends the hard way but for the run's own end: halted steps never return.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from wavecrew.cli.assemble import Books, open_real_sandbox, real_parts
from wavecrew.errors import (
    DatabaseLost,
    DatabaseRefused,
    DiskFull,
    HubRefused,
    HubUnreachable,
    SandboxUnavailable,
    WavecrewError,
)
from wavecrew.journal import events as e
from wavecrew.journal.database import shown
from wavecrew.journal.log import EventLog
from wavecrew.journal.records import Fenced
from wavecrew.plan.model import Record
from wavecrew.run.announce import announce
from wavecrew.run.bond import die_with
from wavecrew.run.endpoint import check as check_endpoint
from wavecrew.run.engine import APPLICATION_VERSION, PARK_WITHIN_S, Engine
from wavecrew.run.liveness import EXIT_LOST, Liveness, new_name
from wavecrew.run.parts import Parts
from wavecrew.run.place import SharedSchema, schema_of
from wavecrew.run.scratch import drop_scratch, own_scratch
from wavecrew.run.spec import RunFolder, RunSpec
from wavecrew.upkeep.leftovers import sweep_leases, sweep_run
from wavecrew.workers.held_out import bring
from wavecrew.workers.reaper import Reaper
from wavecrew.workers.roster import Roster, sign_of_life
from wavecrew.workspace.hub import REPOSITORY, HubRepository

if TYPE_CHECKING:
    import psycopg

EXIT_PAUSED = 75
"""The run is paused, for all."""
EXIT_LEFT = 76
"""Asked to leave: its work is parked, others take it over."""
EXIT_UNFIT = 7
"""Something is wrong with this machine; the run goes on elsewhere."""
LOSSES = (DatabaseLost, HubUnreachable, Fenced)
"""Passing troubles, or we were taken for dead: a fresh engine process tries again."""
UNFIT = (DiskFull, SandboxUnavailable, HubRefused, DatabaseRefused)
"""What concerns this machine alone. Everything else concerns the run, and pauses it for all."""
HUB = "hub"
"""Folder below a worker's place in which its clone of the hub lies."""
TICK_S = 0.2
REFRESH_S = 1.0


class Joining(Record):
    """What the supervisor asks for."""

    worker: str
    url: str
    run: str
    hub: str
    folder: Path
    agents: int
    """0: as many as the run allows."""
    parent: int
    """Process id of the supervisor; the process dies with it."""


class Joined:
    """This process's part in a run."""

    def __init__(self, given: Joining) -> None:
        self._given = given
        self._executor = new_name()
        self._leaving = threading.Event()
        self._paused = threading.Event()
        self._reaper: Reaper | None = None
        self._parts: Parts | None = None
        self._doing = "joins"

    def work(self) -> int:
        """Join and stay until the end, a pause, a loss, or the wish to leave; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._leaving.set())
        given = self._given
        try:
            roster = Roster(given.url)
        except LOSSES as error:
            self._lost(error.what)
        try:
            live = Liveness(given.url, self._executor, beat=self._beat, lost=self._lost)
            live.start()
            engine = self._join(roster.spec(given.run))
        except LOSSES as error:
            self._lost(error.what)
        except WavecrewError as error:
            self._unfit(roster, error)
        try:
            return self._stay(engine, roster)
        except LOSSES as error:
            self._lost(error.what)

    def _join(self, spec: RunSpec) -> Engine:
        given = self._given
        sandbox = open_real_sandbox(spec)
        check_endpoint(spec.settings.model, os.environ)
        place = place_of(given.folder, given.url, given.hub)
        folder = folder_of(given)
        folder.root.mkdir(parents=True, exist_ok=True)
        repository = HubRepository.open(given.hub, place / HUB)
        books = Books.shared(given.url, given.run)
        spec = bring(books.shelf, spec, folder)
        folder.save(spec)
        parts = real_parts(spec, folder, repository, sandbox, books)
        self._parts = parts
        announce(parts)
        agents = given.agents or spec.settings.limits.agents
        engine = Engine(parts, SharedSchema(given.url, given.run, self._executor, agents))
        engine.start()
        self._reaper = Reaper(
            schema_of(given.run),
            APPLICATION_VERSION,
            self._executor,
            lambda dead, count: say(f"took over {count} from {dead}"),
        )
        self._doing = "waits for work"
        return engine

    def _stay(self, engine: Engine, roster: Roster) -> int:
        parts = self._parts
        assert parts is not None
        refreshed_at = time.monotonic()
        while not engine.wait(TICK_S):
            if self._paused.is_set() or self._leaving.is_set():
                parts.stop.request()
            if time.monotonic() - refreshed_at > REFRESH_S:
                parts.log.refresh()
                refreshed_at = time.monotonic()
            self._tell_work(parts)
        if parts.stop.requested.is_set():
            self._stopped(engine, roster, parts.stop.error)
        outcome = engine.outcome()
        assert outcome is not None
        roster.finish(self._given.run, outcome["outcome"], outcome["exit_code"])
        engine.close()
        return 0

    def _stopped(self, engine: Engine, roster: Roster, error: WavecrewError | None) -> NoReturn:
        """Park, and say whose matter it is."""
        if isinstance(error, LOSSES):
            self._lost(error.what)
        if error is None or isinstance(error, UNFIT):
            engine.park()
            if error:
                self._unfit(roster, error)
            self._end(EXIT_LEFT if self._leaving.is_set() else EXIT_PAUSED)
        say(str(error))
        number = roster.pause(self._given.run, error, self._executor)
        engine.park()
        if not number:  # another paused it, or we are taken for dead: not ours to tell
            self._end(EXIT_LOST)
        assert self._parts is not None
        pause_told(roster, self._parts.log, number, error.what, but=self._given.worker)
        self._end(EXIT_PAUSED)

    def _unfit(self, roster: Roster, error: WavecrewError) -> NoReturn:
        say(str(error))
        with suppress(*LOSSES):
            roster.left(self._given.worker, f"left, this machine cannot work: {error.what}")
        self._end(EXIT_UNFIT)

    def _beat(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        given = self._given
        if sign_of_life(connection, given.worker, self._doing, given.run, self._executor):
            self._paused.set()
        if self._reaper is not None:
            self._reaper.look(connection)

    def _tell_work(self, parts: Parts) -> None:
        now = ", ".join(sorted(parts.sessions.copy())) or "waits for work"
        if now != self._doing:
            self._doing = now
            say(f"{self._given.run}: {now}")

    def _lost(self, why: str) -> NoReturn:
        """End at once, agents first: others may take over from here."""
        say(why)
        self._end(EXIT_LOST)

    def _end(self, code: int) -> NoReturn:
        if self._parts is not None:
            self._parts.host.destroy()
        drop_scratch()
        sys.stderr.flush()
        os._exit(code)


def pause_told(roster: Roster, log: EventLog, number: int, reason: str, *, but: str = "") -> None:
    """Write the fact of a pause once everyone has left the run, or had the time to."""
    deadline = time.monotonic() + 2 * PARK_WITHIN_S
    while time.monotonic() < deadline:
        if all(worker.worker == but for worker in roster.at_work(log.run)):
            break
        time.sleep(0.1)
    log.append(e.RunPaused(number, reason))


def place_of(folder: Path, url: str, hub: str) -> Path:
    """The worker's folder for one database and one hub: runs of two may have the same name."""
    return folder / hashlib.sha256(f"{shown(url)}\0{hub}".encode()).hexdigest()[:12]


def folder_of(given: Joining) -> RunFolder:
    """The run's folder on this machine."""
    return RunFolder(place_of(given.folder, given.url, given.hub) / "runs" / given.run)


def sweep_place(given: Joining) -> None:
    """Remove what engine processes had leased and left half-written there; none may be alive."""
    git_dir = place_of(given.folder, given.url, given.hub) / HUB / REPOSITORY
    sweep_leases(git_dir)
    sweep_run(folder_of(given), git_dir)


def say(text: str) -> None:
    print(f"wavecrew worker: {text}", file=sys.stderr, flush=True)


def main() -> None:
    given = Joining.model_validate_json(sys.stdin.buffer.readline())
    die_with(given.parent)
    with own_scratch():
        code = Joined(given).work()
    sys.exit(code)


if __name__ == "__main__":
    main()

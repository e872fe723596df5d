"""`wavecrew worker`: finds runs to work on, and keeps an engine process at them come what may.

The supervisor itself does nothing that can break: it holds no workflow and
runs no agent. An engine process that loses the database, or crashes, is
replaced by one with a fresh name; while the database is away it waits for as
long as that takes. One run at a time, the oldest first.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wavecrew.cli.joined import (
    EXIT_LEFT,
    EXIT_PAUSED,
    EXIT_UNFIT,
    HUB,
    Joining,
    place_of,
    sweep_place,
)
from wavecrew.errors import (
    EXIT_INTERRUPTED,
    DatabaseLost,
    EngineFault,
    EnvironmentBroken,
    WavecrewError,
)
from wavecrew.journal.instant import utc_now
from wavecrew.run.hold import hold
from wavecrew.run.liveness import EXIT_LOST, Liveness, new_name
from wavecrew.run.scratch import sweep_scratch
from wavecrew.run.spec import RunFolder
from wavecrew.upkeep.cleaning import Item, clean_gone
from wavecrew.workers.roster import Roster, sign_of_life
from wavecrew.workspace.hub import HubRepository
from wavecrew.workspace.remote import Remote

if TYPE_CHECKING:
    import psycopg

COMMAND = (sys.executable, "-P", "-m", "wavecrew.cli.joined")
LOOK_S = 1.0
"""Between two looks for a run to work on."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0
"""Before an engine process, or the way to the database, is tried again; doubled each time."""
STEADY_S = 60.0
"""An engine process that lasted so long was no failure: the pauses begin anew."""
MOST_CRASHES = 5
"""In a row, each sooner than `STEADY_S`; losses of the database do not count."""
PARK_S = 20.0
"""For an engine process that was asked to leave."""


@dataclass(frozen=True, slots=True)
class WorkerRequest:
    """The options of `wavecrew worker`, as given."""

    url: str
    hub: str
    folder: Path | None = None
    agents: int = 0
    once: bool = False
    as_json: bool = False


def work(request: WorkerRequest) -> int:
    """Work until asked to leave; with `once` until nothing is left to do. The exit code."""
    hub = Remote.at(request.hub).url
    folder = request.folder or _state_home() / "wavecrew" / "worker"
    lock = _only_one(folder)
    try:
        _sweep()
        return Supervisor(request, hub, folder.resolve()).work()
    finally:
        os.close(lock)


@dataclass
class Supervisor:
    """One per folder. Lives in the main thread: its engine process dies with that."""

    request: WorkerRequest
    hub: str
    folder: Path
    name: str = ""
    """Fresh for each connection to the database."""
    _asked: list[int] = field(default_factory=list)
    """Signals that asked it to leave."""
    _leaving: threading.Event = field(default_factory=threading.Event)
    _astray: threading.Event = field(default_factory=threading.Event)
    """Set when the connection that says we are here was lost."""
    _tidied: bool = False
    _pause_s: float = FIRST_PAUSE_S
    _crashes: int = 0
    _at: str = ""
    """The run whose engine process is at work."""

    def work(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._leave)
        while not self._leaving.is_set():
            try:
                if self._serve():
                    return 0
            except DatabaseLost as error:
                self._say("waiting", f"{error.what}; trying again in {self._pause_s:g} s")
                self._wait()
        self._say("left")
        return EXIT_INTERRUPTED if signal.SIGINT in self._asked else 0

    def _serve(self) -> bool:
        """Work on run after run; True when there is nothing left and that was asked for."""
        roster = Roster(self.request.url)
        self._astray.clear()
        self.name = new_name()  # the server may still hold the lock of the name we had
        here = Liveness(
            self.request.url, self.name, beat=self._beat, lost=lambda _: self._astray.set()
        )
        try:
            agents = self.request.agents
            roster.enlist(self.name, socket.gethostname(), os.getpid(), self.hub, agents)
            here.start()
            self._say("ready", f"database {roster.shown}, hub {self.hub}")
            self._tidy(roster)
            while not self._leaving.is_set():
                if self._astray.is_set():
                    raise DatabaseLost("the connection is gone", where=roster.shown)
                run = roster.next_run(self.hub)
                if run:
                    self._work_on(run)
                    roster.left(self.name, "idle")
                elif self.request.once:
                    return True
                else:
                    self._leaving.wait(LOOK_S)
            return False
        finally:
            here.leave()
            roster.close()

    def _tidy(self, roster: Roster) -> None:
        """Once, before any work: our folders of runs that the database does not have any more go.

        What is nowhere else stays. A failure is told and hinders no work.
        """
        if self._tidied:
            return
        self._tidied = True
        place = place_of(self.folder, self.request.url, self.hub)
        known = {row.run for row in roster.runs()}
        gone = [path for path in sorted((place / "runs").glob("r*")) if path.name not in known]
        if not gone:
            return
        try:
            repository = HubRepository.open(self.hub, place / HUB)
            for path in gone:
                self._tell_gone(clean_gone(RunFolder(path), repository))
        except (WavecrewError, OSError) as error:
            self._say("kept", f"folders of runs that are gone: {error}")

    def _tell_gone(self, items: tuple[Item, ...]) -> None:
        for item in items:
            if item.refused:
                self._say("kept", f"{item.path}: {item.refused}")
            elif item.kind == "history":
                self._say("removed", f"{item.path}: its run is gone from the database")

    def _work_on(self, run: str) -> None:
        """One engine process from its start to its end. EnvironmentBroken when we have to leave."""
        self._say("working", run)
        began = time.monotonic()
        code = self._engine(run)
        if time.monotonic() - began > STEADY_S:
            self._pause_s, self._crashes = FIRST_PAUSE_S, 0
        if code in (0, EXIT_PAUSED, EXIT_LEFT):
            self._pause_s, self._crashes = FIRST_PAUSE_S, 0
            self._say({0: "ended", EXIT_PAUSED: "paused", EXIT_LEFT: "parked"}[code], run)
        elif code == EXIT_UNFIT:
            raise EnvironmentBroken(
                f"this machine cannot work on run {run!r}; what it was at is there for others",
                mend="mend what is said above, then start the worker again",
            )
        else:
            self._replaced(run, code)

    def _replaced(self, run: str, code: int) -> None:
        """An engine process that ended in a way it should not; the next one comes after a pause."""
        self._crashes += code != EXIT_LOST
        if self._crashes >= MOST_CRASHES:
            raise EngineFault(
                f"{MOST_CRASHES} engine processes in a row ended with {code}",
                where=f"run {run!r}",
                mend="this is a fault of Wavecrew; what it was at is there for others",
            )
        self._say("replacing", f"{run}: the engine process ended with {code}")
        self._wait()

    def _engine(self, run: str) -> int:
        given = Joining(
            worker=self.name,
            url=self.request.url,
            run=run,
            hub=self.hub,
            folder=self.folder,
            agents=self.request.agents,
            parent=os.getpid(),
        )
        sweep_place(given)
        self._at = run
        process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, start_new_session=True)
        try:
            assert process.stdin is not None
            with process.stdin:  # the URL's password belongs on no command line
                process.stdin.write(given.model_dump_json().encode() + b"\n")
            while process.poll() is None and not self._leaving.wait(0.1):
                pass
            return self._ended(process)
        finally:
            sweep_place(given)
            _sweep()
            self._at = ""

    def _ended(self, process: subprocess.Popen[bytes]) -> int:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PARK_S)
            except subprocess.TimeoutExpired:
                process.kill()
        return process.wait()

    def _beat(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        """The engine process gives the signs of life while it is at work: it may be frozen."""
        if self._at:
            connection.execute("select 1")
        else:
            sign_of_life(connection, self.name, "idle")

    def _wait(self) -> None:
        self._leaving.wait(self._pause_s)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def _leave(self, number: int, _frame: object) -> None:
        self._asked.append(number)
        self._leaving.set()

    def _say(self, what: str, detail: str = "") -> None:
        """To people on stderr; to scripts, one object a line on stdout."""
        if self.request.as_json:
            fact = {"at": utc_now(), "worker": self.name, "what": what, "detail": detail}
            print(json.dumps(fact), flush=True)
        else:
            told = f"{what}: {detail}" if detail else what
            print(f"wavecrew worker: {told}", file=sys.stderr, flush=True)


def _only_one(folder: Path) -> int:
    """The folder's lock; it goes with the process."""
    folder.mkdir(parents=True, exist_ok=True)
    return hold(
        folder / "lock",
        "another worker works in this folder",
        mend="give each worker of a machine a --folder of its own",
    )


def _sweep() -> None:
    """Remove the temporary files of engine processes that are gone, however they went."""
    sweep_scratch(Path(tempfile.gettempdir()))


def _state_home() -> Path:
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")

"""The same run with a PostgreSQL server, a hub and three workers; each of them can be harmed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import findings
import processes
import shared_findings
from findings import Exchange, git
from processes import Process
from rig import LONGEST_S, ROOT, OnEvent, Stage

sys.path.insert(0, str(ROOT / "tests" / "servers"))
from cables import Cables
from git_daemon import GitDaemon
from postgres import PostgresServer

from wavecrew.run.liveness import LOST_AFTER_S, SILENCE_S

WORKERS = ("first", "second", "third")
DATABASE_AWAY_S = (0.0, 5.0)
CUT_S = (LOST_AFTER_S + 2, SILENCE_S + 10)
"""From a worker that comes back before the server gave its lock away to one that was replaced."""
ENDS_WITHIN_S = 120.0
"""From the run's last event to the end of its workflow: who was at it may just have been killed."""
LEAVES_WITHIN_S = 60.0
GONE_WITHIN_S = 2 * SILENCE_S
"""The server has to notice that a session's other end is no more."""


@dataclass(frozen=True)
class Site:
    """What outlives one run: the server, the model's address, the cables if there are any."""

    server: PostgresServer
    base_url: str
    cables: Cables | None
    hubs: GitDaemon | None
    """Serves the hubs of all runs to the far ends of the cables."""


class SharedRig(Stage):
    """Three workers and who watches. Made and waited for by one thread: the server lives by it."""

    def __init__(
        self,
        folder: Path,
        site: Site,
        on_event: OnEvent,
        *,
        agents: int,
        tasks: tuple[str, ...],
        cut: str,
        chance: random.Random,
    ) -> None:
        """`cut`: `network`, each worker is at the end of a cable of its own; `machine`, the hub is
        beyond that too; or empty."""
        super().__init__(folder, on_event, tasks)
        self.hub = folder / "hub.git"
        hubs = site.hubs if cut == "machine" else None
        self._hub_url = hubs.url(self.hub) if hubs else str(self.hub)
        self.url = site.server.create_database(folder.name)
        self._site = site
        self._agents = agents
        self._chance = chance
        self._cables = site.cables if cut else None
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self._dead: list[str] = []
        """Killed and never started again."""
        self._watcher: subprocess.Popen[bytes] | None = None
        self._due: list[tuple[float, Callable[[], None]]] = []
        """What is put right again, and when: in the thread that waits."""
        subprocess.run(["git", "init", "-q", "--bare", str(self.hub)], check=True)

    def start(self) -> None:
        """Workers first: the run begins with all of them."""
        for number, name in enumerate(WORKERS):
            cables = self._cables
            self._workers[name] = self.begin(
                *("worker", f"--repo={self._hub_url}", f"--folder={self._folder_of(name)}"),
                said=f"{name}.stderr",
                before=tuple(cables.enter(cables.names[number])) if cables else (),
                WAVECREW_DATABASE_URL=self.url,
            )
        words = self.run_words(self._agents, self._site.base_url)
        self._watcher = self.begin(*words, f"--hub={self._hub_url}", WAVECREW_DATABASE_URL=self.url)

    def strike(self, kind: str, writer: int = 0) -> bool:
        if kind == "database":
            return self._kill_database()
        engines = {name: found for name in self._workers if (found := self._engine(name))}
        if not engines:
            return False
        wrote = [name for name, engine in engines.items() if engine.pid == writer]
        name = wrote[0] if wrote else self._chance.choice(list(engines))
        if kind in ("network", "machine"):
            return self._pull(name)
        victims = [engines[name]]
        if kind == "worker":
            supervisor = self._workers.pop(name)
            self._dead.append(name)
            supervisor.kill()
            supervisor.wait()
        return processes.kill(victims) or kind == "worker"

    def family(self) -> list[Process]:
        """Workers and all below them, by ancestry or by the folder in their words."""
        below = [p for worker in self._workers.values() for p in processes.below(worker.pid)]
        return list({*below, *self._marked()})

    def wait(self) -> int | None:
        """Until who watches has ended; meanwhile what was broken is put right when it is due."""
        assert self._watcher is not None
        deadline = time.monotonic() + LONGEST_S
        while self._watcher.poll() is None and time.monotonic() < deadline:
            self._put_right(time.monotonic())
            time.sleep(0.05)
        if self._watcher.poll() is None:
            self._watcher.kill()
        self._put_right(float("inf"))
        return self._watcher.wait()

    def said(self) -> str:
        return "\n".join(self.last_words(f"{name}.stderr") for name in WORKERS) + self.last_words()

    def has_begun(self) -> bool:
        return bool(shared_findings.rows(self.url, "select 1 from wavecrew.events limit 1"))

    def answered(self) -> set[Exchange]:
        return shared_findings.answered(self.url)

    def breaches(self) -> list[str]:
        """When the workers have brought the run to its end they are told to leave, before a look."""
        base = git(self.repo, "rev-parse", "main")
        return [
            *findings.settled(lambda: shared_findings.unfinished(self.url), ENDS_WITHIN_S),
            *self._told_to_leave(),
            *findings.doubled(self.hub, base),
            *shared_findings.lost(self.hub, self.url),
            *shared_findings.hub_breaches(self.hub, self.repo),
            *findings.settled(self._left_over, GONE_WITHIN_S),
        ]

    def close(self) -> None:
        """End whatever is left."""
        for process in self.family():
            process.kill()
        for worker in [*self._workers.values(), self._watcher]:
            if worker is not None:
                worker.wait()
        self._put_right(float("inf"))
        self._site.server.drop_database(self.folder.name)
        self.deaf()

    def _kill_database(self) -> bool:
        """The postmaster and every process of its own, at once."""
        if any(undo == self._site.server.start for _, undo in self._due):
            return False
        server = self._site.server
        below = processes.below(server.pid)
        server.stop("kill")
        processes.kill(below)
        self._due.append((self._later(DATABASE_AWAY_S), server.start))
        return True

    def _pull(self, name: str) -> bool:
        cables = self._cables
        if cables is None:
            return False
        place = cables.names[WORKERS.index(name)]
        cables.pull(place)
        self._due.append((self._later(CUT_S), lambda: cables.plug(place)))
        return True

    def _later(self, span: tuple[float, float]) -> float:
        return time.monotonic() + self._chance.uniform(*span)

    def _put_right(self, now: float) -> None:
        for one in list(self._due):
            due, undo = one
            if due <= now:
                undo()
                self._due.remove(one)

    def _engine(self, name: str) -> Process | None:
        worker = self._workers[name].pid
        below = [p for p in processes.below(worker) if p.parent == worker and "joined" in p.words]
        return below[0] if below else None

    def _told_to_leave(self) -> list[str]:
        found = []
        for name, worker in self._workers.items():
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
            else:
                found.append(f"the {name} worker had ended by itself")
        for name, worker in self._workers.items():
            try:
                code = worker.wait(LEAVES_WITHIN_S)
            except subprocess.TimeoutExpired:
                code = -1
            if code:
                words = self.last_words(f"{name}.stderr").strip()[-600:]
                found.append(f"the {name} worker ended with {code}: {words}")
        return found

    def _left_over(self) -> list[str]:
        """On the dead worker's machine files may stay until a worker is started there again."""
        found = [f"left alive: {p.command} {p.words[:100]}" for p in self._marked()]
        found += [f"left in TMPDIR: {entry.name}" for entry in self.tmp.iterdir()]
        alive = [self._folder_of(name) for name in WORKERS if name not in self._dead]
        for root in (self.repo / ".git", self.hub, *alive):
            found += findings.half_made(root)
            for leases in root.rglob("leases.db"):
                found += findings.held(leases)
        return found + shared_findings.left_in_database(self.url)

    def _marked(self) -> list[Process]:
        mark = str(self.folder)
        return [p for p in processes.everything() if p.pid != os.getpid() and p.names(mark)]

    def _folder_of(self, name: str) -> Path:
        return self.folder / "workers" / name

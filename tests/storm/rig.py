"""Where a stormed run lives: its folder, its plan, its processes, and who hears of its events.

A storm knows `Rig`. `LocalRig` runs on this machine alone (here); `SharedRig`
with workers and PostgreSQL (`shared_rig.py`).
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import findings
import processes
from findings import Exchange
from processes import Process

from wavecrew.cli.demo import make_repository
from wavecrew.journal.attempt import read_records

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "discovery"
SETTINGS = """
[merge]
order = "plan"   # else the tree of the whole wave depends on timing

[leases]
ports = 2
cache = true
databases = ["app"]
"""
LONGEST_S = 900.0
MOST_DEATHS = 2
"""Of an agent, or of its commands, between two replies of its model; of the engine's own commands
in `PEACE_S` seconds, which a gate fits in."""
PEACE_S = 20.0
OnEvent = Callable[[str, int], None]
"""Id of an event, process that wrote it; that one waits for the return."""
COMMIT = re.compile(r"\b[0-9a-f]{40}\b")
"""Stands as `*` in the ids that are told: the same commit is another one in another run."""


class Rig(Protocol):
    """One run of wave 1 in a folder of its own."""

    repo: Path

    def start(self) -> None: ...

    def has_begun(self) -> bool:
        """True once there is something to resume; before, a killed start is started again."""
        ...

    def strike(self, kind: str, writer: int = 0) -> bool:
        """Do that kind of harm now, where one can choose to who wrote the event at hand.

        Returns once it is done; False when there was nothing of the kind.
        """
        ...

    def family(self) -> list[Process]:
        """Every process of the run."""
        ...

    def wait(self) -> int | None:
        """Until the run's own process has ended: its exit code, negative after a signal."""
        ...

    def said(self) -> str:
        """What it last wrote to stderr."""
        ...

    def answered(self) -> set[Exchange]:
        """Every exchange with the model whose reply is recorded."""
        ...

    def breaches(self) -> list[str]:
        """What does not hold now that all is over."""
        ...

    def close(self) -> None: ...


class Stage:
    """The folder, the repository and the plan of a run, and its processes' way to tell events."""

    def __init__(self, folder: Path, on_event: OnEvent, tasks: tuple[str, ...]) -> None:
        """`tasks`: only these of the wave."""
        self.folder = folder
        self.repo = folder / "discovery"
        self.tmp = folder / "tmp"
        """TMPDIR of all its processes."""
        self._home = folder / "home"
        self._plan = folder / "plan"
        self._tasks = tasks
        self._on_event = on_event
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        for made in (folder, self.tmp, self._home):
            made.mkdir(parents=True)
        self._socket.bind(str(folder / "w"))
        self._socket.listen(8)
        threading.Thread(target=self._hear, daemon=True).start()
        make_repository(EXAMPLE / "target", self.repo)
        self._plan.mkdir()
        toml = (EXAMPLE / "target" / "wavecrew.toml").read_text()
        (self._plan / "wavecrew.toml").write_text(toml + SETTINGS)
        shutil.copytree(EXAMPLE / "acceptance", self._plan / "acceptance")

    def run_words(self, agents: int, base_url: str) -> list[str]:
        """`wavecrew run` on the plan, with so many agents at once."""
        return [
            *("run", f"--limit={agents}", f"--repo={self.repo}"),
            *([f"--task={task}" for task in self._tasks] or ["--wave=1"]),
            *(f"--settings={self._plan / 'wavecrew.toml'}", f"--agents={ROOT / 'agents.yaml'}"),
            *(f"--tasks={ROOT / 'tasks.yaml'}", "--model=discovery-rehearsal"),
            f"--base-url={base_url}",
        ]

    def begin(
        self, *arguments: str, said: str = "stderr", before: tuple[str, ...] = (), **more: str
    ) -> subprocess.Popen[bytes]:
        """Start a command that tells its events. `said` is its stderr's file in the folder.

        `before` stands in front of the command line, `more` in its environment.
        """
        kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
        environment = kept | {
            "HOME": str(self._home),
            "TMPDIR": str(self.tmp),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "OPENAI_API_KEY": "storm",
            "WAVECREW_WATCHER": str(self.folder / "w"),
        }
        told = [sys.executable, "-P", str(Path(__file__).with_name("told.py"))]
        with (self.folder / said).open("ab") as output:
            return subprocess.Popen(
                [*before, *told, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=output,
                env=environment | more,
                cwd=self.folder,
                start_new_session=True,
            )

    def last_words(self, name: str = "stderr") -> str:
        """The end of what was written to stderr."""
        return (self.folder / name).read_text(errors="replace")[-2000:]

    def deaf(self) -> None:
        """Hear no more."""
        self._socket.close()

    def _hear(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        who = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 3 * 4)
        writer, _, _ = struct.unpack("3i", who)
        with suppress(OSError), line, line.makefile("r") as told:
            for event in told:
                self._on_event(COMMIT.sub("*", event.strip()), writer)
                line.sendall(b"\n")


class LocalRig(Stage):
    """One engine process with its agents, as `wavecrew run` starts it."""

    def __init__(
        self,
        folder: Path,
        base_url: str,
        on_event: OnEvent,
        *,
        agents: int,
        tasks: tuple[str, ...] = (),
    ) -> None:
        super().__init__(folder, on_event, tasks)
        self.run = self.repo / ".git" / "wavecrew" / "runs" / "r1"
        """The run's folder, once it has started."""
        self._base_url = base_url
        self._agents = agents
        self._deaths: dict[Path | None, tuple[int, int]] = {}
        """Journal of an agent -> the replies in it at its last death, and its deaths since those;
        None, the engine's own commands -> a span of time and their deaths in it."""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = self.begin(*self.run_words(self._agents, self._base_url))

    def resume(self) -> None:
        self._process = self.begin("run", "--resume", f"--repo={self.repo}")

    def strike(self, kind: str, writer: int = 0) -> bool:
        """Kill the engine, all agents at work, or the sandboxes of all commands at work.

        Who another's events would kill again and again before it comes to anything is spared:
        what dies too often without getting on counts as broken, and rightly so.
        """
        victims = self._victims(kind)
        return processes.kill(victims if kind == "engine" else filter(self._may_die, victims))

    def family(self) -> list[Process]:
        if self._process is None:
            return []
        return [*self._victims("engine"), *processes.below(self._process.pid)]

    def wait(self) -> int | None:
        if self._process is None:
            return None
        return self._process.wait(LONGEST_S)

    def said(self) -> str:
        return self.last_words()

    def has_begun(self) -> bool:
        return (self.run / "run.json").exists()

    def answered(self) -> set[Exchange]:
        return findings.answered(self.run)

    def breaches(self) -> list[str]:
        return [
            *findings.doubled(self.repo, "main"),
            *findings.lost(self.repo, findings.passed(self.run)),
            *findings.settled(lambda: findings.left_over(self.repo, self.run, self.tmp)),
        ]

    def close(self) -> None:
        """End whatever is left."""
        for process in self.family():
            process.kill()
        self.deaf()

    def _may_die(self, victim: Process) -> bool:
        """An agent or a command of its, so often between two replies; one of the engine's in time."""
        mine = self._process is not None and victim.parent == self._process.pid
        agent = victim.pid if "crews.host" in victim.words else victim.parent
        journal = processes.opened(agent, "journal.jsonl")
        if mine and journal is None:
            reached = int(time.monotonic() / PEACE_S)
        elif journal is not None:
            records = read_records(journal)
            reached = sum(r["record"] == "reply" and r["kind"] == "model" for r in records)
        else:
            return False
        had, deaths = self._deaths.get(journal, (reached, 0))
        deaths = deaths + 1 if had == reached else 1
        if deaths > MOST_DEATHS:
            return False
        self._deaths[journal] = (reached, deaths)
        return True

    def _victims(self, kind: str) -> list[Process]:
        if self._process is None:
            return []
        engine = processes.look(self._process.pid)
        if kind == "engine":
            return [engine] if engine else []
        family = processes.below(self._process.pid)
        if kind == "command":
            inside = {p.pid for p in family if p.command == "bwrap"}
            return [p for p in family if p.pid in inside and p.parent not in inside]
        hosts = {p.pid for p in family if p.parent == self._process.pid and "crews.host" in p.words}
        return [p for p in family if p.parent in hosts and "crews.host" in p.words]

"""How a storm starts a run, finds its processes, and resumes it: here, on this machine alone.

A storm knows `Rig`. Runs on several machines' workers, or on another database,
are another rig beside `LocalRig`; the storm and its findings stay as they are.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

import processes
from processes import Process

from wavecrew.cli.demo import make_repository

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "discovery"
Victim = Literal["engine", "agent", "command"]
LEASES = '\n[leases]\nports = 2\ncache = true\ndatabases = ["app"]\n'
LONGEST_S = 900.0


class Rig(Protocol):
    """One run of wave 1 in a folder of its own."""

    repo: Path
    run: Path
    """The run's folder, once it has started."""
    tmp: Path
    """TMPDIR of all its processes."""

    def start(self) -> None: ...

    def resume(self) -> None: ...

    def has_begun(self) -> bool:
        """True once there is something to resume; before, a killed start is started again."""
        ...

    def victims(self, kind: Victim) -> list[Process]:
        """Processes of that kind that are alive now."""
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

    def close(self) -> None: ...


class LocalRig:
    """One engine process with its agents, as `wavecrew run` starts it."""

    def __init__(
        self,
        folder: Path,
        base_url: str,
        on_event: Callable[[str], None],
        *,
        agents: int,
        tasks: tuple[str, ...] = (),
    ) -> None:
        """`on_event` is called with the id of each event; the run waits for its return.

        `tasks`: only these of the wave.
        """
        self.folder = folder
        self.repo = folder / "discovery"
        self.run = self.repo / ".git" / "wavecrew" / "runs" / "r1"
        self.tmp = folder / "tmp"
        self.home = folder / "home"
        self._plan = folder / "plan"
        self._base_url = base_url
        self._agents = agents
        self._tasks = tasks
        self._on_event = on_event
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        for made in (folder, self.tmp, self.home):
            made.mkdir(parents=True)
        self._socket.bind(str(folder / "w"))
        self._socket.listen(8)
        threading.Thread(target=self._hear, daemon=True).start()
        make_repository(EXAMPLE / "target", self.repo)
        self._plan.mkdir()
        toml = (EXAMPLE / "target" / "wavecrew.toml").read_text()
        (self._plan / "wavecrew.toml").write_text(toml + LEASES)
        shutil.copytree(EXAMPLE / "acceptance", self._plan / "acceptance")

    def start(self) -> None:
        self._begin(
            *("run", f"--limit={self._agents}"),
            *([f"--task={task}" for task in self._tasks] or ["--wave=1"]),
            *(f"--repo={self.repo}", f"--settings={self._plan / 'wavecrew.toml'}"),
            *(f"--agents={ROOT / 'agents.yaml'}", f"--tasks={ROOT / 'tasks.yaml'}"),
            *("--model=discovery-rehearsal", f"--base-url={self._base_url}"),
        )

    def resume(self) -> None:
        self._begin("run", "--resume", f"--repo={self.repo}")

    def victims(self, kind: Victim) -> list[Process]:
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

    def family(self) -> list[Process]:
        if self._process is None:
            return []
        return [*self.victims("engine"), *processes.below(self._process.pid)]

    def wait(self) -> int | None:
        if self._process is None:
            return None
        return self._process.wait(LONGEST_S)

    def said(self) -> str:
        return (self.folder / "stderr").read_text(errors="replace")[-2000:]

    def has_begun(self) -> bool:
        return (self.run / "run.json").exists()

    def close(self) -> None:
        """End whatever is left."""
        for process in self.family():
            process.kill()
        self._socket.close()

    def _begin(self, *arguments: str) -> None:
        kept = {name: os.environ[name] for name in ("PATH",) if name in os.environ}
        environment = kept | {
            "HOME": str(self.home),
            "TMPDIR": str(self.tmp),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "OPENAI_API_KEY": "storm",
            "WAVECREW_WATCHER": str(self.folder / "w"),
        }
        with (self.folder / "stderr").open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).with_name("told.py")), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env=environment,
                cwd=self.folder,
                start_new_session=True,
            )

    def _hear(self) -> None:
        with suppress(OSError):
            while True:
                line, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with suppress(OSError), line, line.makefile("r") as told:
            for event in told:
                self._on_event(event.strip())
                line.sendall(b"\n")

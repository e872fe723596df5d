"""Which processes belong to a run, and are they gone? Read from /proc; ids are told apart by start."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    started: str
    parent: int
    command: str
    """The name, as the kernel has it: at most 15 letters."""

    @property
    def is_alive(self) -> bool:
        now = look(self.pid)
        return now is not None and now.started == self.started

    @property
    def words(self) -> str:
        return _read(self.pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")

    def names(self, text: str) -> bool:
        """True when it stands in its command line or its environment."""
        return text.encode() in _read(self.pid, "cmdline") + _read(self.pid, "environ")

    def kill(self) -> bool:
        """True when it was there to be killed."""
        if not self.is_alive:
            return False
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
            return True
        return False


def look(pid: int) -> Process | None:
    """None when there is no such process, or only its zombie."""
    text = _read(pid, "stat").decode(errors="replace")
    if not text:
        return None
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    if fields[0] in "ZX":
        return None
    return Process(pid, fields[19], int(fields[1]), head.partition("(")[2])


def opened(pid: int, name: str) -> Path | None:
    """The file of this name that a process has open."""
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                target = Path(os.readlink(descriptor))
                if target.name == name:
                    return target
    return None


def everything() -> list[Process]:
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [found for pid in pids if (found := look(pid))]


def below(root: int) -> list[Process]:
    """All descendants of a process, nearest first."""
    children: dict[int, list[Process]] = {}
    for process in everything():
        children.setdefault(process.parent, []).append(process)
    found, waiting = [], [root]
    while waiting:
        nearer = children.get(waiting.pop(0), [])
        found += nearer
        waiting += [process.pid for process in nearer]
    return found


def kill(victims: Iterable[Process]) -> bool:
    """SIGKILL to all, and wait until they are dead; False when none was there."""
    killed = [victim for victim in victims if victim.kill()]
    gone(killed, 10)
    return bool(killed)


def gone(processes: Iterable[Process], within_s: float) -> list[Process]:
    """Those that are still alive after so long; returns as soon as none is."""
    deadline = time.monotonic() + within_s
    left = [process for process in processes if process.is_alive]
    while left and time.monotonic() < deadline:
        time.sleep(0.01)
        left = [process for process in left if process.is_alive]
    return left


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""

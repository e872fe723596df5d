"""Who holds a lease, and is that process still alive? Process ids are reused; start times are not.

A process is known by its machine's boot, its process namespace, its id and the
clock tick it started at. Of a process that this one cannot see (another
machine, another container) only its last sign of life tells.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Owner:
    place: str
    """Boot and process namespace: within one, process ids can be looked up."""
    pid: int
    started: str
    """Clock ticks since boot, as the kernel says."""

    @classmethod
    def this(cls) -> Owner:
        pid = os.getpid()
        return cls(here(), pid, started_at(pid))

    def is_alive(self) -> bool | None:
        """None when it cannot be seen from here."""
        if self.place != here():
            return None
        return started_at(self.pid) == self.started


def here() -> str:
    """Where process ids of this process mean something; never the same again after a reboot."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{os.readlink('/proc/self/ns/pid')}"


def started_at(pid: int) -> str:
    """When a living process started; empty when there is none, or only its zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]

"""Which sandboxes were left behind half made, by a bubblewrap that was killed?

Bubblewrap forks and lets its child wait until the namespaces are set up; only
then does the child ask the kernel to die with its parent. One that was killed in
between leaves a child that waits for ever: nobody is there to wake it, and it
has run nothing. Its session tells: the launcher that began it is gone.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from wavecrew.sandbox.profile import GATE, GATE_WITHOUT_INPUT

_GATES = {GATE.encode(), GATE_WITHOUT_INPUT.encode()}


_GONE_WITHIN_S = 1.0


def end_orphans() -> int:
    """Kill them, whosever they were; how many. Takes one look through /proc."""
    killed = []
    for pid in orphans():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
    deadline = time.monotonic() + _GONE_WITHIN_S
    while any(map(_is_alive, killed)) and time.monotonic() < deadline:
        time.sleep(0.005)
    return len(killed)


def orphans() -> Iterator[int]:
    """Their process ids."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _is_half_made(entry):
            with suppress(ProcessLookupError):
                # The number of a session is not given to a process as long as it has members.
                leader = os.getsid(int(entry.name))
                if leader and not _is_alive(leader):
                    yield int(entry.name)


def _is_alive(pid: int) -> bool:
    """False for a zombie too: it holds nothing any more."""
    with suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
        return state not in (b"Z", b"X")
    return False


def _is_half_made(process: Path) -> bool:
    with suppress(OSError):
        program, *words = (process / "cmdline").read_bytes().split(b"\0")
        return os.path.basename(program) == b"bwrap" and not _GATES.isdisjoint(words)
    return False

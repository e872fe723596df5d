"""Whether a running process tree still keeps to its limits, where the kernel does not see to it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from wavecrew.sandbox.cgroup import Group
from wavecrew.sandbox.model import Caps

_PAGE = os.sysconf("SC_PAGE_SIZE")
_OF_THE_LAUNCH = 4


class Watch:
    """Looks at the descendants of one process; made to be asked a few times a second."""

    def __init__(self, caps: Caps, group: Group | None, *, memory: bool, processes: bool) -> None:
        """`memory` and `processes` say what is to be watched because no kernel limit holds it."""
        self._caps = caps
        self._group = group
        self._memory = memory
        self._processes = processes

    def passed(self, root: int) -> Literal["", "memory", "processes"]:
        """The limit that the tree below (and with) `root` has passed, if any."""
        if self._group is not None and self._group.memory_ran_out():
            return "memory"
        if not self._memory and not self._processes:
            return ""
        pids = list(descendants(root))
        if self._processes and len(pids) > self._caps.processes + _OF_THE_LAUNCH:
            return "processes"
        if self._memory and self._is_too_big(pids):
            return "memory"
        return ""

    def _is_too_big(self, pids: list[int]) -> bool:
        """Resident sizes count shared pages once for each process, so they only raise suspicion."""
        limit = self._caps.memory_mb * 1024 * 1024
        if sum(_resident(pid) for pid in pids) <= limit:
            return False
        return sum(_proportional(pid) for pid in pids) > limit


def can_watch() -> bool:
    """Whether this kernel tells the children of a process (CONFIG_PROC_CHILDREN)."""
    return Path(f"/proc/self/task/{os.getpid()}/children").exists()


def descendants(root: int) -> Iterator[int]:
    """`root` and every process below it, as far as they can be seen now."""
    waiting = [root]
    seen: set[int] = set()
    while waiting:
        pid = waiting.pop()
        if pid in seen:
            continue
        seen.add(pid)
        yield pid
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(OSError):
                    waiting += map(int, (task / "children").read_text().split())


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    """Pages shared with others counted in part; the resident size where that cannot be read."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, IndexError):
        pass
    return _resident(pid)

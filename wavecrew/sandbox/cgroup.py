"""Kernel limits on a whole process tree, where this process may set them.

Works on cgroup v1 and v2 alike, below the group this process is in. What counts is what a new
group really offers, found out by making one; where none can be made, the caller falls back to
rlimits and to watching.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wavecrew.sandbox.model import Caps

_OF_THE_LAUNCH = 4
"""Processes that belong to the sandbox itself and not to the command."""

_count = itertools.count()


@dataclass(frozen=True, slots=True)
class Group:
    """One command's limits; processes enter by writing 0 to each of `doors`."""

    folders: tuple[Path, ...]

    @property
    def doors(self) -> tuple[str, ...]:
        return tuple(str(folder / "cgroup.procs") for folder in self.folders)

    def memory_ran_out(self) -> bool:
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    if _value((folder / name).read_text(), "oom_kill") > 0:
                        return True
        return False

    def remove(self) -> None:
        """To be called when all its processes are gone; the kernel may need a moment."""
        for folder in self.folders:
            for _ in range(100):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.002)
                else:
                    break


@dataclass(frozen=True, slots=True)
class Cgroups:
    pids: Path | None
    memory: Path | None

    @classmethod
    def found(cls) -> Cgroups:
        """What can be limited here; both None where no group can be made."""
        own = _own_groups()
        return cls(_offering(own, ("pids.max",)), _offering(own, _MEMORY))

    @contextlib.contextmanager
    def entered(self, caps: Caps) -> Iterator[Group | None]:
        """A group for one command, removed when the command is over."""
        group = self.group(caps)
        try:
            yield group
        finally:
            if group is not None:
                group.remove()

    def group(self, caps: Caps) -> Group | None:
        """A new, empty group with these limits, or None when nothing can be limited."""
        parents = tuple(dict.fromkeys(one for one in (self.pids, self.memory) if one))
        if not parents:
            return None
        folders = tuple(parent / f"wavecrew-{os.getpid()}-{next(_count)}" for parent in parents)
        group = Group(folders)
        try:
            for parent, folder in zip(parents, folders, strict=True):
                folder.mkdir()
                if parent == self.pids:
                    (folder / "pids.max").write_text(str(caps.processes + _OF_THE_LAUNCH))
                if parent == self.memory:
                    _limit_memory(folder, caps.memory_mb * 1024 * 1024)
        except OSError:
            group.remove()
            raise
        return group


_JOIN = (
    'n=$1; shift; while [ "$n" -gt 0 ]; do echo 0 >"$1" || exit 125; shift; n=$((n-1)); done; '
    'exec "$@"'
)


def joining(group: Group | None) -> tuple[str, ...]:
    """Words to put before a command line, so that no instruction of it runs outside the group."""
    if group is None:
        return ()
    return ("/bin/sh", "-c", _JOIN, "sh", str(len(group.doors)), *group.doors)


_MEMORY = ("memory.max", "memory.limit_in_bytes")


def _limit_memory(folder: Path, limit: int) -> None:
    for name in _MEMORY:
        if (folder / name).exists():
            (folder / name).write_text(str(limit))
    if (folder / "memory.swap.max").exists():
        (folder / "memory.swap.max").write_text("0")


def _offering(own: list[Path], names: tuple[str, ...]) -> Path | None:
    for parent in own:
        _sweep(parent)
        trial = parent / f"wavecrew-{os.getpid()}-{next(_count)}"
        with contextlib.suppress(OSError):
            trial.mkdir()
            try:
                if any(os.access(trial / name, os.W_OK) for name in names):
                    return parent
            finally:
                trial.rmdir()
    return None


def _sweep(parent: Path) -> None:
    """Remove empty groups that a killed engine left behind."""
    for folder in parent.glob("wavecrew-*-*"):
        owner = folder.name.split("-")[1]
        if owner.isdigit() and not Path("/proc", owner).exists():
            with contextlib.suppress(OSError):
                folder.rmdir()


def _own_groups() -> list[Path]:
    """The folders of the groups this process is in, of every mounted hierarchy."""
    try:
        memberships = Path("/proc/self/cgroup").read_text().splitlines()
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return []
    found = []
    for membership in memberships:
        _, controllers, inner = membership.split(":", 2)
        if not controllers or {"pids", "memory"} & set(controllers.split(",")):
            found += [place for line in mounts if (place := _place(line, controllers, inner))]
    return found


def _place(mount_line: str, controllers: str, inner: str) -> Path | None:
    left, _, right = mount_line.partition(" - ")
    root, point = left.split()[3:5]
    kind, _, options = right.split()[:3]
    if kind != ("cgroup" if controllers else "cgroup2"):
        return None
    if controllers and not set(controllers.split(",")) <= set(options.split(",")):
        return None
    below = inner[len(root) :] if root != "/" and inner.startswith(root) else inner
    place = Path(point + below.rstrip("/"))
    return place if place.is_dir() else None


def _value(text: str, name: str) -> int:
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.isdigit():
            return int(value)
    return 0

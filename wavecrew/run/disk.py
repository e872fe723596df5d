"""How large a folder is, how it is removed whatever agents left in it, and is there room left?"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from wavecrew.errors import DiskFull

LOW_BYTES = 20_000_000
"""Free space below this stops a run: enough to write down where it stands."""


def no_room(folder: Path) -> DiskFull | None:
    """The error that stops a run because the disk under `folder` is full; None when it is not."""
    free = shutil.disk_usage(folder).free
    if free >= LOW_BYTES:
        return None
    return DiskFull(
        f"the disk is full: {free // 1_000_000} MB are free",
        where=str(folder),
        mend="free some space, then --resume; what an agent wrote since its last step is redone",
    )


def require_room(folder: Path) -> None:
    """DiskFull when there is none."""
    if error := no_room(folder):
        raise error


def size_of(path: Path) -> int:
    """Bytes on disk, links not followed, each file counted once; 0 when there is nothing."""
    seen: set[tuple[int, int]] = set()
    total = 0
    waiting = [path]
    while waiting:
        place = waiting.pop()
        try:
            status = place.lstat()
            if stat.S_ISDIR(status.st_mode):
                waiting += place.iterdir()
        except OSError:
            continue
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            total += status.st_blocks * 512
    return total


def remove(path: Path) -> None:
    """Delete a folder and all below it, unreadable folders included; OSError when it cannot be.

    Links are deleted, never followed. A folder that is not there is deleted already.
    """
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        return
    except PermissionError:
        _open_up(path)
        shutil.rmtree(path)


def _open_up(path: Path) -> None:
    path.chmod(0o700)
    for folder, names, _ in os.walk(path):
        for name in names:
            below = Path(folder) / name
            if not below.is_symlink():
                below.chmod(0o700)

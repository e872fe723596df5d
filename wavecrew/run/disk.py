"""How large a folder is, and how it is removed, whatever agents' code left in it."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path


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

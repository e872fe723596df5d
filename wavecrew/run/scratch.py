"""Where a process keeps what is only its own: one temporary folder, which outlives no one.

The folder's name says whose it is (host and process namespace, process id,
start time), so it has an owner from the moment it exists, and whoever comes
next can tell that the owner is dead. What is made below it (sandbox folders,
sockets, the HOME of agents) needs no clean-up of its own to survive `kill -9`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wavecrew.run.owner import started_at

_NAME = re.compile(r"wavecrew-(?P<place>[0-9a-f]{6})-(?P<pid>\d+)-(?P<started>\d+)")


@contextmanager
def own_scratch() -> Iterator[Path]:
    """This process's folder, which is its `tempfile.gettempdir()` as long as the block lasts.

    Before, folders of dead processes of the same user go. Within another such
    block the same folder is given again.
    """
    root = Path(tempfile.gettempdir())
    mine = _name(os.getpid())
    if root.name == mine:
        yield root
        return
    sweep_scratch(root)
    folder = root / mine
    folder.mkdir(mode=0o700, exist_ok=True)
    before = tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        yield folder
    finally:
        drop_scratch()
        tempfile.tempdir = before


def drop_scratch() -> None:
    """Remove this process's folder, if it has one: for who leaves without unwinding."""
    folder = Path(tempfile.gettempdir())
    if folder.name == _name(os.getpid()):
        shutil.rmtree(folder, ignore_errors=True)


def sweep_scratch(root: Path) -> int:
    """Remove what dead processes of this user left in `root`; how many folders."""
    swept = 0
    with suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            found = _NAME.fullmatch(entry.name)
            if found and _is_mine(entry) and _is_dead(found):
                shutil.rmtree(entry.path, ignore_errors=True)
                swept += not os.path.lexists(entry.path)
    return swept


def _is_mine(entry: os.DirEntry[str]) -> bool:
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _is_dead(found: re.Match[str]) -> bool:
    """Only what was made here can be judged: a folder may be shared with other machines."""
    return found["place"] == _place() and started_at(int(found["pid"])) != found["started"]


def _name(pid: int) -> str:
    return f"wavecrew-{_place()}-{pid}-{started_at(pid)}"


def _place() -> str:
    """The same after a reboot, unlike an owner's: what was left before it has to go too."""
    named = f"{os.uname().nodename}\0{os.readlink('/proc/self/ns/pid')}"
    return hashlib.sha256(named.encode()).hexdigest()[:6]

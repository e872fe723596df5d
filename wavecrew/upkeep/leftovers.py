"""What an engine that was killed in mid-write left in a run's folder, and in the repository.

Called while the run's lock is held, before anything of the run is at work: then
every half-written file has no owner any more. Nothing that counts is ever
touched: whole files are put in place by a rename.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from wavecrew.errors import EnvironmentBroken
from wavecrew.run import disk
from wavecrew.run.leases import Leases
from wavecrew.run.spec import RunFolder
from wavecrew.workspace.refs import ATTIC, BRANCHES, encode
from wavecrew.workspace.user_repo import STALE_LOCK_S

_IN_RUN = (".mirror-*", "scratch", "*.partial", "reports/*.partial", "baseline/tmp*")
_IN_ATTEMPTS = ("attempts/*/*/outcome.json.new",)
_IN_MIRROR = (
    *("incoming-*", "outgoing-*", "merge-*", "index-*", "checkout-*", "tmp*"),
    *("objects/*/tmp_*", "objects/pack/tmp_*", "*.lock"),
)


def sweep_run(folder: RunFolder, git_dir: Path) -> int:
    """Remove it; how many files and folders."""
    swept = 0
    for path in _left(folder, git_dir):
        with suppress(OSError):
            if path.is_dir() and not path.is_symlink():
                disk.remove(path)
            else:
                path.unlink()
            swept += 1
    return swept


def sweep_leases(git_dir: Path) -> int:
    """Give back what dead engines of this repository's runs had leased; how many things."""
    table = git_dir / "wavecrew" / "leases.db"
    with suppress(EnvironmentBroken):  # whoever needs a lease will tell
        return Leases(table).sweep() if table.exists() else 0
    return 0


def _left(folder: RunFolder, git_dir: Path) -> Iterator[Path]:
    for pattern in (*_IN_RUN, *_IN_ATTEMPTS):
        yield from folder.root.glob(pattern)
    for pattern in _IN_MIRROR:
        yield from folder.mirror.glob(pattern)
    yield from _stale_locks(folder, git_dir)


def _stale_locks(folder: RunFolder, git_dir: Path) -> Iterator[Path]:
    """Locks of this run's refs that no living git can hold: it does so for milliseconds."""
    for refs in (BRANCHES, ATTIC):
        for lock in (git_dir / refs / encode(folder.run)).rglob("*.lock"):
            with suppress(FileNotFoundError):
                if time.time() - lock.stat().st_mtime > STALE_LOCK_S:
                    yield lock

"""What a machine that lost its power left of a run's databases, before anything opens them.

The event log is read as far as it goes and written anew; the engine's own
database is only set aside, because everything in it can be found out again
(`reconcile.py`). Nothing is deleted: what was damaged stays beside its successor.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from itertools import count, takewhile
from pathlib import Path

from wavecrew.journal.log import SCHEMA
from wavecrew.run.engine import APPLICATION_VERSION
from wavecrew.run.spec import RunFolder

_BESIDE = ("-wal", "-shm", "-journal")
Row = tuple[int, str, str, str, str]


def mend_databases(folder: RunFolder) -> list[str]:
    """Make the run's databases readable; one sentence for each that was not.

    For the holder of the run's lock, before they are opened.
    """
    told = [_mend_log(folder.events), _mend_engine(folder)]
    return [one for one in told if one]


def set_aside(path: Path) -> Path:
    """Rename a database with all that belongs to it; gives where it is now."""
    aside = path.with_name(f"{path.name}.damaged-{len(_asides(path)) + 1}")
    for end in _BESIDE:
        with suppress(FileNotFoundError):
            os.replace(f"{path}{end}", f"{aside}{end}")
    os.replace(path, aside)
    return aside


def _asides(path: Path) -> list[Path]:
    """What was set aside before, the newest last."""
    numbered = (path.with_name(f"{path.name}.damaged-{number}") for number in count(1))
    return list(takewhile(Path.exists, numbered))


def _mend_log(path: Path) -> str:
    """The mended log is whole before the damaged one moves: killed anywhere, it is done again."""
    mended = path.with_name(f"{path.name}.mended")
    if not mended.exists():
        if not path.exists() or _is_whole(path, "select seq, id, at, kind, fact from events"):
            return ""
        partial = path.with_name(f"{path.name}.partial")
        partial.unlink(missing_ok=True)
        _write_log(partial, _salvaged(path))
        partial.replace(mended)
    aside = set_aside(path) if path.exists() else _asides(path)[-1]
    rows = _salvaged(mended)
    mended.replace(path)
    return (
        f"the event log was damaged: {len(rows)} events could be read and are kept, later ones "
        f"are found out again; the damaged file is {aside.name}"
    )


def _write_log(path: Path, rows: list[Row]) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("pragma synchronous=full")
        database.execute(SCHEMA)
        database.executemany("insert into events values (?, ?, ?, ?, ?)", rows)


def _mend_engine(folder: RunFolder) -> str:
    path = folder.engine
    if not path.exists() or path.stat().st_size == 0:
        return ""
    if not _is_whole(path, "select 1 from sqlite_master where name = 'workflow_status'"):
        aside = set_aside(path)
        return (
            "the engine's database was damaged: every step is looked at again, and what is done "
            f"is not done twice; the damaged file is {aside.name}"
        )
    if not _has_begun(path):
        return ""
    if _has_failed(path):
        aside = set_aside(path)
        return (
            "the engine had failed in the middle: every step is looked at again, and what is done "
            f"is not done twice; its database is kept as {aside.name}"
        )
    if other := _other_version(path):
        aside = set_aside(path)
        return (
            f"another Wavecrew's engine (version {other}) worked on this run: every step is "
            f"looked at again, and what is done is not done twice; its database is {aside.name}"
        )
    return ""


def _has_begun(path: Path) -> bool:
    """False for one whose tables were not all made yet; the engine goes on making them."""
    asked = "select 1 from sqlite_master where name = 'workflow_status'"
    with closing(sqlite3.connect(path)) as database:
        return database.execute(asked).fetchone() is not None


def _has_failed(path: Path) -> bool:
    """A workflow of a run has no way to fail but a failure of the engine under it."""
    asked = "select 1 from workflow_status where status not in (?, ?, ?, ?) limit 1"
    with closing(sqlite3.connect(path)) as database:
        known = ("PENDING", "ENQUEUED", "DELAYED", "SUCCESS")
        return database.execute(asked, known).fetchone() is not None


def _other_version(path: Path) -> str:
    """The version of workflows that this engine would leave lying; empty when there is none."""
    asked = (
        "select application_version from workflow_status where application_version is not null "
        "and application_version <> ? limit 1"
    )
    with closing(sqlite3.connect(path)) as database:
        row = database.execute(asked, (APPLICATION_VERSION,)).fetchone()
    return str(row[0]) if row else ""


def _is_whole(path: Path, asked: str) -> bool:
    try:
        with closing(sqlite3.connect(path)) as database:
            if database.execute("pragma quick_check(1)").fetchone() != ("ok",):
                return False
            database.execute(asked).fetchall()
            return True
    except sqlite3.Error:
        return False


def _salvaged(path: Path) -> list[Row]:
    """The log's rows from the first one on, up to where it cannot be read or has a gap."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="salvage-") as scratch:
        copy = Path(scratch) / path.name
        for end in ("", *_BESIDE):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{path}{end}", f"{copy}{end}")
        _lengthen(copy)
        with suppress(sqlite3.Error), closing(sqlite3.connect(copy)) as database:
            asked = "select seq, id, at, kind, fact from events order by seq"
            for row in database.execute(asked):
                if row[0] != len(rows) + 1 or not all(isinstance(word, str) for word in row[1:]):
                    break
                rows.append(row)
    return rows


def _lengthen(path: Path) -> None:
    """Give a database its full length again: SQLite reads nothing at all of a shorter one.

    The size of a page and their number are in its header, at bytes 16 and 28
    (https://www.sqlite.org/fileformat2.html#the_database_header). What was lost reads as zeros.
    """
    with path.open("rb") as file:
        header = file.read(100)
    if len(header) == 100 and header.startswith(b"SQLite format 3\0"):
        size = int.from_bytes(header[16:18], "big")
        pages = int.from_bytes(header[28:32], "big")
        wanted = (65536 if size == 1 else size) * pages
        if wanted > path.stat().st_size:
            os.truncate(path, wanted)

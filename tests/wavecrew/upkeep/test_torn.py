"""A damaged event log: what can be read is kept, whatever moment the mending is killed at."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from wavecrew.journal import events as e
from wavecrew.journal.log import SqliteEventLog
from wavecrew.run.spec import RunFolder
from wavecrew.upkeep.torn import mend_databases

NOTES = 400


class Killed(BaseException):
    pass


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run whose event log lost its last pages."""
    made = RunFolder(tmp_path / "r1")
    made.root.mkdir()
    log = SqliteEventLog(made.events, "r1")
    for number in range(NOTES):
        log.append(e.NotePosted("1.1", 1, number, "x" * 400))
    log.close()
    with closing(sqlite3.connect(made.events)) as database:
        database.execute("pragma wal_checkpoint(truncate)")
    os.truncate(made.events, made.events.stat().st_size * 2 // 3 // 4096 * 4096)
    return made


def notes(folder: RunFolder) -> list[int]:
    log = SqliteEventLog(folder.events, "r1")
    try:
        return [event.fact.note for event in log.read() if isinstance(event.fact, e.NotePosted)]
    finally:
        log.close()


def test_what_can_be_read_is_kept_and_the_damaged_file_too(folder: RunFolder) -> None:
    damaged = folder.events.read_bytes()
    (told,) = mend_databases(folder)
    kept = notes(folder)
    assert 0 < len(kept) < NOTES
    assert kept == list(range(len(kept)))
    assert f"{len(kept)} events could be read" in told
    assert (folder.root / "events.db.damaged-1").read_bytes() == damaged
    assert mend_databases(folder) == []


@pytest.mark.parametrize("renames", range(3))
def test_a_mending_that_is_killed_is_done_again(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    """It is killed after so many renames, of the three that it takes."""
    done: list[object] = []

    def rename(source: object, target: object) -> None:
        if len(done) == renames:
            raise Killed
        replace(source, target)
        done.append(source)

    replace: Any = os.replace
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", rename)
        with pytest.raises(Killed):
            mend_databases(folder)
    assert len(mend_databases(folder)) == 1
    kept = notes(folder)
    assert 0 < len(kept) < NOTES
    assert kept == list(range(len(kept)))
    assert {path.name for path in folder.root.iterdir()} <= {
        "events.db",
        "events.db-wal",
        "events.db-shm",
        "events.db.damaged-1",
    }

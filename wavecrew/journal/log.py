"""The event log of a run: facts in order, each written once, durable, readable by anyone.

SQLite in WAL mode, one writer (the engine), any number of readers. A fact
whose id is already there is not written again, which is what makes repeated
steps harmless. Standard library only.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from wavecrew.errors import DiskFull, EnvironmentBroken
from wavecrew.journal.events import FACTS, Event, Fact, fact_from_json, id_of, kind_of

SCHEMA = """
create table if not exists events (
    seq integer primary key autoincrement,
    id text not null unique,
    at text not null,
    kind text not null,
    fact text not null
)
"""


class EventLog(Protocol):
    """Where facts go. `append` returns the event, or None when it was there already."""

    run: str
    on_append: Callable[[Event], None]
    """Called with every new event, in order, whoever appended it."""

    def append(self, fact: Fact) -> Event | None: ...

    def refresh(self) -> None:
        """Take in what other processes appended: `on_append` is called for each, in order."""
        ...

    def read(self, after: int = 0) -> tuple[Event, ...]:
        """All events with a sequence above `after`, in order; refreshes first."""
        ...

    def has(self, fact_id: str) -> bool: ...


def utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class SqliteEventLog:
    """The log in `events.db`. Thread-safe; `on_append` sees every new event in order."""

    def __init__(
        self, path: Path, run: str, *, clock: Callable[[], str] = utc_now, read_only: bool = False
    ) -> None:
        self.run = run
        self.on_append: Callable[[Event], None] = lambda event: None
        self._clock = clock
        self._lock = threading.RLock()
        target = f"file:{path}?mode=ro" if read_only else str(path)
        self._db = sqlite3.connect(target, uri=read_only, check_same_thread=False)
        if not read_only:
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=full")
            self._db.execute(SCHEMA)
            self._db.commit()

    def append(self, fact: Fact) -> Event | None:
        """Write `fact` durably, once. DiskFull when there is no room: nothing is written then."""
        with self._lock:
            at, kind, fact_id = self._clock(), kind_of(type(fact)), id_of(fact)
            # ASCII: a lone surrogate in what an agent wrote cannot be stored as text.
            body = json.dumps(asdict(fact), separators=(",", ":"))
            seq = self._insert(fact_id, at, kind, body)
            if seq is None:
                return None
            event = Event(seq=seq, id=fact_id, run=self.run, at=at, kind=kind, fact=fact)
            self.on_append(event)
            return event

    def refresh(self) -> None:
        """Nothing to do: a run on one machine has one writer."""

    def read(self, after: int = 0) -> tuple[Event, ...]:
        """All events with a sequence above `after`, in order, but for kinds unknown here."""
        with self._lock:
            rows = self._db.execute(
                "select seq, id, at, kind, fact from events where seq > ? order by seq", (after,)
            ).fetchall()
        return tuple(self._events(rows))

    def has(self, fact_id: str) -> bool:
        with self._lock:
            found = self._db.execute("select 1 from events where id = ?", (fact_id,)).fetchone()
        return found is not None

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _insert(self, fact_id: str, at: str, kind: str, body: str) -> int | None:
        try:
            with self._db:
                # Not `insert or ignore`: what that ignores uses up a number all the same.
                cursor = self._db.execute(
                    "insert into events (id, at, kind, fact) select ?, ?, ?, ? "
                    "where not exists (select 1 from events where id = ?)",
                    (fact_id, at, kind, body, fact_id),
                )
        except sqlite3.OperationalError as error:
            raise _as_ours(error) from error
        return cursor.lastrowid if cursor.rowcount else None

    def _events(self, rows: list[tuple[int, str, str, str, str]]) -> Iterator[Event]:
        for seq, fact_id, at, kind, body in rows:
            if kind in FACTS:
                fact = fact_from_json(kind, json.loads(body))
                yield Event(seq=seq, id=fact_id, run=self.run, at=at, kind=kind, fact=fact)


def _as_ours(error: sqlite3.OperationalError) -> EnvironmentBroken:
    if "full" in str(error):
        return DiskFull("no room left for the event log", mend="free some space, then --resume")
    return EnvironmentBroken(f"the event log cannot be written: {error}")

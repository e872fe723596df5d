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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from wavecrew.errors import DiskFull, EnvironmentBroken
from wavecrew.journal.events import FACTS, Event, Fact, fact_from_json, id_of, kind_of
from wavecrew.journal.instant import utc_now

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


@dataclass(slots=True)
class _Waiting:
    """A fact on its way into the file, and what became of it."""

    fact: Fact
    id: str
    kind: str
    body: str
    event: Event | None = None
    error: BaseException | None = None
    is_over: bool = False


class SqliteEventLog:
    """The log in `events.db`. Thread-safe; `on_append` sees every new event in order."""

    def __init__(
        self, path: Path, run: str, *, clock: Callable[[], str] = utc_now, read_only: bool = False
    ) -> None:
        self.run = run
        self.on_append: Callable[[Event], None] = lambda event: None
        self._clock = clock
        self._lock = threading.RLock()
        self._queue = threading.Lock()
        self._waiting: list[_Waiting] = []
        target = f"file:{path}?mode=ro" if read_only else str(path)
        self._db = sqlite3.connect(target, uri=read_only, check_same_thread=False)
        if not read_only:
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=full")
            self._db.execute(SCHEMA)
            self._db.commit()

    def append(self, fact: Fact) -> Event | None:
        """Write `fact` durably, once. DiskFull when there is no room: nothing is written then.

        One flush of the disk takes longer than all else together, so whoever comes first
        writes for all who wait, in the order they came. `on_append` may not append.
        """
        # ASCII: a lone surrogate in what an agent wrote cannot be stored as text.
        body = json.dumps(asdict(fact), separators=(",", ":"))
        mine = _Waiting(fact, id_of(fact), kind_of(type(fact)), body)
        with self._queue:
            self._waiting.append(mine)
        with self._lock:
            if not mine.is_over:
                self._write()
        if mine.error is not None:
            raise mine.error
        return mine.event

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

    def _write(self) -> None:
        """One transaction for all that wait; the caller holds the lock."""
        with self._queue:
            batch, self._waiting = self._waiting, []
        try:
            with self._db:
                for waiting in batch:
                    waiting.event = self._insert(waiting)
        except BaseException as error:  # noqa: BLE001 raised again by `append`
            ours = _as_ours(error) if isinstance(error, sqlite3.OperationalError) else error
            for waiting in batch:
                waiting.event, waiting.error = None, ours
        for waiting in batch:
            waiting.is_over = True
            if waiting.event is not None:
                self._tell(waiting, waiting.event)

    def _tell(self, waiting: _Waiting, event: Event) -> None:
        """A listener's failure is told to whoever appended, and to nobody else."""
        try:
            self.on_append(event)
        except BaseException as error:  # noqa: BLE001 raised again by `append`
            waiting.error = error

    def _insert(self, waiting: _Waiting) -> Event | None:
        at, fact_id = self._clock(), waiting.id
        # Not `insert or ignore`: what that ignores uses up a number all the same.
        cursor = self._db.execute(
            "insert into events (id, at, kind, fact) select ?, ?, ?, ? "
            "where not exists (select 1 from events where id = ?)",
            (fact_id, at, waiting.kind, waiting.body, fact_id),
        )
        if not cursor.rowcount or cursor.lastrowid is None:
            return None
        seq, kind = cursor.lastrowid, waiting.kind
        return Event(seq=seq, id=fact_id, run=self.run, at=at, kind=kind, fact=waiting.fact)

    def _events(self, rows: list[tuple[int, str, str, str, str]]) -> Iterator[Event]:
        for seq, fact_id, at, kind, body in rows:
            if kind in FACTS:
                fact = fact_from_json(kind, json.loads(body))
                yield Event(seq=seq, id=fact_id, run=self.run, at=at, kind=kind, fact=fact)


def _as_ours(error: sqlite3.OperationalError) -> EnvironmentBroken:
    if "full" in str(error):
        return DiskFull("no room left for the event log", mend="free some space, then --resume")
    return EnvironmentBroken(f"the event log cannot be written: {error}")

"""The event log of a run in PostgreSQL: many engines write it, anyone follows it.

The order is the database's: an append takes the run's lock, the next number
and everything that others wrote before it, in one flight. So all processes
see the same events in the same order, and fold the same state from them.
"""

from __future__ import annotations

import json
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from wavecrew.errors import EnvironmentBroken
from wavecrew.journal.database import Database
from wavecrew.journal.events import FACTS, Event, Fact, fact_from_json, id_of, kind_of
from wavecrew.journal.instant import utc_now
from wavecrew.journal.schema import ensure_schema, key_of

__all__ = ["PostgresEventLog", "ensure_schema"]

LOOK_S = 0.2
"""How often `wait` looks. One index entry is read; LISTEN would serialise every commit."""
LOCK = "select pg_advisory_xact_lock(hashtextextended('wavecrew events ' || %s, 0))"
INSERT = """
insert into wavecrew.events (run, seq, id, at, kind, fact)
select %(run)s, last.seq + 1, %(id)s, %(at)s, %(kind)s, %(fact)s
from (select coalesce(max(seq), 0) as seq from wavecrew.events where run = %(run)s) as last
where last.seq >= %(known)s
  and not exists (select 1 from wavecrew.events where run = %(run)s and id = %(id)s)
returning seq
"""
NEWER = (
    "select seq, id, at, kind, fact from wavecrew.events where run = %s and seq > %s order by seq"
)


class PostgresEventLog:
    """The events of one run, kept here as far as they are known. Thread-safe.

    `on_append` is called for every event that came since this was opened, own
    and others', once each and in order, before the call that took it in
    returns. What `append`, `read` or `refresh` raise may be tried again: a
    fact that was written all the same is not written twice.
    """

    def __init__(self, url: str, run: str, *, clock: Callable[[], str] = utc_now) -> None:
        """Reads what there is. DatabaseLost or DatabaseRefused when it cannot be read."""
        self.run = run
        self.on_append: Callable[[Event], None] = lambda event: None
        self._clock = clock
        self._database = Database(url)
        self._lock = threading.RLock()
        self._events: list[Event] = []
        self._keys: set[str] = set()
        self._last = 0
        try:
            self._fetch()
        except BaseException:
            self.close()
            raise

    def append(self, fact: Fact) -> Event | None:
        """Write `fact` durably, once. DatabaseLost: it may be there or not; append it again."""
        values = {
            "run": self.run,
            "id": key_of(id_of(fact)),
            "at": self._clock(),
            "kind": kind_of(type(fact)),
            "fact": json.dumps(asdict(fact), separators=(",", ":")),
        }
        with self._lock:
            with self._database.transaction() as here:
                here.execute(LOCK, (self.run,))
                written = here.execute(INSERT, values | {"known": self._last})
                newer = here.execute(NEWER, (self.run, self._last))
            seq = next((row[0] for row in written.fetchall()), None)
            self._take_in(newer.fetchall())
            if seq is None and values["id"] not in self._keys:
                raise self._rolled_back()
            return next((e for e in reversed(self._events) if e.seq == seq), None)

    def refresh(self) -> None:
        """Take in what other processes appended."""
        with self._lock:
            self._fetch()

    def read(self, after: int = 0) -> tuple[Event, ...]:
        """All events with a sequence above `after`, as of now, but for kinds unknown here.

        What is new in it has gone through `on_append`: a state folded from it and kept current
        by an `on_append` set thereafter misses nothing and counts nothing twice.
        """
        with self._lock:
            self._fetch()
            return self._after(after)

    def has(self, fact_id: str) -> bool:
        with self._lock:
            self._fetch()
            return key_of(fact_id) in self._keys

    def wait(self, timeout_s: float) -> tuple[Event, ...]:
        """What comes new, as soon as something does; empty after `timeout_s` without."""
        deadline = time.monotonic() + timeout_s
        while True:
            with self._lock:
                before = self._last
                self._fetch()
                new = self._after(before)
            left = deadline - time.monotonic()
            if new or left <= 0:
                return new
            time.sleep(min(LOOK_S, left))

    def close(self) -> None:
        self._database.close()

    def _fetch(self) -> None:
        with self._database.transaction() as here:
            newer = here.execute(NEWER, (self.run, self._last))
        self._take_in(newer.fetchall())

    def _take_in(self, rows: Sequence[tuple[Any, ...]]) -> None:
        for seq, key, at, kind, body in rows:
            if seq <= self._last:
                continue  # `on_append` looked into the log itself
            self._last = seq
            self._keys.add(key)
            if kind in FACTS:
                fact = fact_from_json(kind, json.loads(body))
                event = Event(seq=seq, id=id_of(fact), run=self.run, at=at, kind=kind, fact=fact)
                self._events.append(event)
                self.on_append(event)

    def _after(self, seq: int) -> tuple[Event, ...]:
        return tuple(self._events[bisect_right(self._events, seq, key=lambda event: event.seq) :])

    def _rolled_back(self) -> EnvironmentBroken:
        return EnvironmentBroken(
            f"the database has fewer events of run {self.run!r} than it confirmed ({self._last})",
            where=self._database.shown,
            mend="it was put back to an earlier state; start again from what it holds now",
        )

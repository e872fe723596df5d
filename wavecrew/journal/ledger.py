"""Where are the numbers that all agents of a run share? In rows by name, changed together.

In memory for one engine, in PostgreSQL for many. What the numbers mean is the
business of budget and limits. Rows of one run are changed by one engine at a
time, in order of arrival: every change touches the run's own row, so finer
locks would only add ways to wait for each other.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from wavecrew.journal.database import Database
from wavecrew.journal.schema import key_of

T = TypeVar("T")
Row = dict[str, Any]
"""JSON values by name; empty when nobody has written it yet."""
Rows = dict[str, Row]
LOCK = "select pg_advisory_xact_lock(hashtextextended('wavecrew ledger ' || %s, 0))"
READ = "select account, content from wavecrew.ledger where run = %s and account = any(%s)"
CLEAR = "delete from wavecrew.ledger where run = %s and account = any(%s)"
WRITE = """
insert into wavecrew.ledger (run, account, content) values (%s, %s, %s)
on conflict (run, account) do update set content = excluded.content
"""


class Ledger(Protocol):
    """The shared numbers of one run."""

    def change(self, names: Sequence[str], work: Callable[[Rows], T]) -> T:
        """What `work` returns; the rows that it was given are stored as it leaves them.

        Nobody else sees or changes these rows meanwhile, and when `work` raises, nothing is
        stored. Others wait: `work` is short, and changes no row by another call. It may read
        the log, of which nobody who changes a row holds the lock.
        """
        ...

    def close(self) -> None: ...


class MemoryLedger:
    """One engine's ledger. Thread-safe; it ends with the process."""

    def __init__(self) -> None:
        self._rows: Rows = {}
        self._lock = threading.Lock()

    def change(self, names: Sequence[str], work: Callable[[Rows], T]) -> T:
        """As in `Ledger`."""
        with self._lock:
            rows = {name: dict(self._rows.get(name, {})) for name in names}
            result = work(rows)
            for name, row in rows.items():
                if row:
                    self._rows[name] = row
                else:
                    self._rows.pop(name, None)
            return result

    def close(self) -> None:
        """Nothing is open."""


class PostgresLedger:
    """Rows of the table `ledger`. Errors as of `Database`: after DatabaseLost a change is in doubt,
    and is not to be made again blindly."""

    def __init__(self, url: str, run: str) -> None:
        self._database = Database(url)
        self._run = run

    def change(self, names: Sequence[str], work: Callable[[Rows], T]) -> T:
        """As in `Ledger`; other engines count as others."""
        keys = {key_of(name): name for name in names}
        with self._database.transaction() as here:
            here.execute(LOCK, (self._run,))
            found = here.execute(READ, (self._run, list(keys))).fetchall()
            rows: Rows = {name: {} for name in names}
            rows |= {keys[key]: json.loads(content) for key, content in found}
            before = {name: json.dumps(row) for name, row in rows.items()}
            result = work(rows)
            empty = [key for key, name in keys.items() if not rows[name]]
            here.execute(CLEAR, (self._run, empty))
            for key, name in keys.items():
                content = json.dumps(rows[name])
                if rows[name] and content != before[name]:
                    here.execute(WRITE, (self._run, key, content))
        return result

    def close(self) -> None:
        self._database.close()

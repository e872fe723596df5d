"""The numbers that all engines of a run share, in PostgreSQL: rows by name, changed together.

What the numbers mean is the business of budget and limits. Rows of one run
are changed by one engine at a time, in order of arrival: every change touches
the run's own row, so finer locks would only add ways to wait for each other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from wavecrew.journal.database import Database
from wavecrew.journal.schema import key_of

T = TypeVar("T")
Rows = dict[str, dict[str, Any]]
"""Name -> JSON values; an empty row is one that nobody has written yet."""
LOCK = "select pg_advisory_xact_lock(hashtextextended('wavecrew ledger ' || %s, 0))"
READ = "select account, content from wavecrew.ledger where run = %s and account = any(%s)"
CLEAR = "delete from wavecrew.ledger where run = %s and account = any(%s)"
WRITE = """
insert into wavecrew.ledger (run, account, content) values (%s, %s, %s)
on conflict (run, account) do update set content = excluded.content
"""


class PostgresLedger:
    """Rows of the table `ledger`. Errors as of `Database`: after DatabaseLost a change is in doubt,
    and is not to be made again blindly."""

    def __init__(self, url: str, run: str) -> None:
        self._database = Database(url)
        self._run = run

    def change(self, names: Sequence[str], work: Callable[[Rows], T]) -> T:
        """What `work` returns; the rows that it was given are stored as it leaves them.

        Nobody else changes these rows meanwhile, and when `work` raises, nothing is stored. Other
        engines wait: `work` is short and asks nothing of the database.
        """
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

"""Where are the numbers that all agents of a run share? In rows by name.

Rows are changed together or not at all. What they mean is `budget.py`'s
and `traffic.py`'s to know. In memory for one engine, in PostgreSQL for many.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Row = dict[str, Any]
"""JSON values by name; empty when nobody has written it yet."""
Rows = dict[str, Row]


class Ledger(Protocol):
    """The shared numbers of one run."""

    def change(self, names: Sequence[str], work: Callable[[Rows], T]) -> T:
        """What `work` returns; the rows that it was given are stored as it leaves them.

        Nobody else sees or changes these rows meanwhile. `work` is short, and
        may be called again when the store asks for it; when it raises, nothing
        is stored.
        """
        ...


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

"""Whose work is left behind? Each engine of a run looks every few seconds and takes it back.

DBOS itself recovers only what its own executor left. What an executor without
a lock still holds as pending goes back into its queue here; that is
conditional on the owner, so any number of reapers may do it, again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dbos import DBOS

from wavecrew.run.liveness import FROZEN_AFTER_S, end_session, is_free

if TYPE_CHECKING:
    import psycopg


class Reaper:
    """Looks after the dead of one run, from one of its engine processes."""

    def __init__(
        self, schema: str, version: str, executor: str, told: Callable[[str, int], None]
    ) -> None:
        """`schema` is the run's own of DBOS. `told(executor, count)`: so much was taken back."""
        self._pending = (
            f'select distinct executor_id from "{schema}".workflow_status '  # noqa: S608 our name
            "where status = 'PENDING' and application_version = %s and executor_id <> %s"
        )
        self._mine = (version, executor)
        self._told = told

    def look(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        """Put back what the dead hold, and make dead what is frozen."""
        owners = connection.execute(self._pending.encode(), self._mine).fetchall()
        for (owner,) in owners:
            if is_free(connection, owner):
                count = len(DBOS._recover_pending_workflows([owner]))
                if count:
                    self._told(owner, count)
            elif self._is_frozen(connection, owner):
                end_session(connection, owner)

    def _is_frozen(self, connection: psycopg.Connection[tuple[Any, ...]], owner: str) -> bool:
        """It holds its lock and shows no sign of life: stopped, swapped out, or hung."""
        row = connection.execute(
            "select seen < now() - make_interval(secs => %s) from wavecrew.workers "
            "where executor = %s",
            (FROZEN_AFTER_S, owner),
        ).fetchone()
        return bool(row and row[0])

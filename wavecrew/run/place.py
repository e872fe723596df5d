"""Where an engine keeps its workflows: a file of its own, or a schema that workers share.

What differs between the two stands here: the database, the executor's name,
and how many tasks this process may be at.
"""

from __future__ import annotations

import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dbos import DBOS

from wavecrew.errors import EnvironmentBroken
from wavecrew.journal.database import LINE, SESSION, Database
from wavecrew.run.liveness import HOLDER

if TYPE_CHECKING:
    import psycopg

TASKS = "tasks"
POLL_S = 0.1
ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtextextended('wavecrew place ' || %s, 0))"


class Place(Protocol):
    """One engine's database."""

    def prepare(self, version: str) -> None:
        """Before DBOS is made, for an engine of `version`. EnvironmentBroken when it cannot work
        here."""
        ...

    def config(self) -> dict[str, Any]:
        """What DBOS is to know about it."""
        ...

    def register_tasks(self, engine: DBOS, limit: int) -> None:
        """The queue of tasks, of which `limit` may be at work in the whole run. After launch."""
        ...


@dataclass(frozen=True, slots=True)
class LocalFile:
    """SQLite, one engine per file: a lock beside it sees to that."""

    path: Path

    def prepare(self, version: str) -> None:
        """What another version left was set aside before the log was opened (`upkeep/torn.py`)."""
        check_sqlite()
        with sqlite3.connect(self.path) as database:
            database.execute("pragma journal_mode=wal")

    def config(self) -> dict[str, Any]:
        return {"system_database_url": f"sqlite:///{self.path}", "executor_id": "local"}

    def register_tasks(self, engine: DBOS, limit: int) -> None:
        engine.register_queue(TASKS, global_concurrency=limit, polling_interval_sec=POLL_S)


@dataclass(frozen=True, slots=True)
class SharedSchema:
    """A schema of the run's own on PostgreSQL, which any number of workers serve."""

    url: str
    run: str
    executor: str
    """Never used by another process: DBOS would take its live work for its own of before."""
    agents: int
    """Tasks that this worker is at, at once."""

    def prepare(self, version: str) -> None:
        """Set aside what an engine of another version left: DBOS would let it lie for ever.

        Every step is then looked at again, as after a loss. EnvironmentBroken while such an
        engine is alive.
        """
        database = Database(self.url)
        try:
            with database.transaction() as here:
                here.execute(ONE_AT_A_TIME, (self.run,))
                there = here.execute("select to_regclass(%s)", (self._table,)).fetchone()
                if there != (None,):
                    self._set_aside(here, version)
        finally:
            database.close()

    @property
    def _table(self) -> str:
        return f'"{schema_of(self.run)}".workflow_status'

    def _set_aside(self, here: psycopg.Connection[tuple[Any, ...]], version: str) -> None:
        asked = (
            f"select application_version, executor_id, {HOLDER.format('executor_id')} is not null"  # noqa: S608 our name
            f" from (select distinct application_version, executor_id from {self._table}"
            " where application_version <> %s) as others"
        )
        others = here.execute(asked.encode(), (version,)).fetchall()
        if not others:
            return
        if any(is_alive for _, _, is_alive in others):
            raise EnvironmentBroken(
                f"an engine of another Wavecrew (version {others[0][0]}) works on run {self.run!r}",
                mend="stop the workers of the other version, or let them bring it to its end",
            )
        schema = schema_of(self.run)
        named = "select count(*) from pg_namespace where starts_with(nspname, %s)"
        row = here.execute(named, (f"{schema}_aside_",)).fetchone()
        number = 1 + (row[0] if row else 0)
        here.execute(f'alter schema "{schema}" rename to "{schema}_aside_{number}"'.encode())

    def config(self) -> dict[str, Any]:
        return {
            "system_database_url": self.url,
            "dbos_system_schema": schema_of(self.run),
            "executor_id": self.executor,
            "sys_db_pool_size": self.agents + 8,
            "db_engine_kwargs": {
                "connect_args": dict(LINE),
                "pool_events": [(_as_ours, "connect")],
            },
        }

    def register_tasks(self, engine: DBOS, limit: int) -> None:
        """A queue of this process: one in the database would have one worker's limit for all.

        DBOS keeps such queues for its own use only, so the call is private.
        """
        engine._registry._register_internal_queue(
            TASKS,
            global_concurrency=limit,
            worker_concurrency=min(self.agents, limit),
            polling_interval_sec=POLL_S,
        )


def _as_ours(connection: psycopg.Connection[tuple[Any, ...]], _record: object) -> None:
    """Have the server end a session of DBOS whose worker is cut off, as it ends ours."""
    connection.execute(SESSION)
    connection.commit()


def schema_of(run: str) -> str:
    """The schema in which DBOS keeps a run's workflows."""
    return f"wavecrew_{run}"


def check_sqlite() -> None:
    """DBOS cannot start on Python 3.12+ with SQLite before 3.42; say so instead of its error."""
    if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < (3, 42):
        raise EnvironmentBroken(
            f"SQLite {sqlite3.sqlite_version} is too old for Python 3.12 and later",
            mend="use Python 3.11, or a Python built with SQLite 3.42 or newer",
        )

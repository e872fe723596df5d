"""Which runs are there for all machines, what is wanted of each, and which workers are at hand.

Two tables of the shared database. A run's row says where its hub is, what it
was asked to do, and whether it is to go on or to pause; whoever turns `work`
into `pause` gets the pause's number and writes the fact, so there is one. A
worker's row says where it runs and what it does; whether it is alive its
advisory lock says, never the row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from wavecrew.errors import UsageError, WavecrewError
from wavecrew.journal.database import Database
from wavecrew.journal.instant import utc
from wavecrew.journal.schema import OF_RUNS, ensure_schema
from wavecrew.run.liveness import CHANNEL, HOLDER
from wavecrew.run.spec import RunSpec

if TYPE_CHECKING:
    import psycopg

Wanted = Literal["work", "pause"]
FORGOTTEN_S = 3600.0
"""A worker's row outlives it by so long, and `wavecrew status` can tell of its end."""
_RUNS = (
    "select run, hub, wanted, pauses, stopped, outcome, exit_code, created_at from wavecrew.runs"
)
_ALIVE = " or ".join(f"{HOLDER.format(name)} is not null" for name in ("worker", "executor"))
_WORKERS = (
    "select worker, host, pid, hub, agents, since, seen, run, executor, "  # noqa: S608 our words
    "doing, " + _ALIVE + " as alive from wavecrew.workers order by alive desc, host, since"
)
_PAUSE = (
    "update wavecrew.runs set wanted = 'pause', pauses = pauses + 1,"  # noqa: S608
    " stopped = %s"
    " where run = %s and wanted = 'work' and outcome = '' and (%s = '' or "
    + HOLDER.format("%s")
    + " is not null) returning pauses"
).encode()
_TELL = (
    "update wavecrew.workers set seen = now(), doing = %s, run = %s, executor = %s"
    " where worker = %s"
)
_TO_PAUSE = "select wanted = 'pause' and outcome = '' from wavecrew.runs where run = %s"
_LAST = (
    "select coalesce(max(number), 0) from (select number from wavecrew.runs"
    " union all select number from wavecrew.removed) as known"
)
_REMEMBER = (
    "insert into wavecrew.removed (run, number) select run, number from wavecrew.runs"
    " where run = %s and outcome <> '' returning number"
)
_ALLOT = "select pg_advisory_xact_lock(hashtextextended('wavecrew runs', 0))"


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as all machines see it."""

    run: str
    hub: str
    wanted: Wanted
    pauses: int
    """How often it was paused."""
    stopped: str
    """What paused it: an error as JSON; empty when a person did."""
    outcome: str
    """Empty until it came to its end."""
    exit_code: int | None
    created_at: str

    def error(self) -> WavecrewError | None:
        """What paused it, with its exit code; None when a person did."""
        if not self.stopped:
            return None
        told = json.loads(self.stopped)
        error = WavecrewError(told["what"], where=told["where"], mend=told["mend"])
        error.exit_code = told["exit_code"]
        return error


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker: one supervisor on one machine, at work on one run at most."""

    worker: str
    host: str
    pid: int
    hub: str
    agents: int
    since: str
    seen: str
    run: str
    """Empty while there is nothing to do."""
    executor: str
    """Of its engine process."""
    doing: str
    is_alive: bool
    """It, or its engine process, holds its lock."""


class Roster:
    """The two tables. Thread-safe; a connection that was lost is made again at the next call."""

    def __init__(self, url: str) -> None:
        """Makes the tables when they are not there. DatabaseLost, DatabaseRefused."""
        ensure_schema(url)
        self._database = Database(url)

    @property
    def shown(self) -> str:
        """The URL as it may be printed."""
        return self._database.shown

    def close(self) -> None:
        self._database.close()

    # ---- runs

    def allot(self, hub: str, spec: RunSpec, taken: Iterable[str]) -> RunSpec:
        """Write a run down under the next free name; gives its spec with that name.

        `taken` are names that have branches already, in the hub or at the user's.
        Nobody works on it before `work`.
        """
        used = set(taken)
        with self._database.transaction() as here:
            here.execute(_ALLOT)
            rows = here.execute(_LAST).fetchall()
            number = int(rows[0][0]) + 1
            while f"r{number}" in used:
                number += 1
            named = spec.model_copy(update={"run": f"r{number}"})
            here.execute(
                "insert into wavecrew.runs (run, number, hub, spec) values (%s, %s, %s, %s)",
                (named.run, number, hub, named.model_dump_json()),
            )
        return named

    def spec(self, run: str) -> RunSpec:
        """What the run is asked to do, as it stands now. UsageError when there is none."""
        rows = self._all("select spec from wavecrew.runs where run = %s", run)
        if not rows:
            raise self._unknown(run)
        return RunSpec.model_validate_json(rows[0][0])

    def base(self, run: str) -> str:
        """The commit a run was cut from, whatever version wrote it down; empty: nobody can tell."""
        rows = self._all("select spec from wavecrew.runs where run = %s", run)
        if not rows:
            raise self._unknown(run)
        told = json.loads(rows[0][0])
        return str(told.get("base", "")) if isinstance(told, dict) else ""

    def change(self, spec: RunSpec) -> None:
        """What may change under a paused run: its model, limits and budget."""
        self._all(
            "update wavecrew.runs set spec = %s where run = %s", spec.model_dump_json(), spec.run
        )

    def run(self, name: str) -> RunRow:
        """UsageError when there is no such run."""
        rows = self._all(f"{_RUNS} where run = %s", name)
        if not rows:
            raise self._unknown(name)
        return _run(rows[0])

    def runs(self) -> tuple[RunRow, ...]:
        """Oldest first."""
        return tuple(map(_run, self._all(f"{_RUNS} order by number")))

    def next_run(self, hub: str) -> str:
        """The oldest run with this hub that is to be worked on; empty when there is none."""
        rows = self._all(
            "select run from wavecrew.runs where hub = %s and wanted = 'work' and outcome = '' "
            "order by number limit 1",
            hub,
        )
        return str(rows[0][0]) if rows else ""

    def work(self, run: str) -> None:
        """Have it worked on from now; what paused it before is forgotten."""
        self._all(
            "update wavecrew.runs set wanted = 'work', stopped = '' "
            "where run = %s and outcome = ''",
            run,
        )

    def pause(self, run: str, error: WavecrewError | None = None, executor: str = "") -> int:
        """Have everyone leave it. The number of this pause; 0 when it is paused already, or over.

        Who gets a number writes the fact, once all have left. With `executor` only
        while that is alive: one that was taken for dead stops nobody.
        """
        with self._database.transaction() as here:
            found = here.execute(_PAUSE, (_told(error), run, executor, executor))
            here.execute("select pg_notify(%s, %s)", (CHANNEL, f"pause {run}"))
        rows = found.fetchall()
        return int(rows[0][0]) if rows else 0

    def finish(self, run: str, outcome: str, exit_code: int) -> None:
        """It came to its end; said again it changes nothing."""
        self._all(
            "update wavecrew.runs set outcome = %s, exit_code = %s where run = %s and outcome = ''",
            outcome,
            exit_code,
            run,
        )

    def rows_bytes(self, run: str) -> int:
        """What the run's rows take, in all tables."""
        sizes = (
            f"select coalesce(sum(pg_column_size(t.*)), 0) from wavecrew.{table} t where run = %s"  # noqa: S608 our names
            for table in OF_RUNS
        )
        return sum(int(self._all(statement, run)[0][0]) for statement in sizes)

    def schemas(self, schema: str) -> dict[str, int]:
        """The schema of that name, and what later versions put aside of it -> bytes it takes."""
        rows = self._all(
            "select n.nspname::text, coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint"
            " from pg_namespace n"
            " left join pg_class c on c.relnamespace = n.oid and c.relkind = 'r'"
            " where n.nspname = %s or n.nspname ~ ('^' || %s || '_aside_[0-9]+$')"
            " group by n.nspname order by n.nspname",
            schema,
            schema,
        )
        return {str(name): int(size) for name, size in rows}

    def drop_schema(self, schema: str) -> None:
        """Remove what an engine kept in a schema of its own. DatabaseRefused: it is not ours."""
        self._all(f'drop schema if exists "{schema}" cascade')

    def remove(self, run: str) -> bool:
        """Remove all rows of a run that came to its end, at once or not at all; its name stays
        taken. False, and nothing is removed, when it is not over or not there.
        """
        with self._database.transaction() as here:
            here.execute(_ALLOT)
            if not here.execute(_REMEMBER, (run,)).fetchall():
                return False
            for table in OF_RUNS:
                here.execute(f"delete from wavecrew.{table} where run = %s".encode(), (run,))  # noqa: S608 our names
        return True

    # ---- workers

    def enlist(self, worker: str, host: str, pid: int, hub: str, agents: int) -> None:
        """A worker is there. Rows of those long gone are dropped."""
        self._all(
            "insert into wavecrew.workers (worker, host, pid, hub, agents) "
            "values (%s, %s, %s, %s, %s) on conflict (worker) do update set seen = now()",
            worker,
            host,
            pid,
            hub,
            agents,
        )
        self._all(
            "delete from wavecrew.workers where seen < now() - make_interval(secs => %s)",
            FORGOTTEN_S,
        )

    def left(self, worker: str, doing: str) -> None:
        """Its engine process is gone: have the others take over its tasks at once."""
        with self._database.transaction() as here:
            here.execute(_TELL, (doing, "", "", worker))
            here.execute("select pg_notify(%s, %s)", (CHANNEL, f"left {worker}"))

    def workers(self) -> tuple[WorkerRow, ...]:
        """The living, then those who ended within the hour; by host and age."""
        return tuple(map(_worker, self._all(_WORKERS)))

    def at_work(self, run: str) -> tuple[WorkerRow, ...]:
        """The living workers of a run."""
        return tuple(row for row in self.workers() if row.run == run and row.is_alive)

    def _all(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._database.transaction() as here:
            found = here.execute(statement.encode(), values)
        return found.fetchall() if found.description else []

    def _unknown(self, run: str) -> UsageError:
        known = ", ".join(row.run for row in self.runs()[-8:])
        return UsageError(
            f"there is no run {run!r} in this database",
            where=self.shown,
            mend=f"known: {known}" if known else "`wavecrew run --database-url` starts one",
        )


def sign_of_life(
    connection: psycopg.Connection[tuple[Any, ...]],
    worker: str,
    doing: str,
    run: str = "",
    executor: str = "",
) -> bool:
    """What a worker does now, said with the connection that holds its lock.

    True when its run is to pause.
    """
    connection.execute(_TELL, (doing, run, executor, worker))
    row = connection.execute(_TO_PAUSE, (run,)).fetchone()
    return bool(row and row[0])


def _run(row: tuple[Any, ...]) -> RunRow:
    run, hub, wanted, pauses, stopped, outcome, exit_code, created_at = row
    return RunRow(run, hub, wanted, pauses, stopped, outcome, exit_code, utc(created_at))


def _worker(row: tuple[Any, ...]) -> WorkerRow:
    worker, host, pid, hub, agents, since, seen, *rest = row
    return WorkerRow(worker, host, pid, hub, agents, utc(since), utc(seen), *rest)


def _told(error: WavecrewError | None) -> str:
    if error is None:
        return ""
    parts = {"what": error.what, "where": error.where, "mend": error.mend}
    return json.dumps(parts | {"exit_code": error.exit_code})

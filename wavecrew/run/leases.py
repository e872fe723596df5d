"""Who may use what collides outside a sandbox: ports, database names, cache folders.

One table for all runs of a repository, changed in whole transactions: a thing
has one row, and a row changes hands only when its holder is dead. A process
that is killed leaves rows behind that the next claim takes over.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from wavecrew.errors import EnvironmentBroken
from wavecrew.run.owner import Owner

UNSEEN_S = 900.0
"""An owner that cannot be seen from here is taken for dead without a sign of life for so long."""
RENEW_S = 60.0
BUSY_S = 30.0
LONGEST_DATABASE = 63
"""Characters; what PostgreSQL takes."""
SCHEMA = """
create table if not exists leases (
    kind text not null,
    name text not null,
    holder text not null,
    place text not null,
    pid integer not null,
    started text not null,
    token text not null,
    renewed_at real not null,
    primary key (kind, name)
)
"""


@dataclass(frozen=True, slots=True)
class Thing:
    """What only one may have at a time."""

    kind: str
    """port, database, cache."""
    name: str


@dataclass(frozen=True, slots=True)
class Held:
    """A row of the table, for those who look."""

    thing: Thing
    holder: str
    pid: int
    is_alive: bool | None


class Leases:
    """The table, as one process claims in it. Thread-safe; any number of processes share a file."""

    def __init__(
        self,
        path: Path,
        *,
        owner: Owner | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` counts seconds since the epoch: other machines compare with it."""
        self._path = path
        self._owner = owner or Owner.this()
        self._clock = clock
        self._token = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._renewed_at = clock()
        path.parent.mkdir(parents=True, exist_ok=True)

    def claim(self, holder: str, things: tuple[Thing, ...]) -> bool:
        """Take all of `things` for `holder`, or none: False when a living owner has one of them.

        What this process holds for the same holder already stays held.
        """
        with self._transaction() as db:
            return self._take(db, holder, things)

    def claim_block(
        self,
        holder: str,
        first: int,
        last: int,
        count: int,
        usable: Callable[[range], bool] | None = None,
    ) -> range:
        """`count` ports in a row from [first, last] that nobody holds and nothing listens on.

        What the holder has already is given again. EnvironmentBroken when no
        such block is left.
        """
        with self._transaction() as db:
            mine = self._ports(db, holder)
            if len(mine) == count:
                return range(mine[0], mine[0] + count)
            for start in range(first, last - count + 2, count):
                block = range(start, start + count)
                if any(not self._is_free(db, thing, holder) for thing in _ports(block)):
                    continue
                if (usable or unused)(block):
                    self._take(db, holder, _ports(block))
                    return block
        raise EnvironmentBroken(
            f"no {count} ports in a row are free between {first} and {last}",
            where=holder,
            mend="widen first_port and last_port under [leases] in wavecrew.toml",
        )

    def release(self, holder: str) -> None:
        """Give back what this process holds for `holder`."""
        with self._transaction() as db:
            db.execute("delete from leases where holder = ? and token = ?", (holder, self._token))

    def release_all(self) -> None:
        with self._transaction() as db:
            db.execute("delete from leases where token = ?", (self._token,))

    def renew(self) -> None:
        """A sign of life for those who cannot see this process; harmless as often as you like."""
        with self._lock:
            if self._clock() - self._renewed_at < RENEW_S:
                return
            self._renewed_at = self._clock()
        with self._transaction() as db:
            db.execute(
                "update leases set renewed_at = ? where token = ?", (self._clock(), self._token)
            )

    def held(self) -> tuple[Held, ...]:
        """Every row, of the living and the dead, by kind and name."""
        with self._transaction() as db:
            rows = db.execute(
                "select kind, name, holder, pid, place, started from leases order by kind, name"
            ).fetchall()
        return tuple(
            Held(Thing(kind, name), holder, pid, Owner(place, pid, started).is_alive())
            for kind, name, holder, pid, place, started in rows
        )

    def sweep(self) -> int:
        """Remove what the dead left behind; how many rows."""
        with self._transaction() as db:
            gone = [row for row in self._rows(db) if self._is_dead(row)]
            for kind, name, _, token, *_ in gone:
                db.execute(
                    "delete from leases where kind = ? and name = ? and token = ?",
                    (kind, name, token),
                )
        return len(gone)

    def _take(self, db: sqlite3.Connection, holder: str, things: tuple[Thing, ...]) -> bool:
        if not all(self._is_free(db, thing, holder) for thing in things):
            return False
        own = (holder, self._owner.place, self._owner.pid, self._owner.started, self._token)
        for thing in things:
            db.execute(
                "insert or replace into leases values (?, ?, ?, ?, ?, ?, ?, ?)",
                (thing.kind, thing.name, *own, self._clock()),
            )
        return True

    def _is_free(self, db: sqlite3.Connection, thing: Thing, holder: str) -> bool:
        rows = self._rows(db, thing)
        if not rows:
            return True
        held_by, token = rows[0][2], rows[0][3]
        return (token == self._token and held_by == holder) or self._is_dead(rows[0])

    def _is_dead(self, row: tuple[str, str, str, str, str, int, str, float]) -> bool:
        *_, token, place, pid, started, renewed_at = row
        if token == self._token:
            return False
        alive = Owner(place, pid, started).is_alive()
        return not alive if alive is not None else self._clock() - renewed_at > UNSEEN_S

    def _rows(
        self, db: sqlite3.Connection, thing: Thing | None = None
    ) -> list[tuple[str, str, str, str, str, int, str, float]]:
        kind, name = (thing.kind, thing.name) if thing else (None, None)
        return db.execute(
            "select kind, name, holder, token, place, pid, started, renewed_at from leases "
            "where ?1 is null or (kind = ?1 and name = ?2)",
            (kind, name),
        ).fetchall()

    def _ports(self, db: sqlite3.Connection, holder: str) -> list[int]:
        rows = self._rows(db)
        mine = (r for r in rows if (r[0], r[2], r[3]) == ("port", holder, self._token))
        return sorted(int(row[1]) for row in mine)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One whole change, alone in the file. EnvironmentBroken when it cannot be read."""
        try:
            with closing(sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)) as db:
                db.execute("pragma synchronous=full")
                db.execute("begin immediate")
                db.execute(SCHEMA)
                try:
                    yield db
                    db.execute("commit")
                except BaseException:
                    with suppress(sqlite3.Error):
                        db.execute("rollback")
                    raise
        except sqlite3.Error as error:
            raise EnvironmentBroken(
                f"the leases cannot be read or written: {error}",
                where=str(self._path),
                mend="if no run is at work, delete that file: it holds nothing that lasts",
            ) from error


def unused(ports: range) -> bool:
    """True when nothing on this machine listens on any of them."""
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def database_name(prefix: str, place: Path, holder: str, machine: str = "") -> str:
    """A name no other attempt of any run of any repository on this machine gets; the same again
    when an attempt goes on after a crash.

    `machine` tells machines apart that may share a database server: two of them
    can work on the same attempt (the reaper takes one for dead that is not) from
    folders of the same name.
    """
    whole = "\0".join(filter(None, (str(place), holder, machine)))
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    named = "_".join(filter(None, (prefix, machine, holder)))
    words = re.sub(r"[^a-z0-9]+", "_", named.lower()).strip("_")
    return f"{words[: LONGEST_DATABASE - 11].rstrip('_')}_{digest}"


def _ports(block: range) -> tuple[Thing, ...]:
    return tuple(Thing("port", str(port)) for port in block)

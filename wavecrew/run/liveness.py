"""Is an executor alive? A PostgreSQL advisory lock, held by its own connection, says so.

The lock goes when the process does, and within `SILENCE_S` when the network is
cut. An executor that cannot renew its sign of life gives itself up first, after
`LOST_AFTER_S`: it ends before others may take over what it was at. What happens
at the wrong time all the same (a frozen process that wakes up) is fenced
elsewhere: DBOS records a step only for the workflow's owner, refs move by push
with lease, a line of a journal has one author, facts have ids.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from wavecrew.errors import EnvironmentBroken
from wavecrew.journal.database import LINE, driver, not_let_in, shown

if TYPE_CHECKING:
    import psycopg

EXIT_LOST = 70
"""An engine process ends so when it can no longer prove that it is alive."""
PERIOD_S = 2.0
"""Between two signs of life, and two looks for the dead."""
LOST_AFTER_S = 8.0
"""Without a sign of life for so long the process gives itself up: sooner than the server does."""
SILENCE_S = 12.0
"""After so long without a word the server ends the session and frees the lock."""
FROZEN_AFTER_S = 30.0
"""A session that holds its lock but shows no sign of life for so long is ended by others."""
CHANNEL = "wavecrew"
"""NOTIFY on it makes every worker look at once: someone left, or a run is to pause."""

_CLIENT = {"connect_timeout": 5, "tcp_user_timeout": int(LOST_AFTER_S * 1000)}
# Keepalives end a silent session, the user timeout one whose answer is never acknowledged.
_SERVER = (
    "select set_config('tcp_keepalives_idle', '6', false),"
    " set_config('tcp_keepalives_interval', '2', false),"
    " set_config('tcp_keepalives_count', '3', false),"
    f" set_config('tcp_user_timeout', '{SILENCE_S:.0f}s', false),"
    " set_config('statement_timeout', '6s', false)"
)
KEY = "hashtextextended('wavecrew executor ' || {}, 0)"
"""SQL: the lock's key, one number of 64 bits, of the executor's name put into the braces."""
HOLDER = (
    "(select min(pid) from pg_locks where locktype = 'advisory' and objsubid = 1"  # noqa: S608 our words
    " and granted and database = (select oid from pg_database where datname = current_database())"
    " and (classid::bigint << 32 | objid::bigint) = " + KEY + ")"
)
"""SQL: the server process that holds an executor's lock, or null. Only looks; blocks nobody."""


def new_name() -> str:
    """A name that no process had before: host, process, and chance."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


class Liveness:
    """This process's lock, its signs of life, and the watch over both. One per process."""

    def __init__(
        self,
        url: str,
        name: str,
        *,
        beat: Callable[[psycopg.Connection[tuple[Any, ...]]], None],
        lost: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the lock. DatabaseLost, DatabaseRefused; EnvironmentBroken: the name is taken.

        `beat` is called at once and every `PERIOD_S`, sooner when someone calls, with
        the connection that holds the lock. `lost` is called from a thread of its
        own when the lock may be gone, and is expected to end the process.
        """
        self.name = name
        self._beat = beat
        self._lost = lost
        self._clock = clock
        self._renewed_at = clock()
        self._leaving = threading.Event()
        self._connection = _connected(url)
        if not _take(self._connection, name):
            self._connection.close()
            raise EnvironmentBroken(f"executor {name!r} is alive already")
        self._line = socket.socket(fileno=os.dup(self._connection.fileno()))
        self._thread = threading.Thread(target=self._loop, name="liveness", daemon=True)

    def start(self) -> None:
        self._thread.start()
        threading.Thread(target=self._watch, name="liveness watch", daemon=True).start()

    def leave(self) -> None:
        """Free the lock: from now on others take over what this executor left pending.

        The line is cut, and the thread that waits on it closes the connection:
        libpq's memory must not go while another thread is inside.
        """
        self._leaving.set()
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()
        if self._thread.ident is None:
            self._connection.close()
        else:
            self._thread.join(LOST_AFTER_S)

    def _loop(self) -> None:
        with closing(self._connection):
            self._give_signs()

    def _give_signs(self) -> None:
        try:
            while not self._leaving.is_set():
                self._beat(self._connection)
                self._renewed_at = self._clock()
                for _ in self._connection.notifies(timeout=PERIOD_S, stop_after=1):
                    pass
        except (driver().Error, EnvironmentBroken) as error:
            self._lose(str(error).strip().split("\n")[0])

    def _watch(self) -> None:
        """Whatever holds the loop up (a server that hangs, a process that was frozen) is a loss."""
        while not self._leaving.wait(PERIOD_S / 4):
            silent_s = self._clock() - self._renewed_at
            if silent_s > LOST_AFTER_S:
                self._lose(f"no answer for {silent_s:.0f} s")
                return

    def _lose(self, why: str) -> None:
        if not self._leaving.is_set():
            self._leaving.set()
            self._lost(why)


def is_free(connection: psycopg.Connection[tuple[Any, ...]], name: str) -> bool:
    """True when nobody holds the executor's lock; it is not held afterwards either."""
    if not _take(connection, name):
        return False
    connection.execute(f"select pg_advisory_unlock({KEY.format('%s')})", (name,))
    return True


def end_session(connection: psycopg.Connection[tuple[Any, ...]], name: str) -> bool:
    """Take the lock from a frozen process by ending its session; the user must be the same."""
    statement = f"select pg_terminate_backend({HOLDER.format('%s')})"
    row = connection.execute(statement, (name,)).fetchone()
    return bool(row and row[0])


def _take(connection: psycopg.Connection[tuple[Any, ...]], name: str) -> bool:
    statement = f"select pg_try_advisory_lock({KEY.format('%s')})"
    row = connection.execute(statement, (name,)).fetchone()
    return bool(row and row[0])


def _connected(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    libpq = driver()
    wanted = LINE | libpq.conninfo.conninfo_to_dict(url) | _CLIENT
    connection: psycopg.Connection[tuple[Any, ...]]
    try:
        connection = libpq.connect(autocommit=True, **wanted)
        connection.execute(_SERVER.encode())
        connection.execute(f"listen {CHANNEL}")
    except libpq.Error as error:
        raise not_let_in(error, shown(url)) from error
    return connection

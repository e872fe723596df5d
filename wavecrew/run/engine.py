"""The engine of one run: DBOS on the run's own SQLite file, started, watched, stopped.

One engine per file (a lock beside it), WAL, JSON, a pinned application
version: each of these is a trap when left out. The process ends the hard way
after a stop, because halted steps never return.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import threading
import time
from typing import Any

from dbos import DBOS, DBOSPortableJSONSerializer, SetWorkflowID

from wavecrew.errors import EnvironmentBroken
from wavecrew.journal import events as e
from wavecrew.run.parts import Parts
from wavecrew.run.workflows import Workflows

APPLICATION_VERSION = "1"
"""Raised when recorded workflows of an older Wavecrew cannot be continued by this one."""
PARK_WITHIN_S = 4.0
"""A stop is over after this long, parked or not (a person waits for five seconds at most)."""


class Engine:
    """Runs one run to its end, or to its stop. One per process: DBOS is a singleton."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._done = threading.Event()
        self._result: dict[str, Any] | None = None
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Launch and recover what an earlier engine left pending."""
        check_sqlite()
        path = self._parts.folder.engine
        with sqlite3.connect(path) as database:
            database.execute("pragma journal_mode=wal")
        DBOS(
            config={
                "name": "wavecrew",
                "system_database_url": f"sqlite:///{path}",
                "application_version": APPLICATION_VERSION,
                "executor_id": "local",
                "serializer": DBOSPortableJSONSerializer(),
                "notification_listener_polling_interval_sec": 0.05,
                "log_level": "CRITICAL",
                "max_executor_threads": 2 * self._parts.spec.settings.limits.agents + 16,
            }
        )
        workflows = Workflows(self._parts)
        DBOS.launch()
        agents = self._parts.spec.settings.limits.agents
        DBOS.register_queue("tasks", global_concurrency=agents, polling_interval_sec=0.1)
        DBOS.register_queue("merge", global_concurrency=1, polling_interval_sec=0.1)
        with SetWorkflowID(self._parts.spec.run):
            handle = DBOS.start_workflow(workflows.run)
        threading.Thread(target=self._follow, args=(handle,), name="run", daemon=True).start()

    def wait(self, timeout_s: float) -> bool:
        """True once the run has ended or is to stop."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._done.is_set() or self._parts.stop.requested.is_set():
                return True
            self._done.wait(0.05)
        return False

    def outcome(self) -> dict[str, Any] | None:
        """`outcome` and `exit_code` of a run that came to its end; None when it stopped."""
        if self._failure is not None:
            raise self._failure
        return self._result

    def pause(self, reason: str) -> None:
        """After a stop was asked for: see everything parked, then say so in the log."""
        parts = self._parts
        parts.sandbox.cancel_all()
        deadline = time.monotonic() + PARK_WITHIN_S
        while time.monotonic() < deadline and parts.at_work():
            time.sleep(0.02)
        with parts.reading:
            number = parts.state.pauses + 1
        # What cannot be written now is as after a kill: a resume sees to it.
        with contextlib.suppress(EnvironmentBroken):
            parts.log.append(e.RunPaused(number, reason))
        parts.host.close()
        with contextlib.suppress(EnvironmentBroken):
            parts.lessor.close()

    def close(self) -> None:
        """After the run's own end."""
        DBOS.destroy()
        self._parts.host.close()
        self._parts.lessor.close()

    def _follow(self, handle: Any) -> None:
        try:
            self._result = handle.get_result()
        except BaseException as error:  # noqa: BLE001 carried to the main thread
            self._failure = error
        self._done.set()


def check_sqlite() -> None:
    """DBOS cannot start on Python 3.12+ with SQLite before 3.42; say so instead of its error."""
    if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < (3, 42):
        raise EnvironmentBroken(
            f"SQLite {sqlite3.sqlite_version} is too old for Python 3.12 and later",
            mend="use Python 3.11, or a Python built with SQLite 3.42 or newer",
        )

"""The engine of one run: DBOS on the run's own database, started, watched, stopped.

JSON, a pinned application version, one executor per name: each of these is a
trap when left out. Where the database is (a file, a server that workers
share) is told by a `Place` (`run/place.py`). The process ends the hard way after a stop,
because halted steps never return.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any, cast

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID

from wavecrew.errors import EnvironmentBroken
from wavecrew.journal import events as e
from wavecrew.run.parts import Parts
from wavecrew.run.place import LocalFile, Place
from wavecrew.run.workflows import Workflows

APPLICATION_VERSION = "3"
"""Raised when recorded workflows of an older Wavecrew cannot be continued by this one."""
PARK_WITHIN_S = 4.0
"""A stop is over after this long, parked or not (a person waits for five seconds at most)."""


class Engine:
    """Runs one run to its end, or to its stop. One per process: DBOS is a singleton."""

    def __init__(self, parts: Parts, place: Place | None = None) -> None:
        """`place`: where the engine's database is; by default the file in the run's folder."""
        self._parts = parts
        self._place = place or LocalFile(parts.folder.engine)
        self._done = threading.Event()
        self._result: dict[str, Any] | None = None
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Launch and recover what an earlier engine left pending."""
        agents = self._parts.spec.settings.limits.agents
        self._place.prepare(APPLICATION_VERSION)
        config: dict[str, Any] = {
            "name": "wavecrew",
            "application_version": APPLICATION_VERSION,
            "serializer": DBOSPortableJSONSerializer(),
            "notification_listener_polling_interval_sec": 0.05,
            "log_level": "CRITICAL",
            "max_executor_threads": 2 * agents + 16,
        }
        engine = DBOS(config=cast(DBOSConfig, config | self._place.config()))
        workflows = Workflows(self._parts)
        DBOS.launch()
        self._place.register_tasks(engine, agents)
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
        self.park()
        with parts.reading:
            number = parts.state.pauses + 1
        # What cannot be written now is as after a kill: a resume sees to it.
        with contextlib.suppress(EnvironmentBroken):
            parts.log.append(e.RunPaused(number, reason))
        parts.host.close()
        with contextlib.suppress(EnvironmentBroken):
            parts.lessor.close()

    def park(self) -> None:
        """See the work of every attempt parked, as long as that may take."""
        parts = self._parts
        parts.sandbox.cancel_all()
        deadline = time.monotonic() + PARK_WITHIN_S
        while time.monotonic() < deadline and parts.at_work():
            time.sleep(0.02)

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

"""The agent host as a child process: `python -P -m crews.host`, spoken to in JSON lines.

The engine knows a command line, never CrewAI. Importing that costs seconds and
200 MB once; each agent is then a fork.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from wavecrew.errors import EnvironmentBroken

COMMAND = (sys.executable, "-P", "-m", "crews.host")
READY_TIMEOUT_S = 120
MOST_LAUNCHES = 4
"""A host that dies (out of memory, killed) is replaced so often, then it is broken."""


class ProcessHost:
    """One host process, started at once in the background and awaited at first need.

    One that dies after it was ready is replaced when the next agent is started.
    """

    def __init__(
        self, home: Path, *, keys: tuple[str, ...] = (), command: tuple[str, ...] = COMMAND
    ) -> None:
        """`home` is the host's HOME: a private folder for what CrewAI writes on import.

        `keys` names the environment variables with the model's key; no other secret passes.
        """
        home.mkdir(parents=True, exist_ok=True)
        self._command = command
        self._environment = _environment(home, keys)
        self._log = (home / "host.log").open("ab")
        self._changed = threading.Condition()
        self._started: dict[str, int] = {}
        self._ended: dict[str, dict[str, Any]] = {}
        self._failed: dict[str, str] = {}
        self._closed = False
        self._launched = 0
        """How many processes there were; the newest is the only one that may be alive."""
        self._launch()

    @property
    def pid(self) -> int:
        """Process id of the newest host."""
        return self._process.pid

    def start(self, name: str, assignment: Path) -> None:
        with self._changed:
            may_launch = not self._closed and self._launched < MOST_LAUNCHES
            if self._gone and self._ready and may_launch:
                self._launch()
            if not self._changed.wait_for(lambda: self._ready or self._gone, READY_TIMEOUT_S):
                raise self._broken(f"was not ready after {READY_TIMEOUT_S} s")
            self._ended.pop(name, None)
            self._failed.pop(name, None)
            self._started.pop(name, None)
            self._tell({"start": str(assignment), "id": name})
            done = self._changed.wait_for(
                lambda: self._gone or name in self._started or name in self._failed, READY_TIMEOUT_S
            )
            if name in self._failed or not (done and name in self._started):
                raise self._broken(self._failed.get(name, "ended or did not answer"))

    def wait(self, name: str, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._is_over(name), timeout_s)

    def _is_over(self, name: str) -> bool:
        """Ended, or gone with the host process that forked it."""
        lost = self._gone or self._started.get(name) != self._launched
        return lost or name in self._ended

    def stop(self, name: str) -> None:
        self._tell({"stop": name})

    def kill(self, name: str) -> None:
        self._tell({"kill": name})

    def close(self) -> None:
        """Hang up: the host ends all its children and itself; killed if it does not."""
        self._closed = True
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            self._process.wait(3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(3)
        self._log.close()

    def destroy(self) -> None:
        """End the host now, and with it every agent: for an engine that has no time left."""
        self._closed = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)

    def _tell(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        line = json.dumps(message).encode() + b"\n"
        with self._changed, contextlib.suppress(BrokenPipeError, ValueError):
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def _launch(self) -> None:
        self._ready = self._gone = False
        self._launched += 1
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self._environment,
            start_new_session=True,
        )
        self._listener = threading.Thread(
            target=self._listen, args=(self._process,), name="agent host", daemon=True
        )
        self._listener.start()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        assert process.stdin is not None
        with process.stdout:
            for line in process.stdout:
                with contextlib.suppress(ValueError):
                    self._take(json.loads(line))
        process.wait()
        with self._changed:
            with contextlib.suppress(OSError):
                process.stdin.close()
            self._gone = True
            self._changed.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        with self._changed:
            if message.get("ready"):
                self._ready = True
            elif "started" in message:
                self._started[message["started"]] = self._launched
            elif "ended" in message:
                self._ended[message["ended"]] = message
            elif "error" in message and message.get("id"):
                self._failed[message["id"]] = f"could not start an agent: {message['error']}"
            self._changed.notify_all()

    def _broken(self, how: str) -> EnvironmentBroken:
        return EnvironmentBroken(
            f"the agent host {how}",
            where=str(self._log.name),
            mend="the log there says why; `wavecrew doctor` checks the installation",
        )


def _environment(home: Path, keys: tuple[str, ...]) -> dict[str, str]:
    """Nothing but what Python and an HTTP client on this host need, and the model's key."""
    names = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
    passed = {name: os.environ[name] for name in (*names, *keys) if name in os.environ}
    return passed | {"HOME": str(home), "TMPDIR": tempfile.gettempdir()}

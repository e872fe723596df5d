"""Who is the parent of a sandbox: one thread that lives as long as this process.

"Die with the parent" means, to the kernel, the *thread* that forked: a command started by a worker
of a pool would be killed when the pool lets that worker go. So every start is handed to one thread.
"""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Lock, Thread


@dataclass(frozen=True, slots=True)
class Start:
    argv: tuple[str, ...]
    env: dict[str, str]
    pass_fds: tuple[int, ...]
    merge_stderr: bool

    def popen(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.argv,
            env=self.env,
            pass_fds=self.pass_fds,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if self.merge_stderr else subprocess.PIPE,
            bufsize=0,
            cwd="/",
            start_new_session=True,
        )


_Request = tuple[Start, "Future[subprocess.Popen[bytes]]"]


class Spawner:
    def __init__(self) -> None:
        self._lock = Lock()
        self._requests: SimpleQueue[_Request] | None = None

    def spawn(self, start: Start) -> subprocess.Popen[bytes]:
        """OSError when the program cannot be started. From any thread."""
        started: Future[subprocess.Popen[bytes]] = Future()
        self._queue().put((start, started))
        return started.result()

    def _queue(self) -> SimpleQueue[_Request]:
        with self._lock:
            if self._requests is None:
                self._requests = SimpleQueue()
                Thread(
                    target=_serve, args=(self._requests,), name="sandbox-parent", daemon=True
                ).start()
            return self._requests


def _serve(requests: SimpleQueue[_Request]) -> None:
    while True:
        start, started = requests.get()
        try:
            started.set_result(start.popen())
        except (OSError, ValueError) as error:
            started.set_exception(error)


SPAWNER = Spawner()

# A forked child has the object but not its thread, and perhaps a lock that nobody will open.
os.register_at_fork(after_in_child=lambda: SPAWNER.__init__())  # type: ignore[misc]

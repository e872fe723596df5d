"""`wavecrew`, with every event told to a watcher once it is durable; the run stands still meanwhile.

    WAVECREW_WATCHER=<socket> python -P tests/storm/told.py run --resume ...
    WAVECREW_WATCHER=<socket> python -P tests/storm/told.py worker ...

The thread that wrote the event waits for the watcher's word, so whatever is
killed then is killed right after that event. Of a worker it is the engine
process that tells. Nothing else of the program changes.
"""

from __future__ import annotations

import os
import socket
import sys
import threading

from wavecrew.cli import joined, main, worker
from wavecrew.journal.events import Event, Fact
from wavecrew.journal.log import SqliteEventLog
from wavecrew.journal.postgres import PostgresEventLog

JOINED = "joined"


def listen_in(path: str) -> None:
    """From now on every new event is told to the watcher at `path`."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.connect(path)
    lock = threading.Lock()

    def tell(event: Event | None) -> Event | None:
        if event is not None:
            with lock:
                line.sendall(f"{event.id}\n".encode())
                line.recv(1)
        return event

    local, shared = SqliteEventLog.append, PostgresEventLog.append

    def told_local(self: SqliteEventLog, fact: Fact) -> Event | None:
        return tell(local(self, fact))

    def told_shared(self: PostgresEventLog, fact: Fact) -> Event | None:
        return tell(shared(self, fact))

    SqliteEventLog.append = told_local  # type: ignore[method-assign]
    PostgresEventLog.append = told_shared  # type: ignore[method-assign]


if __name__ == "__main__":
    if sys.argv[1] == "worker":
        worker.COMMAND = (sys.executable, "-P", __file__, JOINED)
    else:
        listen_in(os.environ.pop("WAVECREW_WATCHER"))
    joined.main() if sys.argv[1] == JOINED else main.main()

"""`wavecrew`, with every event told to a watcher once it is durable; the run stands still meanwhile.

    WAVECREW_WATCHER=<socket> python -P tests/storm/told.py run --resume ...

The thread that wrote the event waits for the watcher's word, so whatever is
killed then is killed right after that event. Nothing else of the program changes.
"""

from __future__ import annotations

import os
import socket
import threading

from wavecrew.cli.main import main
from wavecrew.journal.events import Event, Fact
from wavecrew.journal.log import SqliteEventLog


def listen_in(path: str) -> None:
    """From now on every new event is told to the watcher at `path`."""
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.connect(path)
    lock = threading.Lock()
    append = SqliteEventLog.append

    def told(self: SqliteEventLog, fact: Fact) -> Event | None:
        event = append(self, fact)
        if event is not None:
            with lock:
                line.sendall(f"{event.id}\n".encode())
                line.recv(1)
        return event

    SqliteEventLog.append = told  # type: ignore[method-assign]


if __name__ == "__main__":
    listen_in(os.environ.pop("WAVECREW_WATCHER"))
    main()

"""The commands now running through one sandbox, so that all of them can be cancelled."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from threading import Lock


class Running:
    def __init__(self) -> None:
        self._lock = Lock()
        self._cancels: set[int] = set()

    @contextlib.contextmanager
    def entry(self) -> Iterator[int]:
        """A descriptor for one command that becomes readable when it is cancelled."""
        fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        with self._lock:
            self._cancels.add(fd)
        try:
            yield fd
        finally:
            with self._lock:
                self._cancels.discard(fd)
            os.close(fd)

    def cancel_all(self) -> None:
        with self._lock:
            for fd in self._cancels:
                os.eventfd_write(fd, 1)

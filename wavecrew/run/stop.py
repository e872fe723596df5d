"""How a run stops before its end, so that it can go on later.

A step that must not be recorded (Ctrl-C, a full disk, a dead endpoint, a spent
budget) halts: it never returns, so the durable engine still holds it as
pending, and the next `--resume` carries it out again.
"""

from __future__ import annotations

import errno
import threading
import traceback
from typing import NoReturn

from wavecrew.errors import DiskFull, EngineFault, WavecrewError


class Stop:
    """Set once, by whoever sees the reason first; read by everyone."""

    def __init__(self) -> None:
        self.requested = threading.Event()
        self.error: WavecrewError | None = None
        self._first = threading.Lock()

    def request(self, error: WavecrewError | None = None) -> None:
        """Ask the run to stop; `error` is why, None for a person's wish. The first reason stays."""
        if self._first.acquire(blocking=False):
            self.error = error
            self.requested.set()

    def halt(self, error: WavecrewError | None = None) -> NoReturn:
        """Ask for the stop and keep this thread until the process ends."""
        self.request(error)
        while True:
            threading.Event().wait()


def fault(error: BaseException) -> WavecrewError:
    """An unexpected error as something a person can act on, or report.

    A full disk is none of ours, wherever it showed.
    """
    if isinstance(error, WavecrewError):
        return error
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in str(
        error
    ):
        return DiskFull(f"no room left: {error}", mend="free some space, then --resume")
    place = traceback.extract_tb(error.__traceback__)[-1]
    return EngineFault(
        f"{type(error).__name__}: {error}",
        where=f"{place.filename}:{place.lineno}",
        mend="this is a fault of Wavecrew; nothing is lost, `wavecrew run --resume` goes on",
    )

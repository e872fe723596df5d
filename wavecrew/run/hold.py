"""Who has it? A lock on a file, which goes with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from wavecrew.errors import UsageError


def hold(path: Path, what: str, *, mend: str) -> int:
    """The lock for this process alone, as a descriptor to be closed; `path` is made if need be.

    UsageError at once when another process has it: `what` says what is the matter.
    """
    return _locked(path, os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX, what, mend)


def hold_shared(path: Path, what: str, *, mend: str) -> int:
    """As `hold`, for readers: they keep each other company. OSError when `path` is not there."""
    return _locked(path, os.O_RDONLY, fcntl.LOCK_SH, what, mend)


def _locked(path: Path, mode: int, kind: int, what: str, mend: str) -> int:
    descriptor = os.open(path, mode | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise UsageError(what, where=str(path.parent), mend=mend) from None
    return descriptor

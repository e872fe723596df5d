"""Limits of one process, as both launchers set them just before the command."""

from __future__ import annotations

import resource

from wavecrew.sandbox.model import Caps

_MB = 1024 * 1024
_LEAST_ADDRESS_SPACE = 8192 * _MB
"""Node and Java reserve far more than they use; what is used is capped by other means."""
_OPEN_FILES = 1024

_KINDS = {
    "core": resource.RLIMIT_CORE,
    "nofile": resource.RLIMIT_NOFILE,
    "as": resource.RLIMIT_AS,
    "fsize": resource.RLIMIT_FSIZE,
    "nproc": resource.RLIMIT_NPROC,
}


def rlimits(caps: Caps) -> dict[str, int]:
    """prlimit's name of a limit -> value. Never above the hard limit: asking for more fails."""
    wanted = {
        "core": 0,
        "nofile": _OPEN_FILES,
        "as": max(_LEAST_ADDRESS_SPACE, 2 * caps.memory_mb * _MB),
        "fsize": caps.file_mb * _MB,
        "nproc": caps.processes,
    }
    return {name: _allowed(_KINDS[name], value) for name, value in wanted.items()}


def kind(name: str) -> int:
    return _KINDS[name]


def _allowed(resource_kind: int, value: int) -> int:
    hard = resource.getrlimit(resource_kind)[1]
    return value if hard == resource.RLIM_INFINITY else min(value, hard)

"""Work of the engine's own that may be done again from its start, when its sandbox was killed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from wavecrew.errors import CommandLost

T = TypeVar("T")
MOST_TRIES = 4


def again(work: Callable[[], T]) -> T:
    """What `work` returns; it is begun anew when a command of it was lost.

    For work that leaves nothing a second try could stumble over: a gate at a
    tree, a fresh workspace. CommandLost when it was lost every time.
    """
    for _ in range(MOST_TRIES - 1):
        try:
            return work()
        except CommandLost:
            continue
    return work()

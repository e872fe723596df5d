"""What the run needs of its parts. The real ones are chosen in one place of `cli`."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class AgentHost(Protocol):
    """Starts agent processes and knows when they end. Thread-safe.

    A process is named by its caller. `start` returns once the process exists;
    EnvironmentBroken when it cannot. Every process dies with the host, and the
    host with the engine, however that ends.
    """

    def start(self, name: str, assignment: Path) -> None: ...

    def wait(self, name: str, timeout_s: float) -> bool:
        """True once the process is gone, False when `timeout_s` passed first."""
        ...

    def stop(self, name: str) -> None:
        """Ask the process to park its work and end; returns at once."""
        ...

    def kill(self, name: str) -> None:
        """End the process and all its children now."""
        ...

    def close(self) -> None: ...

    def destroy(self) -> None:
        """End every process now, without a word; none is alive when this returns."""
        ...

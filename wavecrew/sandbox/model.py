"""What the engine asks of a sandbox: one command in, what came of it out.

The only door through which anything untrusted runs. Which mechanism stands
behind it is chosen by `open_sandbox`; callers never know and never choose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

TREE = "/workspace"
"""Where the working tree is mounted inside the sandbox, the same on every machine."""

Mode = Literal["bubblewrap", "landlock", "none"]


@dataclass(frozen=True, slots=True)
class Mount:
    """A host folder made visible inside; nothing else of the host is."""

    host: Path
    inside: str
    """Absolute path inside; never below another writable mount."""
    writable: bool = False


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits of one command. Reaching one ends the whole process tree."""

    wall_s: float = 300
    memory_mb: int = 4096
    processes: int = 256
    file_mb: int = 1024
    output_bytes: int = 20_000_000
    """More than this in all is a runaway: the command is killed."""
    keep_bytes: int = 200_000
    """Head and tail that are kept when `stdout` is cut; see `Finished.omitted_bytes`."""


@dataclass(frozen=True, slots=True)
class Command:
    argv: tuple[str, ...]
    mounts: tuple[Mount, ...]
    cwd: str = TREE
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the fixed small environment; nothing is inherited from this process."""
    stdin: bytes = b""
    caps: Caps = Caps()
    merge_stderr: bool = True
    """False keeps `stdout` byte-exact and uncut (up to output_bytes), for data such as packs."""


@dataclass(frozen=True, slots=True)
class Finished:
    exit_code: int
    """The command's own; 128 + signal when it died of one."""
    stdout: bytes
    stderr: bytes = b""
    duration_s: float = 0.0
    killed_by: Literal["", "time", "output", "memory", "processes", "cancel"] = ""
    """Why the sandbox ended it; empty when it ended by itself. `processes` only where the kernel
    cannot simply refuse the next fork."""
    omitted_bytes: int = 0
    """Bytes cut out between head and tail of `stdout`."""


class Sandbox(Protocol):
    """Runs a command so that it can reach its mounts and nothing else.

    `run` blocks until the whole process tree is gone, for at most `caps.wall_s`
    plus a second. It raises SandboxUnavailable when the command was never
    started, CommandLost when the sandbox itself was killed by someone else; any
    other ending of a started command is a `Finished`. Thread-safe.
    Killing the calling process kills the tree.
    """

    mode: Mode

    def run(self, command: Command) -> Finished: ...

    def cancel_all(self) -> None:
        """Kill every command now running through this object; each `run` returns `cancel`."""
        ...

"""Which sandbox a run gets: the strongest that proves to work here, and never silently none.

`auto` is bubblewrap, else Landlock (degraded). A mode that was asked for by name and does not work
is an error. No sandbox at all takes two deliberate acts: the setting and the flag.
"""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wavecrew.errors import SandboxUnavailable
from wavecrew.sandbox.bubblewrap import Bubblewrap
from wavecrew.sandbox.launcher import Landlock, Launcher, Unsandboxed
from wavecrew.sandbox.model import TREE, Caps, Command, Mount, Sandbox
from wavecrew.sandbox.toolchain import Toolchain, toolchain

if TYPE_CHECKING:
    from wavecrew.plan.settings import SandboxSettings

_TRIAL = Caps(wall_s=30, memory_mb=512, processes=64)


def open_sandbox(settings: SandboxSettings, *, allow_unsandboxed: bool = False) -> Sandbox:
    """A sandbox that has just run a command and kept a canary from it.

    SandboxUnavailable when the mode asked for does not work here, or when `none` is asked for
    without `allow_unsandboxed`. About 30 ms; keep the object and share it between threads.
    """
    tools = toolchain(settings)
    if settings.mode == "none":
        return _unsandboxed(tools, settings, allow_unsandboxed)
    if settings.mode == "bubblewrap":
        return tried(Bubblewrap(tools, settings.env))
    if settings.mode == "landlock":
        return tried(Landlock(tools, settings.env))
    return _strongest(
        lambda: Bubblewrap(tools, settings.env), lambda: Landlock(tools, settings.env)
    )


def _unsandboxed(tools: Toolchain, settings: SandboxSettings, allowed: bool) -> Sandbox:
    if not allowed:
        raise SandboxUnavailable(
            "the sandbox is switched off by mode = 'none', and the command line does not allow it",
            where="wavecrew.toml, [sandbox]",
            mend="Remove the mode, or pass --allow-unsandboxed where losing this machine is fine.",
        )
    return Unsandboxed(tools, settings.env)


def _strongest(first: Callable[[], Sandbox], second: Callable[[], Sandbox]) -> Sandbox:
    try:
        return tried(first())
    except SandboxUnavailable as stronger:
        try:
            return tried(second())
        except SandboxUnavailable as weaker:
            raise SandboxUnavailable(
                f"no sandbox works here: {stronger.what}; and without bubblewrap: {weaker.what}",
                where="sandbox",
                mend=stronger.mend,
            ) from stronger


def tried(sandbox: Sandbox) -> Sandbox:
    """The same sandbox, after it ran a command that could neither read nor write a canary."""
    with canary() as found:
        script = f'cat "{found.secret_file}"; echo x >"{found.secret_file}"; echo ready'
        done = sandbox.run(found.command("/bin/sh", "-c", script, caps=_TRIAL))
        if done.stdout != b"ready\n" or not found.is_untouched():
            raise SandboxUnavailable(
                f"the {sandbox.mode} sandbox does not confine what runs in it",
                where="sandbox",
                mend="`wavecrew doctor` tries it piece by piece; nothing was run.",
            )
    return sandbox


@dataclass(frozen=True, slots=True)
class Canary:
    """A scratch tree and, beside it, a secret that must stay out of reach."""

    folder: Path
    secret: str

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    @property
    def secret_file(self) -> Path:
        return self.folder / "secret"

    def is_untouched(self) -> bool:
        return self.secret_file.read_text() == self.secret and sorted(
            entry.name for entry in self.folder.iterdir()
        ) == ["secret", "tree"]

    def command(self, *argv: str, caps: Caps, stdin: bytes = b"") -> Command:
        mounts = (Mount(self.tree, TREE, writable=True),)
        return Command(argv, mounts, caps=caps, stdin=stdin, merge_stderr=False)


@contextlib.contextmanager
def canary() -> Iterator[Canary]:
    with tempfile.TemporaryDirectory(prefix="wavecrew-") as folder:
        found = Canary(Path(folder).resolve(), secrets.token_hex(16))
        found.tree.mkdir()
        found.secret_file.write_text(found.secret)
        yield found


def is_degraded(sandbox: Sandbox) -> bool:
    """Whether less than the full sandbox holds, so that it must be named wherever it is shown."""
    if isinstance(sandbox, (Bubblewrap, Launcher)) and sandbox.processes_are_counted:
        return True
    return sandbox.mode != "bubblewrap"

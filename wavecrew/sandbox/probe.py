"""What the sandbox of this machine really keeps away, found out by trying; for `wavecrew doctor`.

One command tries to break out of each promise against targets that the probe itself sets up on
the host, so that a promise counts as kept only when the attempt was made and failed.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wavecrew.errors import SandboxUnavailable
from wavecrew.plan.settings import SandboxSettings
from wavecrew.sandbox.bubblewrap import Bubblewrap
from wavecrew.sandbox.choose import Canary, canary, is_degraded, open_sandbox
from wavecrew.sandbox.launcher import Launcher
from wavecrew.sandbox.model import Caps, Mode, Sandbox

_CAPS = Caps(wall_s=60, memory_mb=512, processes=64)


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    """A promise, as a statement: `files outside cannot be written`."""
    holds: bool
    mend: str = ""
    """What to do, when it does not hold."""
    required: bool = True
    """False for what only makes the sandbox degraded."""


@dataclass(frozen=True, slots=True)
class Probe:
    mode: Mode | Literal[""]
    """Empty when no sandbox works here."""
    degraded: bool
    uid_mode: Literal["ordinary", "dropped", "root", ""]
    """ordinary: the engine's own user. Of an engine that is root: dropped, the command runs as
    the ordinary owner of the tree; root, it stays root without any capability."""
    items: tuple[Item, ...]

    @property
    def works(self) -> bool:
        """Whether a run may start: no required promise is broken."""
        return bool(self.mode) and all(item.holds for item in self.items if item.required)


def probe(settings: SandboxSettings | None = None) -> Probe:
    """Try the sandbox these settings would give; never raises for one that does not work."""
    wanted = settings or SandboxSettings()
    try:
        sandbox = open_sandbox(wanted)
    except SandboxUnavailable as error:
        return Probe("", True, "", (Item(f"a sandbox works: {error.what}", False, error.mend),))
    return examined(sandbox, why_degraded=_why_no_bubblewrap(wanted, sandbox))


def examined(sandbox: Sandbox, *, why_degraded: Item | None = None) -> Probe:
    """Every promise tried on this very object."""
    with canary() as found:
        items = [*_attempts(sandbox, found), _processes_are_limited(sandbox)]
        uid_mode = _uid_mode(sandbox, found)
    if why_degraded is not None:
        items.append(why_degraded)
    return Probe(sandbox.mode, is_degraded(sandbox), uid_mode, tuple(items))


_SCRIPT = r"""
import glob, json, os, socket, subprocess, sys
asked = json.load(sys.stdin)
def works(call):
    try:
        call()
    except OSError:
        return False
    return True
def reaches(family, address):
    def call():
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.settimeout(2)
            one.connect(address)
    return works(call)
def environments():
    text = repr(dict(os.environ)).encode()
    for name in glob.glob("/proc/[0-9]*/environ"):
        try:
            text += open(name, "rb").read()
        except OSError:
            pass
    return text
subprocess.Popen(["sleep", asked["sleep"]], start_new_session=True)
print(json.dumps({
    "read": works(lambda: open(asked["file"]).read()),
    "write": works(lambda: open(asked["file"], "w").write("x")),
    "create": works(lambda: open(asked["file"] + ".new", "w").close()),
    "environment": asked["environment"].encode() in environments(),
    "tcp": reaches(socket.AF_INET, ("127.0.0.1", asked["port"])),
    "unix": reaches(socket.AF_UNIX, asked["socket"]),
    "git": not subprocess.run(["git", "--version"], stdout=subprocess.DEVNULL).returncode,
}))
"""

_REPORT = "Report this: the sandbox that was chosen is not one. Until then, do not start a run."
_BROKEN_OUT = {
    "read": "files outside cannot be read",
    "write": "files outside cannot be written",
    "create": "files outside cannot be created",
    "environment": "the engine's environment does not get in",
    "tcp": "TCP to this machine is refused",
    "unix": "socket files of this machine cannot be reached",
}


def _attempts(sandbox: Sandbox, found: Canary) -> Iterator[Item]:
    nap = f"{60 + secrets.randbelow(9)}.{secrets.randbelow(10**9):09d}"
    variable, value = f"WAVECREW_CANARY_{secrets.token_hex(4)}", secrets.token_hex(16)
    with _listeners() as (port, socket_path):
        asked = {
            "file": str(found.secret_file),
            "environment": value,
            "port": port,
            "socket": socket_path,
            "sleep": nap,
        }
        os.environ[variable] = value
        try:
            done = sandbox.run(
                found.command("python", "-c", _SCRIPT, caps=_CAPS, stdin=json.dumps(asked).encode())
            )
        finally:
            del os.environ[variable]
    if done.exit_code != 0:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        yield Item(
            f"the running Python works inside: {said}",
            False,
            "Add the folder that holds it to `read` under [sandbox] in wavecrew.toml.",
        )
        return
    broke = json.loads(done.stdout)
    yield Item("the running Python works inside", True)
    yield _item("git works inside", broke["git"], "Install git in /usr, or add it to `path`.")
    for key, name in _BROKEN_OUT.items():
        yield _item(name, not broke[key], _REPORT)
    yield _item("the canary is untouched", found.is_untouched(), _REPORT)
    yield _item("background processes end with the command", not _is_running(nap), _REPORT)


def _item(name: str, holds: bool, mend: str) -> Item:
    return Item(name, holds, "" if holds else mend)


@contextmanager
def _listeners() -> Iterator[tuple[int, str]]:
    """A TCP port and a socket file of this machine, both open to whoever gets there."""
    with canary() as aside, socket.socket() as tcp, socket.socket(socket.AF_UNIX) as unix:
        path = str(aside.folder / "socket")
        tcp.bind(("127.0.0.1", 0))
        unix.bind(path)
        for one in (tcp, unix):
            one.listen()
        yield tcp.getsockname()[1], path


def _is_running(nap: str) -> bool:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if nap.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False


def _processes_are_limited(sandbox: Sandbox) -> Item:
    counted = isinstance(sandbox, (Bubblewrap, Launcher)) and sandbox.processes_are_counted
    other = (
        "Run the engine as an ordinary user"
        if isinstance(sandbox, Bubblewrap)
        else "Use bubblewrap as an ordinary user"
    )
    mend = f"{other}, or give the engine a cgroup it may write to." if counted else ""
    return Item("the kernel limits the number of processes", not counted, mend, required=False)


def _uid_mode(sandbox: Sandbox, found: Canary) -> Literal["ordinary", "dropped", "root"]:
    if isinstance(sandbox, Bubblewrap):
        return sandbox.uid_mode(found.command("true", caps=_CAPS))
    return "root" if os.geteuid() == 0 else "ordinary"


def _why_no_bubblewrap(wanted: SandboxSettings, sandbox: Sandbox) -> Item | None:
    if wanted.mode != "auto" or sandbox.mode == "bubblewrap":
        return None
    try:
        open_sandbox(wanted.model_copy(update={"mode": "bubblewrap"}))
    except SandboxUnavailable as error:
        return Item(f"bubblewrap works: {error.what}", False, error.mend, required=False)
    return None

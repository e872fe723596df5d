"""Sandboxes without namespaces: a small Python of our own stands over each command.

`landlock` is the degraded fallback: files by Landlock, no network at all (not even loopback), no
private pids, `chmod` and the like without effect, and names of files outside can be probed.
`none` confines nothing, but still has limits, a clean environment and kills the whole tree.

There is no mount here: a path inside is the host's own path. The working directory is mapped, and
so is every inside path that stands as a path in an argument or the environment; what a file's
content says (an `alternates` file, a script) is not. Output shows the host's paths.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from subprocess import Popen
from typing import Any

from wavecrew.errors import SandboxUnavailable
from wavecrew.sandbox import jail
from wavecrew.sandbox.cgroup import Cgroups, Group, joining
from wavecrew.sandbox.handed import Handed
from wavecrew.sandbox.limits import kind, rlimits
from wavecrew.sandbox.mends import unavailable
from wavecrew.sandbox.model import Command, Finished, Mode, Mount
from wavecrew.sandbox.profile import base_env
from wavecrew.sandbox.refusal import refuse_unsafe
from wavecrew.sandbox.running import Running
from wavecrew.sandbox.seccomp import program
from wavecrew.sandbox.spawn import spawn
from wavecrew.sandbox.supervise import Supervision
from wavecrew.sandbox.toolchain import SYSTEM, Toolchain
from wavecrew.sandbox.watch import Watch, can_watch

_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_FACTS = (
    "/proc/cpuinfo /proc/meminfo /proc/stat /proc/loadavg /proc/filesystems /etc/ld.so.cache "
    "/etc/localtime /etc/passwd /etc/group /etc/nsswitch.conf"
)
_GIT_ENV = {"GIT_CONFIG_NOSYSTEM": "1"}
"""Git gives up over a system configuration that is there and cannot be read."""


class Launcher:
    """What both modes share; `confinement` says what the command may reach."""

    mode: Mode

    def __init__(
        self,
        toolchain: Toolchain,
        env: Mapping[str, str] | None = None,
        *,
        cgroups: Cgroups | None = None,
    ) -> None:
        self._toolchain = toolchain
        self._env = dict(env or {})
        self._cgroups = Cgroups.found() if cgroups is None else cgroups
        if not can_watch():
            raise unavailable("processes can neither be limited nor watched on this kernel")
        self._running = Running()

    def run(self, command: Command) -> Finished:
        refuse_unsafe(command)
        private = Path(tempfile.mkdtemp(prefix="wavecrew-")).resolve()
        try:
            with self._cgroups.entered(command.caps) as group, self._running.entry() as cancel_fd:
                return self._supervised(command, private, group, cancel_fd)
        except OSError as error:
            raise unavailable(f"the sandbox could not be started: {error}") from error
        finally:
            shutil.rmtree(private, ignore_errors=True)

    def cancel_all(self) -> None:
        self._running.cancel_all()

    @property
    def processes_are_counted(self) -> bool:
        """True where no kernel limit on processes binds, and they are only watched."""
        return self._cgroups.pids is None

    def _confinement(self, command: Command, private: Path) -> dict[str, Any] | None:
        raise NotImplementedError

    def _supervised(
        self, command: Command, private: Path, group: Group | None, cancel_fd: int
    ) -> Finished:
        process, status_fd, control_fd = self._spawned(command, private, group)
        control: list[int] = [control_fd]

        def kill() -> None:
            """The launcher ends the tree and then itself; it is never killed before that."""
            while control:
                os.close(control.pop())

        try:
            return Supervision(
                process,
                status_fd=status_fd,
                cancel_fd=cancel_fd,
                feed=command.stdin,
                caps=command.caps,
                watch=self._watch(command, group),
                kill=kill,
            ).run()
        except SandboxUnavailable as error:
            raise unavailable(error.what) from error
        finally:
            kill()
            os.close(status_fd)

    def _watch(self, command: Command, group: Group | None) -> Watch:
        return Watch(
            command.caps,
            group,
            memory=self._cgroups.memory is None,
            processes=self._cgroups.pids is None,
        )

    def _spawned(
        self, command: Command, private: Path, group: Group | None
    ) -> tuple[Popen[bytes], int, int]:
        spec = json.dumps(self._spec(command, private)).encode() + b"\n"
        with Handed() as handed:
            status_fd, status_end = handed.pipe()
            control_fd, control_end = handed.pipe(to_child=True)
            argv = (
                *joining(group),
                *(sys.executable, "-I", "-S", jail.__file__),
                *(str(control_end), str(status_end)),
            )
            process = spawn(argv, handed.descriptors, merge_stderr=command.merge_stderr)
            handed.kept(status_fd)
            handed.kept(control_fd)
        # With our copy of its end closed, a launcher that is gone shows as a broken pipe; why it
        # went is then told by its supervision.
        with contextlib.suppress(BrokenPipeError):
            _write_all(control_fd, spec)
        return process, status_fd, control_fd

    def _spec(self, command: Command, private: Path) -> dict[str, Any]:
        mapped = _Mapped(command.mounts)
        home, tmp = private / "home", private / "tmp"
        home.mkdir(mode=0o700)
        tmp.mkdir(mode=0o700)
        given = self._env | {name: mapped.text(text) for name, text in command.env.items()}
        limits = {name: value for name, value in rlimits(command.caps).items() if name != "nproc"}
        return {
            "argv": [mapped.text(word) for word in command.argv],
            "private": str(private),
            "cwd": mapped.path(command.cwd),
            "env": base_env(self._toolchain, str(home), str(tmp)) | _GIT_ENV | given,
            "rlimits": [(kind(name), value) for name, value in limits.items()],
            "confine": self._confinement(command, private),
        }


class Landlock(Launcher):
    mode: Mode = "landlock"

    def __init__(
        self,
        toolchain: Toolchain,
        env: Mapping[str, str] | None = None,
        *,
        cgroups: Cgroups | None = None,
    ) -> None:
        abi = jail.landlock_abi()
        if abi < jail.LEAST_ABI:
            raise unavailable(
                f"Landlock here has version {abi}, and {jail.LEAST_ABI} is the first that keeps "
                "signals inside"
            )
        try:
            self._filter = program(shared_host=True, as_root=os.geteuid() == 0).hex()
        except LookupError as error:
            raise unavailable(str(error.args[0])) from error
        super().__init__(toolchain, env, cgroups=cgroups)

    def _confinement(self, command: Command, private: Path) -> dict[str, Any]:
        readable = [*SYSTEM, "/etc/alternatives"]
        readable += [str(host) for host, _ in self._toolchain.folders]
        readable += [str(mount.host) for mount in command.mounts if not mount.writable]
        writable = [str(mount.host) for mount in command.mounts if mount.writable]
        rules = [(path, jail.READ) for path in readable if os.path.isdir(path)]
        rules += [(path, jail.READ_A_FILE) for path in _FACTS.split() if os.path.exists(path)]
        rules += [(path, jail.DEVICE) for path in _DEVICES if os.path.exists(path)]
        rules += [(path, jail.EVERYTHING) for path in [*writable, str(private)]]
        return {"rules": rules, "seccomp": self._filter}


class Unsandboxed(Launcher):
    """Only ever made when a person asked for it, twice."""

    mode: Mode = "none"

    def _confinement(self, command: Command, private: Path) -> None:
        return None


class _Mapped:
    """Inside paths -> host paths."""

    def __init__(self, mounts: tuple[Mount, ...]) -> None:
        self._hosts = {mount.inside: str(mount.host) for mount in mounts}
        inner = "|".join(re.escape(inside) for inside in self._hosts)
        self._pattern = re.compile(rf"(?<![\w./~-])(?:{inner})(?![\w.-])") if inner else None

    def text(self, text: str) -> str:
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._hosts[found[0]], text)

    def path(self, path: str) -> str:
        """SandboxUnavailable when it lies in no mount."""
        for inside, host in self._hosts.items():
            if PurePosixPath(path).is_relative_to(inside):
                return os.path.join(host, str(PurePosixPath(path).relative_to(inside)))
        raise unavailable(f"can't chdir to {path!r}: it is in none of the mounts")


def _write_all(fd: int, text: bytes) -> None:
    view = memoryview(text)
    while view:
        view = view[os.write(fd, view) :]

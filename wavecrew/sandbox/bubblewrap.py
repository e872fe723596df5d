"""Runs a command under bubblewrap: namespaces, system call filter, limits, and who the kernel
takes the command for.

An ordinary user's sandbox runs as that user. An engine that is root works, where it can, as the
owner of what may be written ("dropped"); where that is root itself, or the owner could not read
the interpreter, it stays root and does what container engines do ("root"): no capability, no
writable /proc, processes limited by a cgroup because rlimits do not bind root.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from subprocess import Popen
from typing import Literal

from wavecrew.errors import CommandLost, SandboxUnavailable
from wavecrew.sandbox import profile
from wavecrew.sandbox.cgroup import Cgroups, Group, joining
from wavecrew.sandbox.handed import Handed
from wavecrew.sandbox.limits import rlimits
from wavecrew.sandbox.mends import unavailable
from wavecrew.sandbox.model import Caps, Command, Finished, Mode
from wavecrew.sandbox.orphans import end_orphans
from wavecrew.sandbox.refusal import refuse_unsafe
from wavecrew.sandbox.running import Running
from wavecrew.sandbox.seccomp import program
from wavecrew.sandbox.spawn import spawn
from wavecrew.sandbox.supervise import Supervision
from wavecrew.sandbox.toolchain import Toolchain, reachable
from wavecrew.sandbox.watch import Watch, can_watch

UidMode = Literal["ordinary", "dropped", "root"]


class Bubblewrap:
    mode: Mode = "bubblewrap"

    def __init__(
        self,
        toolchain: Toolchain,
        env: Mapping[str, str] | None = None,
        *,
        program_path: str = "",
        cgroups: Cgroups | None = None,
    ) -> None:
        """`env` is added to every command. `program_path`: the bwrap to use, else the one in PATH;
        `cgroups`: what the kernel may be asked to limit, else what is found here."""
        self._toolchain = toolchain
        self._env = dict(env or {})
        self._bwrap = _found(program_path)
        self._setpriv = shutil.which("setpriv") or ""
        end_orphans()  # their groups can go then
        self._cgroups = Cgroups.found() if cgroups is None else cgroups
        if self._cgroups.memory is None and not can_watch():
            raise unavailable("memory can neither be limited nor watched on this kernel")
        self._filter = _filter()
        self._inside = tuple(inside for _, inside in toolchain.folders) + tuple(
            inside for _, inside in toolchain.links
        )
        self._running = Running()

    def run(self, command: Command) -> Finished:
        refuse_unsafe(command, self._inside)
        try:
            with self._cgroups.entered(command.caps) as group, self._running.entry() as cancel_fd:
                return self._supervised(command, group, cancel_fd)
        except OSError as error:
            raise unavailable(f"the sandbox could not be started: {error}") from error

    def cancel_all(self) -> None:
        self._running.cancel_all()

    def uid_mode(self, command: Command) -> UidMode:
        """What the kernel takes this command's processes for."""
        if os.geteuid() != 0:
            return "ordinary"
        return "dropped" if self._owner(command) else "root"

    @property
    def processes_are_counted(self) -> bool:
        """True where no kernel limit on processes binds, and they are only watched."""
        return os.geteuid() == 0 and self._cgroups.pids is None

    def _supervised(self, command: Command, group: Group | None, cancel_fd: int) -> Finished:
        process, status_fd = self._spawned(command, group)
        try:
            return Supervision(
                process,
                status_fd=status_fd,
                cancel_fd=cancel_fd,
                feed=profile.GO + command.stdin,
                caps=command.caps,
                watch=self._watch(command, group),
                kill=process.kill,
            ).run()
        except SandboxUnavailable as error:
            raise unavailable(error.what) from error
        except CommandLost:
            end_orphans()
            raise
        finally:
            os.close(status_fd)

    def _spawned(self, command: Command, group: Group | None) -> tuple[Popen[bytes], int]:
        """The started bubblewrap, and the descriptor that its status is read from."""
        with Handed() as handed:
            status_fd, status_end = handed.pipe()
            options = profile.options(command, self._toolchain, self._env)
            options += ["--json-status-fd", str(status_end)]
            for place, content in profile.FILES.items():
                options += ["--ro-bind-data", str(handed.file(content)), place]
            options += ["--seccomp", str(handed.file(self._filter))]
            options += ["--remount-ro", "/"]
            arguments = handed.file(b"".join(os.fsencode(word) + b"\0" for word in options))
            argv = (
                *joining(group),
                *self._dropping(command),
                *(self._bwrap, "--args", str(arguments), "--"),
                *profile.inner(command, _limits(command.caps)),
            )
            process = spawn(argv, handed.descriptors, merge_stderr=command.merge_stderr)
            return process, handed.kept(status_fd)

    def _watch(self, command: Command, group: Group | None) -> Watch:
        root_uid = self.uid_mode(command) == "root"
        return Watch(
            command.caps,
            group,
            memory=self._cgroups.memory is None,
            processes=root_uid and self._cgroups.pids is None,
        )

    def _owner(self, command: Command) -> tuple[int, int] | None:
        """(uid, gid) of the one ordinary owner of all that may be written, if it can read the
        rest."""
        statuses = [mount.host.stat() for mount in command.mounts if mount.writable]
        uids = {status.st_uid for status in statuses}
        if not self._setpriv or len(uids) != 1 or 0 in uids:
            return None
        uid = uids.pop()
        needed = [host for host, _ in self._toolchain.folders]
        needed += [mount.host for mount in command.mounts]
        if not all(reachable(path, uid) for path in needed):
            return None
        return uid, statuses[0].st_gid

    def _dropping(self, command: Command) -> tuple[str, ...]:
        owner = self._owner(command) if os.geteuid() == 0 else None
        if owner is None:
            return ()
        uid, gid = owner
        who = (f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--inh-caps=-all")
        return (self._setpriv, *who, "--bounding-set=-all", "--no-new-privs", "--")


def _found(program_path: str) -> str:
    found = shutil.which(program_path or "bwrap")
    if found is None:
        raise unavailable("bubblewrap is not installed")
    return found


def _filter() -> bytes:
    try:
        return program(as_root=os.geteuid() == 0)
    except LookupError as error:
        raise unavailable(str(error.args[0])) from error


def _limits(caps: Caps) -> tuple[str, ...]:
    """For prlimit inside, where the limit on processes counts this sandbox alone."""
    return tuple(f"--{name}={value}" for name, value in rlimits(caps).items())

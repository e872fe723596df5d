"""The program that stands between the engine and a command where there are no namespaces.

Run by path in a Python of its own, so the standard library only. It reads one JSON line from a
control pipe, confines a child (Landlock, system call filter, rlimits, no capabilities), becomes
the reaper of all its descendants, and kills every one of them when the command ends or the control
pipe closes: the engine closes it to stop the command, and the kernel does when the engine dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import struct
import sys
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_RULE_PATH_BENEATH = 1
_RULESET_VERSION = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
READ = _EXECUTE | _READ_FILE | _READ_DIR
READ_A_FILE = _READ_FILE
DEVICE = _READ_FILE | _WRITE_FILE | 1 << 14
EVERYTHING = (1 << 15) - 1
"""All rights over files up to REFER and TRUNCATE; not IOCTL_DEV."""
_IOCTL_DEV = 1 << 15
_NET_TCP = 3
_SCOPES = 3
LEAST_ABI = 6
"""The first that keeps signals and abstract sockets inside (Linux 6.12)."""

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 1, 22, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION = 0x20080522
_NOT_FOUND = 127


def landlock_abi() -> int:
    """0 where the kernel has no Landlock."""
    return max(0, int(_LIBC.syscall(_CREATE_RULESET, None, 0, _RULESET_VERSION)))


def main(control: int, status: int) -> None:
    for fd in (control, status):
        os.set_inheritable(fd, False)
    spec = json.loads(_line(control))
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    failure, failure_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(failure)
        _become(spec, failure_end)
    os.close(failure_end)
    _leave_pipes()
    with os.fdopen(failure, "rb") as pipe:
        said = pipe.read().decode(errors="replace")
    if said:
        _tell(status, {"failure": said})
        os.waitpid(child, 0)
        return
    _tell(status, {"child-pid": os.getpid()})
    code = _wait(child, control)
    kill_descendants()
    if _is_closed(control):
        _remove(spec["private"])
    _tell(status, {"exit-code": code})


def _line(fd: int) -> bytes:
    text = b""
    while not text.endswith(b"\n"):
        chunk = os.read(fd, 65536)
        if not chunk:
            sys.exit(125)
        text += chunk
    return text


def _leave_pipes() -> None:
    """Only the command holds its output open, so that its end is the end of file."""
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def _tell(status: int, facts: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        os.write(status, json.dumps(facts).encode() + b"\n")


def _wait(child: int, control: int) -> int:
    """The child's exit code; 137 when the control pipe closes first. Orphans are reaped."""
    child_fd = os.pidfd_open(child)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(child_fd, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll(1000)}
        if child_fd in ready:
            _, status = os.waitpid(child, 0)
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if control in ready:
            return 128 + signal.SIGKILL
        _reap(os.WNOHANG, spare=child)


def _is_closed(control: int) -> bool:
    poll = select.poll()
    poll.register(control, select.POLLIN)
    return bool(poll.poll(0))


def _remove(folder: str) -> None:
    """An engine that was killed can no longer do it. Imported here, as it is rarely needed."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _reap(flags: int, spare: int = 0) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | flags)
            if found is None or found.si_pid == spare:
                return
            os.waitpid(found.si_pid, 0)


def kill_descendants() -> None:
    """Stop all, then kill all, until there is no child left to wait for. As every orphan becomes
    a child of this process, having none is the proof that nothing survived."""
    while True:
        pids = _descendants()
        for kind in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, kind)
        try:
            if pids:
                os.waitpid(-1, 0)
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        _reap(os.WNOHANG)


def _descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:
                parent = int(stat.read().rpartition(b")")[2].split()[1])
                children.setdefault(parent, []).append(int(name))
    waiting, found = [os.getpid()], []
    while waiting:
        below = children.get(waiting.pop(), [])
        waiting += below
        found += below
    return found


def _become(spec: dict[str, Any], failure: int) -> None:
    """In the child: confined or not, turn into the command. Never returns."""
    try:
        os.setsid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.chdir(spec["cwd"])
        for kind, value in spec["rlimits"]:
            resource.setrlimit(kind, (value, value))
        if spec["confine"] is not None:
            _confine(**spec["confine"])
    except (OSError, ValueError) as error:
        os.write(failure, f"the command could not be confined: {error}".encode())
        os._exit(125)
    for kind in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(kind, signal.SIG_DFL)
    try:
        os.execvpe(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606 - the command itself
    except OSError as error:
        os.write(2, f"{spec['argv'][0]}: {error.strerror}\n".encode())
        os._exit(_NOT_FOUND)


def _confine(rules: list[tuple[str, int]], seccomp: str) -> None:
    _drop_capabilities()
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _landlock(rules)
    _load_filter(bytes.fromhex(seccomp))


def _prctl(option: int, value: Any, more: Any = 0) -> None:
    if _LIBC.prctl(option, value, more, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def _drop_capabilities() -> None:
    for capability in range(64):
        if _LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break
    header = struct.pack("<Ii", _CAPABILITY_VERSION, 0)
    if _LIBC.capset(header, bytes(24)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _landlock(rules: list[tuple[str, int]]) -> None:
    """Everything is handled, so whatever no rule names is refused."""
    attributes = struct.pack("<QQQ", EVERYTHING | _IOCTL_DEV, _NET_TCP, _SCOPES)
    ruleset = _LIBC.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset")
    for path, rights in rules:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("<Qi", rights, parent)
        if _LIBC.syscall(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0) != 0:
            raise OSError(ctypes.get_errno(), f"landlock_add_rule {path}")
        os.close(parent)
    if _LIBC.syscall(_RESTRICT_SELF, ruleset, 0) != 0:
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")
    os.close(ruleset)


def _load_filter(program: bytes) -> None:
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("<HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    if _LIBC.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

"""The bubblewrap command line: what exists inside, and nothing else does.

Everything is a list of what is allowed: /usr and the toolchain read-only, the command's mounts,
private /tmp, /home, /dev, /proc, pids, network and names. Pure: from a command to arguments.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from wavecrew.sandbox.model import Command
from wavecrew.sandbox.toolchain import SYSTEM, Toolchain

HOME = "/home/agent"
_TMP, _SHM = "/tmp", "/dev/shm"  # noqa: S108 - both the sandbox's own
_MB = 1024 * 1024
_UID = "1000"

PASSWD = b"agent:x:1000:1000:agent:/home/agent:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
GROUP = b"agent:x:1000:\nnogroup:x:65534:\n"
HOSTS = b"127.0.0.1 localhost sandbox\n::1 localhost\n"
NSSWITCH = b"passwd: files\ngroup: files\nhosts: files\n"
FILES = {
    "/etc/passwd": PASSWD,
    "/etc/group": GROUP,
    "/etc/hosts": HOSTS,
    "/etc/nsswitch.conf": NSSWITCH,
}
"""The whole of /etc, but for the loader's cache, the time zone and the alternatives."""

_UNSHARED = (
    f"--unshare-user --uid {_UID} --gid {_UID} --disable-userns --unshare-pid --unshare-ipc "
    "--unshare-uts --unshare-cgroup-try --unshare-net --cap-drop ALL --new-session "
    "--die-with-parent --hostname sandbox --clearenv"
).split()

# What an ordinary user could not read; it matters when the engine runs as root.
_ROOTS_SECRETS = (
    "acpi asound interrupts kallsyms kcore keys key-users kmsg kpagecgroup kpagecount "
    "kpageflags latency_stats mtrr pagetypeinfo sched_debug scsi slabinfo timer_list "
    "timer_stats vmallocinfo fs bus irq driver sysrq-trigger"
)

# The command starts only when the engine, alive and watching, has written the first line; by
# then bubblewrap is bound to die with it. An engine that is gone gives end of file instead.
GATE = 'read -r go || exit 125; exec "$@"'
GATE_WITHOUT_INPUT = 'read -r go || exit 125; exec "$@" </dev/null'
GO = b"go\n"


def options(command: Command, toolchain: Toolchain, env: dict[str, str]) -> list[str]:
    """Bubblewrap's options, but for those that carry file descriptors."""
    return [
        *_UNSHARED,
        *_system(),
        *_proc(),
        *_writable(),
        *_toolchain(toolchain),  # after the private /tmp and home, since it may lie below them
        *_mounts(command),
        *("--chdir", command.cwd),
        *_env(command, toolchain, env),
    ]


def inner(command: Command, limits: tuple[str, ...]) -> tuple[str, ...]:
    """What bubblewrap executes: the gate, then the limits, then the command."""
    gate = GATE if command.stdin else GATE_WITHOUT_INPUT
    return ("/bin/sh", "-c", gate, "sh", "/usr/bin/prlimit", *limits, "--", *command.argv)


def _system() -> list[str]:
    found: list[str] = []
    for name in SYSTEM:
        if os.path.islink(name):
            found += ["--symlink", os.readlink(name), name]
        elif os.path.isdir(name):
            found += ["--ro-bind", name, name]
    for name in ("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime"):
        found += ["--ro-bind-try", name, name]
    return found


def _toolchain(toolchain: Toolchain) -> list[str]:
    found: list[str] = []
    for host, inside in toolchain.folders:
        found += ["--ro-bind", str(host), str(inside)]
    for target, inside in toolchain.links:
        found += ["--symlink", target, str(inside)]
    return found


def _proc() -> list[str]:
    """/proc is the sandbox's own and read-only as a whole, so that nothing under /proc/sys or
    elsewhere can be written even where the kernel takes the command for the host's root."""
    found = ["--proc", "/proc"]
    for name in _ROOTS_SECRETS.split():
        path = Path("/proc", name)
        try:
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        except OSError:
            continue
        hide = ["--size", "4096", "--tmpfs"] if is_folder else ["--ro-bind", "/dev/null"]
        found += [*hide, str(path)]
        if is_folder:
            found += ["--remount-ro", str(path)]
    return [*found, "--remount-ro", "/proc"]


def _writable() -> list[str]:
    return [
        *("--dev", "/dev"),
        *("--size", str(64 * _MB), "--perms", "1777", "--tmpfs", _SHM),
        *("--remount-ro", "/dev"),
        *("--size", str(512 * _MB), "--perms", "1777", "--tmpfs", _TMP),
        *("--size", str(256 * _MB), "--perms", "0700", "--tmpfs", HOME),
        *("--dir", "/run", "--dir", "/var"),
    ]


def _mounts(command: Command) -> list[str]:
    found: list[str] = []
    for mount in command.mounts:
        found += ["--bind" if mount.writable else "--ro-bind", str(mount.host), mount.inside]
    return found


def _env(command: Command, toolchain: Toolchain, env: dict[str, str]) -> list[str]:
    whole = base_env(toolchain, HOME, _TMP) | env | dict(command.env)
    return [word for name, value in whole.items() for word in ("--setenv", name, value)]


def base_env(toolchain: Toolchain, home: str, tmp: str) -> dict[str, str]:
    return {
        "PATH": toolchain.path,
        "HOME": home,
        "TMPDIR": tmp,
        "USER": "agent",
        "LOGNAME": "agent",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
    }

"""What to do about a sandbox that could not be set up: the launcher's words -> a mend."""

from __future__ import annotations

from wavecrew.errors import SandboxUnavailable

_INSTALL = "Install bubblewrap with your package manager: `apt install bubblewrap`, for example."
_APPARMOR = (
    "User namespaces are refused. On Ubuntu 24.04 or newer allow them for /usr/bin/bwrap with an "
    "AppArmor profile, elsewhere set the sysctl kernel.unprivileged_userns_clone to 1."
)
_CONTAINER = (
    "In a container, start it with `--security-opt seccomp=unconfined` (Docker's default filter "
    "forbids new namespaces), or run the engine outside of it."
)
_MENDS = (
    ("is not installed", _INSTALL),
    ("no permissions to create new namespace", f"{_APPARMOR} {_CONTAINER}"),
    ("max_", "Raise the sysctl user.max_user_namespaces; this user has none left."),
    ("creating new namespace failed", f"{_APPARMOR} {_CONTAINER}"),
    ("setting up uid map", _APPARMOR),
    ("loopback: failed", _APPARMOR),
    ("can't mount proc", f"/proc is partly covered here. {_CONTAINER}"),
    ("unknown option", "This bubblewrap is too old; 0.8.0 or newer is needed."),
    ("no system call table", "The sandbox supports x86_64 and aarch64 on Linux."),
    ("can't chdir", "The working directory must exist inside one of the mounts."),
    ("can't find source path", "A folder to be mounted is gone or cannot be read by this user."),
    ("permission denied", "A folder to be mounted cannot be reached by this user."),
    ("cgroup.procs", "The command could not join its control group; see `wavecrew doctor`."),
    ("read-only file system", "Two mounts overlap, or one has no place inside."),
    ("argument list too long", "The command is too long; put the text into a file or its stdin."),
    ("was not set up", "The machine is overloaded, or a mounted disk hangs."),
)
_ELSE = "`wavecrew doctor` tries the sandbox piece by piece."


def unavailable(what: str) -> SandboxUnavailable:
    """The error for a command that was never started, with the mend its words call for."""
    lowered = what.lower()
    mend = next((mend for sign, mend in _MENDS if sign in lowered), _ELSE)
    return SandboxUnavailable(what, where="sandbox", mend=mend)

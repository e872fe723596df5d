"""Which commands are refused before anything is started.

A mount is refused when the place it comes from or the place it goes to could have been prepared by
an earlier command: bubblewrap follows symlinks below a mount's destination (CVE-2026-87766), and a
link in a host path would make something else visible than what was meant.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from wavecrew.errors import SandboxUnavailable
from wavecrew.sandbox.model import Command, Mount

_OURS = "/usr /bin /sbin /lib /lib32 /lib64 /libx32 /etc /proc /dev /sys /tmp /home /run /var"


def refuse_unsafe(command: Command, taken: Iterable[Path] = ()) -> None:
    """SandboxUnavailable, naming the fault, unless the command can be run as it stands.

    `taken`: paths inside that the sandbox mounts itself.
    """
    if not command.argv or not command.argv[0]:
        raise _refused("the command is empty")
    texts = [*command.argv, command.cwd, *command.env, *command.env.values()]
    if any("\0" in text for text in texts):
        raise _refused("a NUL character stands in an argument or the environment")
    for name in command.env:
        if not name or "=" in name:
            raise _refused(f"{name!r} cannot be the name of an environment variable")
    if not _is_plain(command.cwd):
        raise _refused(f"the working directory {command.cwd!r} is not a plain absolute path")
    for mount in command.mounts:
        _refuse_source(mount)
        _refuse_destination(mount, command.mounts, taken)


def _refuse_source(mount: Mount) -> None:
    host = mount.host
    if not host.is_absolute() or not host.exists():
        raise _refused(f"{str(host)!r} is to be mounted, and there is no such absolute path")
    if host.resolve() != host:
        raise _refused(
            f"the way to {str(host)!r} leads over a symlink",
            "Resolve a path where it is made, before any agent could change what it leads to.",
        )


def _refuse_destination(mount: Mount, mounts: tuple[Mount, ...], taken: Iterable[Path]) -> None:
    if not _is_plain(mount.inside) or mount.inside == "/":
        raise _refused(f"{mount.inside!r} is not a plain absolute path to mount at")
    others = [other.inside for other in mounts if other is not mount]
    for other in [*others, *_OURS.split(), *map(str, taken)]:
        if _overlap(mount.inside, other):
            raise _refused(
                f"the mounts {mount.inside!r} and {other!r} overlap",
                "Mount side by side: below a mount, an agent could have planted a link.",
            )


def _is_plain(path: str) -> bool:
    return (
        path.startswith("/")
        and not path.startswith("//")
        and str(PurePosixPath(path)) == path
        and ".." not in path.split("/")
    )


def _overlap(one: str, other: str) -> bool:
    a, b = PurePosixPath(one), PurePosixPath(other)
    return a == b or a in b.parents or b in a.parents


def _refused(what: str, mend: str = "") -> SandboxUnavailable:
    return SandboxUnavailable(f"the sandbox refuses this command: {what}", mend=mend)

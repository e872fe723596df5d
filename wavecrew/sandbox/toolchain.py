"""What must be readable inside, beyond /usr, for the running Python to work there.

A virtual environment is a chain of symlinks over several folders (its own, the installation it was
made from, links between the two). Each folder is mounted read-only where it is, each link outside
of them is made again, so that scripts, tracebacks and `sys.prefix` stay true inside.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wavecrew.errors import SandboxUnavailable

if TYPE_CHECKING:
    from wavecrew.plan.settings import SandboxSettings

SYSTEM_PATH = ("/usr/local/bin", "/usr/bin", "/bin")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
"""Folders of the system, readable in every sandbox."""

_NEVER = ("/etc", "/proc", "/sys", "/dev", "/run", "/var", "/tmp", "/root", "/home")  # noqa: S108
_MOST_LINKS = 40


@dataclass(frozen=True, slots=True)
class Toolchain:
    folders: tuple[tuple[Path, Path], ...] = ()
    """(real folder on the host, path inside), parents before children, none below another."""
    links: tuple[tuple[str, Path], ...] = ()
    """(target as written, path inside) of symlinks that stand outside all folders."""
    path: str = ":".join(SYSTEM_PATH)


def toolchain(settings: SandboxSettings) -> Toolchain:
    """The running interpreter's folders plus `settings.read` and `settings.path`.

    SandboxUnavailable for a listed folder that does not exist, is not absolute, or would open the
    whole machine or a home.
    """
    asked = [_asked(entry) for entry in (*settings.read, *settings.path)]
    interpreter = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.base_exec_prefix)]
    folders = _without_nested(
        [pair for literal in (*asked, *interpreter) for pair in _mounted(_not_too_wide(literal))]
    )
    bins = [str(_asked(entry)) for entry in settings.path]
    path = [*bins, str(Path(sys.executable).parent), *SYSTEM_PATH]
    return Toolchain(folders, _links(Path(sys.executable), folders), ":".join(dict.fromkeys(path)))


def reachable(path: Path, uid: int) -> bool:
    """Whether this uid, in no group, may read `path` and search every folder above it."""
    return all(_grants(above, uid, 0o1) for above in path.parents) and _grants(path, uid, 0o5)


def _grants(path: Path, uid: int, bits: int) -> bool:
    status = path.stat()
    shift = 6 if status.st_uid == uid else 0
    return (status.st_mode >> shift) & bits == bits


def _asked(entry: str) -> Path:
    folder = Path(os.path.normpath(os.path.expanduser(entry)))
    if not folder.is_absolute() or not folder.exists():
        raise SandboxUnavailable(
            f"the sandbox cannot make {entry!r} readable: no such absolute path",
            where="wavecrew.toml, [sandbox]",
            mend="Correct or remove it under `read` or `path`.",
        )
    return folder


def _not_too_wide(folder: Path) -> Path:
    home = Path(os.path.expanduser("~"))
    real = folder.resolve()
    for seen in (folder, real):
        if str(seen) in ("/", *_NEVER) or home == seen or seen in home.parents:
            raise SandboxUnavailable(
                f"making {str(folder)!r} readable would open the machine to the agents",
                where="wavecrew.toml, [sandbox]",
                mend="Name the toolchain's own folder; a Python with this prefix cannot be used.",
            )
    return folder


def _mounted(literal: Path) -> list[tuple[Path, Path]]:
    real = literal.resolve()
    return [(real, literal), (real, real)]


def _is_covered(path: Path, covers: list[Path]) -> bool:
    return any(path == cover or cover in path.parents for cover in covers)


def _without_nested(pairs: list[tuple[Path, Path]]) -> tuple[tuple[Path, Path], ...]:
    """A folder below a mounted one is there already: mounting it again would nest mounts."""
    kept: list[tuple[Path, Path]] = []
    for host, inside in sorted(set(pairs), key=lambda pair: (len(pair[1].parts), pair)):
        if not _is_covered(inside, [Path(name) for name in SYSTEM] + [one for _, one in kept]):
            kept.append((host, inside))
    return tuple(kept)


def _links(start: Path, folders: tuple[tuple[Path, Path], ...]) -> tuple[tuple[str, Path], ...]:
    covers = [Path(name) for name in SYSTEM] + [inside for _, inside in folders]
    links: list[tuple[str, Path]] = []
    hop = start
    for _ in range(_MOST_LINKS):
        if not hop.is_symlink():
            break
        target = os.readlink(hop)
        if not _is_covered(hop, covers):
            links.append((target, hop))
        hop = Path(os.path.normpath(hop.parent / target))
    return tuple(links)

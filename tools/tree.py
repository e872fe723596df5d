"""Reading, writing and listing files of the workspace, on the host, without leaving it.

Everything goes through `confine`. Links are never followed, files with a
second hard link never touched, and a write replaces the file as a whole.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tools.confine import Opener, best_opener, closing, is_git_name
from tools.nearest import did_you_mean
from wavecrew.errors import ToolError

MAX_FILE = 8_000_000
"""Bytes; larger files are for commands, not for file tools."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a folder, without following links."""

    path: str
    kind: Literal["file", "folder", "link", "other"]
    size: int = 0
    target: str = ""
    """Where a link points, as text."""


@dataclass(frozen=True, slots=True)
class Content:
    data: bytes
    executable: bool = False


class MissingPath(ToolError):
    """Nothing stands at the path."""


class Tree:
    """The workspace's tree. All paths are `clean` ones; every method raises ToolError."""

    def __init__(self, root: Path, opener: Opener | None = None) -> None:
        self.root = root
        self._opener = opener or best_opener()

    def read(self, path: str) -> Content:
        """The whole of a regular file of at most MAX_FILE bytes."""
        with self._opened(path, _FILE) as file:
            seen = os.fstat(file)
            _require_plain(path, seen)
            if seen.st_size > MAX_FILE:
                raise ToolError(
                    f"{path!r} has {seen.st_size} bytes, more than file tools read ({MAX_FILE}); "
                    "use run_command (sed -n, head, tail)"
                )
            chunks, left = [], MAX_FILE + 1
            while left > 0 and (chunk := os.read(file, min(left, 1 << 20))):
                chunks.append(chunk)
                left -= len(chunk)
        if left <= 0:
            raise ToolError(f"{path!r} grew beyond {MAX_FILE} bytes while it was read")
        return Content(b"".join(chunks), executable=bool(seen.st_mode & 0o100))

    def stat(self, path: str) -> os.stat_result | None:
        """What stands at the path itself, a link not followed; None when nothing does."""
        try:
            with self._parent(path) as (folder, name):
                return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except MissingPath:
            return None

    def write(self, path: str, data: bytes, *, executable: bool | None = None) -> None:
        """Replace or create the file, with the folders above it; keeps the mode it had."""
        if len(data) > MAX_FILE:
            raise ToolError(f"{len(data)} bytes are more than a file tool writes ({MAX_FILE})")
        with self._parent(path, create=True) as (folder, name):
            mode = self._mode_to_keep(path, folder, name)
            if executable is not None:
                mode = 0o755 if executable else mode & ~0o111
            temporary = f".{secrets.token_hex(8)}.tmp"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with closing(os.open(temporary, flags, 0o600, dir_fd=folder)) as file:
                try:
                    _give_to_owner_of(folder, file)
                    os.fchmod(file, mode)
                    _write_all(file, data)
                    os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
                except BaseException:
                    with suppress(OSError):
                        os.unlink(temporary, dir_fd=folder)
                    raise

    def delete(self, path: str) -> None:
        """Remove a file or a link (the link itself); folders are refused."""
        with self._parent(path) as (folder, name):
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise ToolError(f"{path!r} is a folder; use run_command (rm -r) for folders")
            os.unlink(name, dir_fd=folder)

    def move(self, source: str, target: str) -> None:
        """Rename a file; a target that exists is refused."""
        with self._parent(source) as (from_folder, from_name):
            _require_plain(source, os.stat(from_name, dir_fd=from_folder, follow_symlinks=False))
            if self.stat(target) is not None:
                raise ToolError(f"{target!r} exists; delete it first or choose another name")
            with self._parent(target, create=True) as (to_folder, to_name):
                os.rename(from_name, to_name, src_dir_fd=from_folder, dst_dir_fd=to_folder)

    def entries(self, path: str) -> list[Entry]:
        """What a folder holds, sorted by name; what git would take for `.git` is hidden."""
        prefix = "" if path == "." else f"{path}/"
        with self._opened(path, _FOLDER) as folder, os.scandir(folder) as listing:
            names = sorted(entry.name for entry in listing if not is_git_name(entry.name))
            return [entry for name in names if (entry := _entry(folder, prefix, name))]

    @contextmanager
    def _opened(self, path: str, flags: int) -> Iterator[int]:
        with self._root() as root:
            try:
                descriptor = self._opener(root, path, flags, 0)
            except OSError as error:
                raise self._told(path, error) from error
        with closing(descriptor):
            yield descriptor

    @contextmanager
    def _parent(self, path: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        """The open folder of `path` and the last name; an OSError of the block is told."""
        above, _, name = path.rpartition("/")
        if path == ".":
            raise ToolError("'.' is the tree itself, not a file")
        with self._root() as root:
            try:
                folder = self._folder(root, above or ".", create=create)
            except OSError as error:
                raise self._told(path, error) from error
        with closing(folder):
            try:
                yield folder, name
            except OSError as error:
                raise self._told(path, error) from error

    def _folder(self, root: int, path: str, *, create: bool) -> int:
        try:
            return self._opener(root, path, _FOLDER, 0)
        except FileNotFoundError:
            if not create:
                raise
        here = os.dup(root)
        for name in path.split("/"):
            with closing(here):
                here = self._step_into(here, name)
        return here

    def _step_into(self, folder: int, name: str) -> int:
        with suppress(FileNotFoundError):
            return self._opener(folder, name, _FOLDER, 0)
        with suppress(FileExistsError):
            os.mkdir(name, 0o755, dir_fd=folder)
        made = self._opener(folder, name, _FOLDER, 0)
        _give_to_owner_of(folder, made)
        return made

    @contextmanager
    def _root(self) -> Iterator[int]:
        with closing(os.open(self.root, _FOLDER | os.O_NOFOLLOW | os.O_CLOEXEC)) as root:
            yield root

    def _mode_to_keep(self, path: str, folder: int, name: str) -> int:
        try:
            seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return 0o644
        _require_plain(path, seen)
        return stat.S_IMODE(seen.st_mode) & 0o777

    def _told(self, path: str, error: OSError) -> ToolError:
        if isinstance(error, FileNotFoundError):
            return self._missing(path)
        if error.errno in (errno.ELOOP, errno.EXDEV):
            return ToolError(f"{path!r} goes through a symbolic link or another mount: refused")
        if error.errno == errno.ENOTDIR:
            return ToolError(f"{path!r}: not a folder, or reached through a symbolic link")
        if error.errno == errno.EISDIR:
            return ToolError(f"{path!r} is a folder")
        return ToolError(f"{path!r}: {error.strerror or error}")

    def _missing(self, path: str) -> MissingPath:
        """Names the deepest folder that exists and the nearest name in it."""
        parts = path.split("/")
        for depth in range(len(parts) - 1, -1, -1):
            above = "/".join(parts[:depth]) or "."
            with suppress(ToolError):
                names = [entry.path for entry in self.entries(above)]
                wanted = "/".join(parts[: depth + 1])
                lost = "" if depth == len(parts) - 1 else f" (there is no {wanted!r})"
                return MissingPath(f"{path!r} does not exist{lost}{did_you_mean(wanted, names)}")
        return MissingPath(f"{path!r} does not exist")


def _entry(folder: int, prefix: str, name: str) -> Entry | None:
    try:
        seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(seen.st_mode):
            return Entry(prefix + name, "link", target=os.readlink(name, dir_fd=folder))
    except OSError:
        return None
    if stat.S_ISDIR(seen.st_mode):
        return Entry(prefix + name, "folder")
    return Entry(prefix + name, "file" if stat.S_ISREG(seen.st_mode) else "other", seen.st_size)


def _require_plain(path: str, seen: os.stat_result) -> None:
    if stat.S_ISDIR(seen.st_mode):
        raise ToolError(f"{path!r} is a folder")
    if stat.S_ISLNK(seen.st_mode):
        raise ToolError(f"{path!r} is a symbolic link; file tools do not follow links")
    if not stat.S_ISREG(seen.st_mode):
        raise ToolError(f"{path!r} is not a regular file")
    if seen.st_nlink != 1:
        raise ToolError(f"{path!r} has {seen.st_nlink} hard links; file tools refuse such files")


def _give_to_owner_of(folder: int, made: int) -> None:
    """Commands may run under another uid than ours: what we make belongs to the tree's owner."""
    if os.geteuid() == 0:
        owner = os.fstat(folder)
        os.fchown(made, owner.st_uid, owner.st_gid)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]

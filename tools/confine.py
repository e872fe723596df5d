"""How a path that an agent wrote becomes a file descriptor beneath the tree, and never elsewhere.

The tree is written by commands we do not trust, also while we look at it, so
a path is never checked first and opened later: the kernel resolves and opens
it in one step beneath the root (`openat2`), or we walk it component by
component, holding each folder open and following no link.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from wavecrew.errors import ToolError
from wavecrew.sandbox.model import TREE

Opener = Callable[[int, str, int, int], int]
"""(root descriptor, clean path, open flags, mode) -> descriptor; OSError as `os.open` raises it."""

_MAX_PATH = 4096
_MAX_NAME = 255
_SHORT_GIT = re.compile(r"git~\d+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_SYS_OPENAT2 = 437
_RESOLVE_NO_XDEV = 0x01
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_RESOLVE = _RESOLVE_NO_XDEV | _RESOLVE_NO_MAGICLINKS | _RESOLVE_NO_SYMLINKS | _RESOLVE_BENEATH
_RETRIES = 64


def clean(path: str) -> str:
    """The path without `.` and doubled slashes, `.` for the root itself.

    ToolError for what can never name a file of the tree: absolute, `..`, NUL and
    other control characters, backslashes, unpaired surrogates, over-long, or a
    component that some file system takes for `.git`.
    """
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise ToolError(f"{path!r} is not valid Unicode") from None
    if size > _MAX_PATH:
        raise ToolError(f"the path has {size} bytes; {_MAX_PATH} is the limit")
    if _CONTROL.search(path):
        raise ToolError(f"{path!r} has control characters")
    if "\\" in path:
        raise ToolError(f"{path!r} has a backslash; separate folders by '/'")
    if path.startswith("/"):
        raise ToolError(f"{path!r} is absolute; {_relative_hint(path)}")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    for part in parts:
        _refuse_name(path, part)
    return "/".join(parts) or "."


def _relative_hint(path: str) -> str:
    if path == TREE or path.startswith(f"{TREE}/"):
        return f"write {path.removeprefix(TREE).strip('/') or '.'!r}, relative to the tree's root"
    return "paths are relative to the tree's root"


def _refuse_name(path: str, part: str) -> None:
    if part == "..":
        raise ToolError(f"{path!r} has '..'; name the file from the tree's root")
    if len(part.encode()) > _MAX_NAME:
        raise ToolError(f"a name in the path is longer than {_MAX_NAME} bytes")
    if is_git_name(part):
        raise ToolError(f"{path!r} is git's own; use git_status, git_diff and git_log")


def is_git_name(name: str) -> bool:
    """Whether some file system takes this name for `.git` (case, invisible characters,
    NTFS streams, trailing dots and 8.3 names considered)."""
    folded = unicodedata.normalize("NFKC", name)
    folded = "".join(c for c in folded if unicodedata.category(c) != "Cf").casefold()
    folded = unicodedata.normalize("NFKC", folded).partition(":")[0].rstrip(". ")
    return folded == ".git" or _SHORT_GIT.fullmatch(folded) is not None


class _OpenHow(ctypes.Structure):
    _fields_ = [
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    ]


def openat2_beneath(root: int, path: str, flags: int, mode: int = 0) -> int:
    """One step of the kernel: beneath `root`, through no link and no other mount."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, _RESOLVE)
    code = errno.EAGAIN
    for _ in range(_RETRIES):
        opened = _libc().syscall(
            _SYS_OPENAT2, root, os.fsencode(path), ctypes.byref(how), ctypes.sizeof(how)
        )
        if opened >= 0:
            return int(opened)
        code = ctypes.get_errno()
        if code not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(code, os.strerror(code), path)


def walk_beneath(root: int, path: str, flags: int, mode: int = 0) -> int:
    """The same for kernels without openat2: one component at a time, following no link."""
    device = os.fstat(root).st_dev
    *folders, last = path.split("/")
    here = os.dup(root)
    try:
        for name in folders:
            there = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = there
            _refuse_device(here, device, path)
        opened = os.open(last, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=here)
    finally:
        os.close(here)
    try:
        _refuse_device(opened, device, path)
    except OSError:
        os.close(opened)
        raise
    return opened


def _refuse_device(descriptor: int, device: int, path: str) -> None:
    if os.fstat(descriptor).st_dev != device:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)


@cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    return libc


@cache
def best_opener() -> Opener:
    """openat2 where this kernel lets us use it, else the walk."""
    root = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.close(openat2_beneath(root, ".", os.O_RDONLY | os.O_DIRECTORY))
    except (OSError, AttributeError):
        return walk_beneath
    finally:
        os.close(root)
    return openat2_beneath


@contextmanager
def closing(descriptor: int) -> Iterator[int]:
    """The descriptor, closed at the end whatever happens."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)

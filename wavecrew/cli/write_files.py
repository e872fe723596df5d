"""How are several files written so that all of them are there, or none?"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from wavecrew.errors import UsageError


def write_all(files: Sequence[tuple[Path, str]], *, replace: bool) -> None:
    """Write every file whole, or leave everything as it was.

    UsageError: one exists and `replace` is False (also when it appears meanwhile), or one cannot
    be written. Each file is at every moment the old one or the new one, also when this is killed.
    """
    taken = [path for path, _ in files if os.path.lexists(path)]
    if taken and not replace:
        raise _exists(taken)
    parts: list[Path] = []
    olds: list[Path | None] = []
    undo: list[tuple[Path, Path | None]] = []
    at = files[0][0]
    try:
        for path, text in files:
            at = path
            parts.append(_partial(path, text))
        for (path, _), part in zip(files, parts, strict=True):
            at = path
            olds.append(_keep(path, part, replace=replace))
            os.replace(part, path) if replace else os.link(part, path)
            undo.append((path, olds[-1]))
    except OSError as error:
        _undo(undo)
        if isinstance(error, FileExistsError):
            raise _exists([at]) from None
        raise UsageError(
            f"cannot write: {error.strerror}",
            where=str(at),
            mend="nothing was written; name a folder that exists and may be written with --out",
        ) from None
    except BaseException:
        _undo(undo)
        raise
    finally:
        for left in (*parts, *(old for old in olds if old is not None)):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)


def _exists(paths: Sequence[Path]) -> UsageError:
    names = " and ".join(repr(path.name) for path in paths)
    return UsageError(
        f"{names} {'exists' if len(paths) == 1 else 'exist'} and would be replaced",
        where=str(paths[0].parent),
        mend="nothing was written; --force replaces both files, --out names another folder",
    )


def _partial(path: Path, text: str) -> Path:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o644)
    except BaseException:
        os.unlink(name)
        raise
    return Path(name)


def _keep(path: Path, part: Path, *, replace: bool) -> Path | None:
    """A second name for what stands at `path`, to bring it back by; None when nothing does."""
    if not replace or not os.path.lexists(path):
        return None
    if path.is_dir() and not path.is_symlink():
        raise IsADirectoryError(21, "it is a folder")
    old = part.with_name(part.name + ".old")
    os.link(path, old, follow_symlinks=False)
    return old


def _undo(undo: Sequence[tuple[Path, Path | None]]) -> None:
    for path, old in reversed(undo):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True) if old is None else os.replace(old, path)

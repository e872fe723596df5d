"""What do the gates ask of the run's mirror? Trees and blobs by name; nothing is ever changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from wavecrew.sandbox.model import Sandbox

GITLINK = "160000"


class Changed(Protocol):
    """One path that differs between two trees; a rename is a deletion and an addition."""

    @property
    def path(self) -> str: ...

    @property
    def status(self) -> str:
        """A, M, D or T, as git names them."""
        ...

    @property
    def mode(self) -> str:
        """Six octal digits in the newer tree; zeros when the path is gone."""
        ...


class Source(Protocol):
    """Reads objects only. A `treeish` is a commit or a tree id; paths are relative, with `/`.

    Bytes of a path that are no UTF-8 stand as surrogate escapes.
    """

    def changes(self, base: str, tree: str, /) -> Sequence[Changed]: ...

    def read_all(self, treeish: str, paths: Iterable[str], /) -> Mapping[str, bytes]:
        """Contents of the regular files among `paths`; a link or a missing path has none."""
        ...

    def tree_of(self, commit: str, /) -> str: ...

    def checkout(self, tree: str, into: Path, sandbox: Sandbox, /) -> None:
        """Write the tree's files into an empty folder, by git inside the sandbox."""
        ...


class Texts:
    """Files of one tree as text; what is asked for ahead is read in one go."""

    def __init__(self, source: Source, treeish: str, ahead: Iterable[str] = ()) -> None:
        self._source = source
        self._treeish = treeish
        wanted = tuple(ahead)
        found = source.read_all(treeish, wanted) if wanted else {}
        self._known = {path: found.get(path) for path in wanted}

    def at(self, path: str) -> str | None:
        """Bytes that are no UTF-8 become replacement characters; None without such a file."""
        if path not in self._known:
            self._known[path] = self._source.read_all(self._treeish, (path,)).get(path)
        data = self._known[path]
        return None if data is None else data.decode("utf-8", errors="replace")


def shown(path: str) -> str:
    """A path as it can be written down: bytes that are no UTF-8 as escapes."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")

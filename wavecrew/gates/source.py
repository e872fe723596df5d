"""What do the gates ask of the run's mirror? Trees and blobs by name; nothing is ever changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from wavecrew.sandbox.model import Sandbox

LINK = "120000"
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
    """Reads objects only. A `treeish` is a commit or a tree id; paths are relative, with `/`."""

    def changes(self, base: str, tree: str, /) -> Sequence[Changed]: ...

    def read(self, treeish: str, path: str, /) -> bytes | None:
        """The blob's bytes, a link's target for a link, None when there is no such path."""
        ...

    def ls(self, treeish: str, prefix: str = "", /) -> Sequence[str]:
        """Every file's path, recursively."""
        ...

    def tree_of(self, commit: str, /) -> str: ...

    def checkout(self, tree: str, into: Path, sandbox: Sandbox, /) -> None:
        """Write the tree's files into an empty folder, by git inside the sandbox."""
        ...


def text_at(source: Source, treeish: str, path: str) -> str | None:
    """A file as text; bytes that are no UTF-8 become replacement characters."""
    data = source.read(treeish, path)
    return None if data is None else data.decode("utf-8", errors="replace")

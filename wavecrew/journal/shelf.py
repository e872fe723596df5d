"""Where a run's documents stand: reports, logs of checks, whatever is read again by name.

On one machine that is the run's folder; for many it is the database, so that
an engine elsewhere finds what this one wrote. A document is there whole or
not at all, and the last one saved under a name is the one that counts.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Protocol

from wavecrew.journal.database import Database
from wavecrew.journal.schema import key_of


class Shelf(Protocol):
    """Documents by name: a relative path with `/`, as in `reports/1.1-1-1.json`."""

    def save(self, name: str, content: bytes) -> None:
        """Keep `content` under `name`, whole and durable, instead of what stood there."""
        ...

    def load(self, name: str) -> bytes | None:
        """What was saved last; None when nothing was."""
        ...


class FolderShelf:
    """Files below a folder, which is made when the first one comes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(self, name: str, content: bytes) -> None:
        path = self._root / checked(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut can leave the name with nothing behind it
        partial.replace(path)

    def load(self, name: str) -> bytes | None:
        try:
            return (self._root / checked(name)).read_bytes()
        except FileNotFoundError:
            return None


class PostgresShelf:
    """Rows of the table `documents`. Errors as of `Database`; every save may be repeated."""

    def __init__(self, url: str, run: str) -> None:
        self._database = Database(url)
        self._run = run

    def save(self, name: str, content: bytes) -> None:
        with self._database.transaction() as here:
            here.execute(
                "insert into wavecrew.documents (run, name, content) values (%s, %s, %s)"
                " on conflict (run, name)"
                " do update set content = excluded.content, saved_at = now()",
                (self._run, key_of(checked(name)), content),
            )

    def load(self, name: str) -> bytes | None:
        with self._database.transaction() as here:
            found = here.execute(
                "select content from wavecrew.documents where run = %s and name = %s",
                (self._run, key_of(checked(name))),
            )
        row = found.fetchone()
        return bytes(row[0]) if row else None

    def close(self) -> None:
        self._database.close()


def checked(name: str) -> str:
    """`name`, or ValueError when it could be a place outside of the shelf."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\x00" in name:
        raise ValueError(f"no name for a document: {name!r}")
    return name

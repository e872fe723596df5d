"""The lines of attempt journals in the database, where another machine finds them.

The database has each line before the journal's own file has it, so the file
can always be made anew from here, by whoever goes on with the attempt. Who
wrote a line is kept with it: two engines that hold the same attempt, because
one was taken for dead, cannot both go on.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Protocol

from wavecrew.errors import EnvironmentBroken
from wavecrew.journal.database import Database
from wavecrew.journal.schema import key_of


class Fenced(EnvironmentBroken):
    """Another engine goes on with this conversation; this one must not."""


class Records(Protocol):
    """Journal lines by conversation (`task/1.1/2`), numbered 1, 2, 3 ... without a gap."""

    def append(self, conversation: str, number: int, line: bytes) -> None:
        """Keep `line`, with its newline, durably; the same one again changes nothing.

        Fenced when the number is taken by another writer or content, or is not the next one.
        """
        ...

    def lines(self, conversation: str) -> tuple[bytes, ...]:
        """All lines kept so far, in order."""
        ...


APPEND = """
insert into wavecrew.records (run, conversation, number, line, writer)
select %(run)s, %(conversation)s, %(number)s, %(line)s, %(writer)s
where %(number)s = 1 + (
    select coalesce(max(number), 0) from wavecrew.records
    where run = %(run)s and conversation = %(conversation)s
)
on conflict do nothing
"""
KEPT = """
select writer = %(writer)s and line = %(line)s from wavecrew.records
where run = %(run)s and conversation = %(conversation)s and number = %(number)s
"""
LINES = """
select line from wavecrew.records where run = %s and conversation = %s order by number
"""


class PostgresRecords:
    """Rows of the table `records`, written by one engine. Errors as of `Database`."""

    def __init__(self, url: str, run: str) -> None:
        self._database = Database(url)
        self._run = run
        self._writer = secrets.token_hex(8)

    def append(self, conversation: str, number: int, line: bytes) -> None:
        values = {
            "run": self._run,
            "conversation": key_of(conversation),
            "number": number,
            "line": line,
            "writer": self._writer,
        }
        with self._database.transaction() as here:
            here.execute(APPEND, values)
            kept = here.execute(KEPT, values)
        if kept.fetchone() != (True,):
            raise Fenced(
                f"another engine goes on with {conversation!r}: line {number} is not ours to write",
                where=self._database.shown,
                mend="nothing to do here; this engine was taken for dead and leaves",
            )

    def lines(self, conversation: str) -> tuple[bytes, ...]:
        with self._database.transaction() as here:
            found = here.execute(LINES, (self._run, key_of(conversation)))
        return tuple(bytes(line) for (line,) in found.fetchall())

    def close(self) -> None:
        self._database.close()


def materialise(records: Records, conversation: str, path: Path) -> None:
    """Make the journal at `path` what `records` has of it; no file when that is nothing.

    To be called before every start of an agent: a file that is here already may be of an
    earlier stay of the attempt on this machine, or one line short.
    """
    content = b"".join(records.lines(conversation))
    if not content:
        path.unlink(missing_ok=True)
        return
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)

"""The attempt journal: everything one attempt said and did, durable before it takes effect.

Append-only JSON lines with one writer. An exchange is two records: the intent
(kind and request digest), then the reply. Opened again after a crash, recorded
exchanges are replayed in order without their effect, so no model call is paid
twice; an intent without a reply is carried out again. A torn last line is
dropped. The same file is the trace a reviewer reads and the recording that a
replay runs on.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from wavecrew.errors import DiskFull, WavecrewError

Exchange = Literal["model", "tool"]


class JournalDiverged(WavecrewError):
    """A resumed attempt asks for something else than it did the first time."""

    exit_code = 7


class AttemptJournal:
    """One attempt's exchanges, recorded and replayed in order.

    Not thread-safe: an attempt does one thing at a time.
    """

    def __init__(
        self,
        path: Path,
        records: list[dict[str, Any]],
        descriptor: int,
        copy: Callable[[int, bytes], None] | None = None,
    ) -> None:
        self.path = path
        self._recorded = [record for record in records if record["record"] == "reply"]
        self._next = 0
        self._lines = len(records)
        self._descriptor = descriptor
        self._copy = copy
        self.last_snapshot = last_snapshot(self._recorded)
        """The newest tree id among the recorded replies; empty when there is none."""

    @classmethod
    def open(
        cls, path: Path, *, copy: Callable[[int, bytes], None] | None = None
    ) -> AttemptJournal:
        """Create the file or read what it holds; a torn or half-written tail is cut off.

        `copy(number, line)` is called with each new line before the file has it; lines count
        from 1, whatever they record. What it raises leaves the file as it was.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        records, good_bytes = _intact(path.read_bytes())
        os.ftruncate(descriptor, good_bytes)
        return cls(path, records, descriptor, copy)

    @property
    def replaying(self) -> bool:
        """True while recorded exchanges are left."""
        return self._next < len(self._recorded)

    def exchange(
        self,
        kind: Exchange,
        request: dict[str, Any],
        effect: Callable[[], dict[str, Any]],
        beside: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The reply to `request`: the recorded one, or what `effect` returns.

        A new exchange is written as an intent before `effect` runs, which outlives
        the process, and synced as a reply before this returns, which outlives the
        machine. What `effect` raises is not recorded. `beside` stands
        with the intent for those who read the journal, and is no part of the
        request. JournalDiverged when the recording has another request at this place.
        """
        digest = digest_of(kind, request)
        if self.replaying:
            return self._replayed(kind, digest)
        told = {"beside": beside} if beside else {}
        intent = {"record": "intent", "kind": kind, "digest": digest, "request": request}
        self._append(intent | told)
        reply = effect()
        self._append({"record": "reply", "kind": kind, "digest": digest, "reply": reply})
        os.fdatasync(self._descriptor)
        self.last_snapshot = reply.get("snapshot") or self.last_snapshot
        return reply

    def mark_restored(self) -> None:
        """Write down that the workspace was put back to the last snapshot, as a resume does."""
        self._append({"record": "restored", "snapshot": self.last_snapshot})

    def close(self) -> None:
        os.close(self._descriptor)

    def _replayed(self, kind: Exchange, digest: str) -> dict[str, Any]:
        record = self._recorded[self._next]
        if record["digest"] != digest:
            raise JournalDiverged(
                f"exchange {self._next + 1} was a {record['kind']} call with digest "
                f"{record['digest'][:12]} and is now a {kind} call with {digest[:12]}",
                where=str(self.path),
                mend="the prompt, the role or a tool changed since; start the task afresh",
            )
        self._next += 1
        reply: dict[str, Any] = record["reply"]
        return reply

    def _append(self, record: dict[str, Any]) -> None:
        line = json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
        data = line.encode("utf-8", "surrogatepass")
        if self._copy is not None:
            self._copy(self._lines + 1, data)
        self._lines += 1
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            mend = "free some space, then --resume"
            raise DiskFull(
                "no room left for the journal", where=str(self.path), mend=mend
            ) from error


def digest_of(kind: str, request: dict[str, Any]) -> str:
    """SHA-256 of the kind and the request in canonical JSON."""
    canonical = json.dumps([kind, request], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def keep_first(path: Path, records: int) -> None:
    """Cut a journal after so many records; what follows is kept in a file beside it."""
    data = path.read_bytes()
    lines = data.split(b"\n")[:records]
    good = sum(len(line) + 1 for line in lines)
    number = 1
    while (aside := path.with_name(f"{path.name}.lost-{number}")).exists():
        number += 1
    aside.write_bytes(data[good:])
    os.truncate(path, good)


def read_records(path: Path) -> tuple[dict[str, Any], ...]:
    """Every whole record of a journal, for those who only look; missing file: none."""
    try:
        return tuple(_intact(path.read_bytes())[0])
    except FileNotFoundError:
        return ()


def last_snapshot(records: Sequence[dict[str, Any]]) -> str:
    """The newest tree id among the replies; empty when there is none."""
    trees = (record.get("reply", {}).get("snapshot") for record in reversed(records))
    return next((tree for tree in trees if tree), "")


class JournalTail:
    """Reads what a journal's writer has added since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def new(self) -> list[dict[str, Any]]:
        """The whole records that came since; none while the file is not there."""
        try:
            if self._path.stat().st_size <= self._read:
                return []
            with self._path.open("rb") as file:
                file.seek(self._read)
                records, size = _intact(file.read())
        except FileNotFoundError:
            return []
        self._read += size
        return records


def newest_snapshot(path: Path) -> str:
    """Tree id of the newest recorded snapshot of a journal; empty when there is none."""
    return last_snapshot(read_records(path))


def _intact(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """The whole records from the start, and how many bytes they take."""
    records: list[dict[str, Any]] = []
    good = 0
    for line in (part + b"\n" for part in data.split(b"\n")[:-1]):
        try:
            record = json.loads(line)
        except ValueError:
            break
        if not isinstance(record, dict) or "record" not in record:
            break
        records.append(record)
        good += len(line)
    return records, good

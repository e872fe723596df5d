"""What does a recorded journal hold, read strictly and changed by nothing?

For those who look afterwards: the trace a person reads, a replay, an export.
An attempt that goes on reads its journal through `attempt.py`, which forgives
more. A torn last line is a crash and is left out; anything else that is not as
it was written is an error with its line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wavecrew.errors import UsageError
from wavecrew.journal.attempt import digest_of

KINDS = ("model", "tool")


class JournalUnreadable(UsageError):
    """A journal, or what belongs to it, that cannot be taken as a recording."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request with its reply."""

    number: int
    """1, 2, 3 ... in the order of the journal."""
    kind: str
    """`model` or `tool`."""
    request: dict[str, Any]
    reply: dict[str, Any]
    beside: dict[str, Any]
    """What was written down with the request and is no part of it."""
    restored: bool
    """True when the workspace was put back to the last snapshot just before, by a resume."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything one attempt said and did, as far as it is recorded."""

    path: Path
    exchanges: tuple[Exchange, ...]
    unanswered: dict[str, Any] | None = None
    """The request at the end that has no reply: the attempt was cut off in it."""
    torn: bool = False
    """True when a half-written line at the end was left out."""

    @property
    def tokens(self) -> int:
        return sum(turn.tokens for turn in self.turns())

    def turns(self) -> Iterator[Turn]:
        """The conversation, one turn for each answer of the model, in order."""
        asked: Exchange | None = None
        results: list[Exchange] = []
        number = 0
        for exchange in self.exchanges:
            if exchange.kind == "tool":
                results.append(exchange)
                continue
            if asked is not None:
                yield Turn(number, asked, tuple(results))
            number, asked, results = number + 1, exchange, []
        if asked is not None:
            yield Turn(number, asked, tuple(results))


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer of the model and what became of its calls."""

    number: int
    asked: Exchange
    results: tuple[Exchange, ...]
    """Fewer than the calls when the conversation ended between them."""

    @property
    def say(self) -> str:
        return str(self.asked.reply["say"])

    @property
    def calls(self) -> list[dict[str, Any]]:
        """`id`, `name` and `arguments` (text as the model wrote it) of each call."""
        calls: list[dict[str, Any]] = self.asked.reply["calls"]
        return calls

    @property
    def tokens(self) -> int:
        return int(self.asked.reply["usage"]["total"])


def read_trace(path: Path) -> Trace:
    """The trace in a journal. JournalUnreadable when it is missing or not as it was written."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise JournalUnreadable(f"cannot be read: {error.strerror}", where=str(path)) from error
    reader = _Reader(path)
    for number, line in enumerate(lines[:-1], start=1):
        reader.take(number, line)
    return Trace(path, tuple(reader.exchanges), reader.asked, torn=bool(lines[-1]))


class _Reader:
    """Pairs requests with replies as the lines come."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.exchanges: list[Exchange] = []
        self.asked: dict[str, Any] | None = None
        self._beside: dict[str, Any] = {}
        self._digest = ""
        self._restored = False

    def take(self, number: int, line: bytes) -> None:
        where = f"{self.path}:{number}"
        try:
            record = json.loads(line)
            kind = record["record"]
            if kind == "intent":
                self._intent(record, where)
            elif kind == "reply":
                self._reply(record, where)
            elif kind == "restored":
                self._restored = True
            else:
                raise JournalUnreadable(
                    f"a record of kind {kind!r}, which this version does not know",
                    where=where,
                    mend="a newer Wavecrew wrote it; read it with that one",
                )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise JournalUnreadable("this is no record of a journal", where=where) from error

    def _intent(self, record: dict[str, Any], where: str) -> None:
        request, digest = record["request"], record["digest"]
        if record["kind"] not in KINDS or digest_of(record["kind"], request) != digest:
            raise JournalUnreadable(
                "the request is not what its digest says; the journal was edited", where=where
            )
        self.asked, self._digest = request, digest
        self._beside = dict(record.get("beside") or {})

    def _reply(self, record: dict[str, Any], where: str) -> None:
        if self.asked is None or record["digest"] != self._digest:
            raise JournalUnreadable("a reply without its request", where=where)
        _require(record["kind"], record["reply"])
        self.exchanges.append(
            Exchange(
                number=len(self.exchanges) + 1,
                kind=record["kind"],
                request=self.asked,
                reply=record["reply"],
                beside=self._beside,
                restored=self._restored,
            )
        )
        self.asked, self._restored = None, False


def _require(kind: str, reply: dict[str, Any]) -> None:
    """KeyError or TypeError for a reply without the parts that every reader relies on."""
    if kind == "model":
        _ = (reply["say"] + "", reply["finish"], reply["usage"]["total"] + 0)
        _ = [(call["id"], call["name"], call["arguments"] + "") for call in reply["calls"]]
    elif "text" in reply:
        _ = (reply["text"] + "", reply["ok"], reply["mutated"])
    else:
        _ = reply["snapshot"] + ""

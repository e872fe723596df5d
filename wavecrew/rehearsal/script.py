"""What a rehearsal says, turn by turn: a folder of YAML and real files, loaded and judged.

Everything is read and checked before the first request, so that a misspelt
key or a missing file ends a run at its start and not in the middle. Which
turn a request gets is `match.py`'s question, how it is sent `server.py`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast, get_args

from wavecrew.errors import PlanError
from wavecrew.rehearsal.fields import Value, read

HEAD = "rehearsal.yaml"
CONVERSATION = re.compile(r"(task|triage|sync)/[^/\s]+")

FinishReason = Literal["stop", "tool_calls", "length", "content_filter"]


@dataclass(frozen=True, slots=True)
class Call:
    tool: str
    arguments: str
    """JSON text exactly as it is sent; malformed where the script wants it so."""


@dataclass(frozen=True, slots=True)
class Fault:
    """How the first `times` answers of a turn fail. One of status, hang_s and reset is set."""

    times: int = 1
    status: int = 0
    retry_after_s: float | None = None
    """Sent as `Retry-After`, with any status."""
    hang_s: float = 0.0
    """Nothing is said for so long, then the connection is closed."""
    reset: bool = False
    """The connection is reset at once."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer of the model."""

    line: int
    """Where it stands in its conversation's file, from 1."""
    say: str | None = None
    calls: tuple[Call, ...] = ()
    expect: tuple[str, ...] = ()
    """Each must stand in what the model was told since its last answer."""
    fault: Fault | None = None
    finish_reason: FinishReason = "stop"
    latency_s: float | None = None
    """Overrides the rehearsal's own."""


@dataclass(frozen=True, slots=True)
class Conversation:
    name: str
    """`task/<id>`, `triage/<task id>` or `sync/<id>`."""
    file: Path
    attempts: Mapping[int, tuple[Turn, ...]]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    model: str
    latency_s: float = 0.0
    conversations: Mapping[str, Conversation] = field(default_factory=dict)
    """Name -> conversation, in the order of the file names."""


def load(folder: Path) -> Rehearsal:
    """The rehearsal in `folder`. PlanError, with file and line, for whatever is wrong with it."""
    if not folder.is_dir():
        raise PlanError(f"no such rehearsal folder {str(folder)!r}", where=str(folder))
    if not (folder / HEAD).is_file():
        raise PlanError(f"a rehearsal needs a {HEAD!r} with the model's name", where=str(folder))
    head = read(folder / HEAD).fields(("model", "latency_s"), required=("model",))
    model = head["model"].text()
    if not model.strip():
        raise head["model"].wrong("the model needs a name")
    conversations: dict[str, Conversation] = {}
    for file in _scripts(folder):
        conversation = _conversation(file, folder)
        if earlier := conversations.get(conversation.name):
            raise PlanError(
                f"conversation {conversation.name!r} is also in {earlier.file.name}",
                where=str(file),
            )
        conversations[conversation.name] = conversation
    if not conversations:
        raise PlanError("the rehearsal has no conversation", where=str(folder))
    latency = head["latency_s"].number() if "latency_s" in head else 0.0
    return Rehearsal(model, latency, conversations)


def _scripts(folder: Path) -> list[Path]:
    for stray in sorted(folder.glob("*.yml")):
        raise PlanError("would be ignored", where=str(stray), mend="name it .yaml")
    return [path for path in sorted(folder.glob("*.yaml")) if path.name != HEAD]


def _conversation(file: Path, folder: Path) -> Conversation:
    names = ("conversation", "attempts")
    fields = read(file).fields(names, required=names)
    name = fields["conversation"].text()
    if not CONVERSATION.fullmatch(name):
        mend = "write task/<id>, triage/<task id> or sync/<id>"
        raise fields["conversation"].wrong(f"{name!r} names no conversation", mend)
    attempts: dict[int, tuple[Turn, ...]] = {}
    for key, value in fields["attempts"].items():
        turns = tuple(_turn(entry, folder) for entry in value.entries())
        if not turns:
            raise value.wrong("an attempt needs a turn")
        attempts[key.whole(least=1)] = turns
    if not attempts:
        raise fields["attempts"].wrong("a conversation needs an attempt")
    return Conversation(name, file, attempts)


def _turn(value: Value, folder: Path) -> Turn:
    known = ("say", "calls", "expect", "fault", "finish_reason", "latency_s")
    fields = value.fields(known)
    if not fields.keys() & {"say", "calls", "finish_reason"}:
        raise value.wrong("a turn needs 'say' or 'calls'", "an empty answer is written say: ''")
    calls = tuple(_call(entry, folder) for entry in _list(fields, "calls"))
    return Turn(
        line=value.node.start_mark.line + 1,
        say=fields["say"].text() if "say" in fields else None,
        calls=calls,
        expect=tuple(entry.text() for entry in _list(fields, "expect")),
        fault=_fault(fields["fault"]) if "fault" in fields else None,
        finish_reason=_finish(fields, has_calls=bool(calls)),
        latency_s=fields["latency_s"].number() if "latency_s" in fields else None,
    )


def _list(fields: dict[str, Value], name: str) -> list[Value]:
    if name not in fields:
        return []
    entries = fields[name].entries()
    if not entries:
        raise fields[name].wrong(f"{name!r} is empty", "leave it out")
    return entries


def _finish(fields: dict[str, Value], *, has_calls: bool) -> FinishReason:
    if "finish_reason" not in fields:
        return "tool_calls" if has_calls else "stop"
    name = fields["finish_reason"].text()
    if name not in get_args(FinishReason):
        raise fields["finish_reason"].wrong(
            f"no such finish_reason {name!r}", f"known: {', '.join(get_args(FinishReason))}"
        )
    return cast(FinishReason, name)


def _call(value: Value, folder: Path) -> Call:
    fields = value.fields(("tool", "args", "content", "raw_arguments"), required=("tool",))
    tool = fields["tool"].text()
    if "raw_arguments" in fields:
        if len(fields) > 2:
            raise value.wrong("'raw_arguments' stands alone, without 'args' and 'content'")
        return Call(tool, fields["raw_arguments"].text())
    args = (
        {key.text(): arg.data() for key, arg in fields["args"].items()} if "args" in fields else {}
    )
    if "content" in fields:
        if "content" in args:
            raise fields["content"].wrong("'content' also stands in 'args'")
        args["content"] = _file(fields["content"], folder)
    return Call(tool, json.dumps(args, ensure_ascii=False))


def _file(value: Value, folder: Path) -> str:
    path = folder / value.text()
    if not path.resolve().is_relative_to(folder.resolve()):
        raise value.wrong(f"{value.text()!r} lies outside the rehearsal folder")
    if not path.is_file():
        raise value.wrong(f"no such file {value.text()!r} in the rehearsal folder")
    try:
        return path.read_bytes().decode("utf-8")  # as bytes: line ends stay what they are
    except UnicodeDecodeError as error:
        raise value.wrong(f"{value.text()!r} is not UTF-8 text") from error


def _fault(value: Value) -> Fault:
    fields = value.fields(("times", "status", "retry_after_s", "hang_s", "reset"))
    if len(fields.keys() & {"status", "hang_s", "reset"}) != 1:
        raise value.wrong("a fault is one of 'status', 'hang_s' and 'reset'")
    status = fields["status"].whole(least=400) if "status" in fields else 0
    if status > 599:
        raise fields["status"].wrong(f"{status} is no HTTP error status (400 to 599)")
    if "retry_after_s" in fields and not status:
        raise fields["retry_after_s"].wrong("'retry_after_s' goes with 'status'")
    if "reset" in fields and not fields["reset"].flag():
        raise fields["reset"].wrong("'reset' can only be true", "leave the fault out")
    return Fault(
        times=fields["times"].whole(least=1) if "times" in fields else 1,
        status=status,
        retry_after_s=fields["retry_after_s"].number() if "retry_after_s" in fields else None,
        hang_s=fields["hang_s"].number() if "hang_s" in fields else 0.0,
        reset="reset" in fields,
    )

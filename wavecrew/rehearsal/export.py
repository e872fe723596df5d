"""How does a recorded run become a rehearsal that says the same?

Each attempt's turns as YAML, each file that an agent wrote as a real file
beside it. What a rehearsal cannot say word for word (malformed arguments) is
kept as raw text. The folder is loaded once it is written, so what is handed
out can be played.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from ruamel.yaml import YAML

from wavecrew.errors import UsageError
from wavecrew.journal.trace import Trace, Turn
from wavecrew.rehearsal.script import HEAD, FinishReason, Rehearsal, load

LONGEST_LINE = 100
_DEFAULT_FINISH = {True: "tool_calls", False: "stop"}


@dataclass(frozen=True, slots=True)
class Recording:
    """One attempt's conversation."""

    conversation: str
    """`task/<id>`, `triage/<task id>` or `sync/<id>`."""
    attempt: int
    file_stem: str
    """Names the conversation's file and the folder of its contents; safe for a file name."""
    trace: Trace


def export(recordings: Iterable[Recording], model: str, out: Path) -> Rehearsal:
    """Write the rehearsal into the new folder `out`, and load it.

    UsageError when `out` holds something already, or nothing was recorded.
    PlanError when the recording has what no rehearsal can have.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{str(out)!r} is not an empty folder", mend="name a new one with --out")
    scripts: dict[str, dict[str, Any]] = {}
    contents: dict[str, str] = {}
    for one in recordings:
        turns = [_turn(turn, one, contents) for turn in one.trace.turns()]
        if turns:
            script = scripts.setdefault(
                f"{one.file_stem}.yaml", {"conversation": one.conversation, "attempts": {}}
            )
            script["attempts"][one.attempt] = turns
    if not scripts:
        raise UsageError("no model was ever asked in what is recorded; there is nothing to export")
    _write(out, {HEAD: {"model": model}} | scripts, contents)
    return load(out)


def _turn(turn: Turn, recording: Recording, contents: dict[str, str]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if turn.say or not turn.calls:
        said["say"] = turn.say
    if turn.calls:
        said["calls"] = [_call(call, recording, contents) for call in turn.calls]
    finish = "content_filter" if turn.asked.reply.get("refusal") else turn.asked.reply["finish"]
    if finish in get_args(FinishReason) and finish != _DEFAULT_FINISH[bool(turn.calls)]:
        said["finish_reason"] = finish
    return said


def _call(
    call: Mapping[str, str], recording: Recording, contents: dict[str, str]
) -> dict[str, Any]:
    """As data where that says the same; the text as the model wrote it otherwise."""
    arguments = _plain(call["arguments"])
    if arguments is None:
        return {"tool": call["name"], "raw_arguments": call["arguments"]}
    said: dict[str, Any] = {"tool": call["name"]}
    content, path = arguments.get("content"), arguments.get("path")
    if isinstance(content, str) and isinstance(path, str):
        del arguments["content"]
        said["content"] = _keep(content, path, recording, contents)
    if arguments:
        said["args"] = arguments
    return said


def _plain(text: str) -> dict[str, Any] | None:
    """The arguments as an object of ordinary JSON values; None when they are anything else."""
    try:
        data = json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
        text.encode()
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _keep(content: str, path: str, recording: Recording, contents: dict[str, str]) -> str:
    """Where the content stands: under its own path, numbered when that is taken by another."""
    folder = f"files/{recording.file_stem}/{recording.attempt}"
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..", ".")]
    harmless = all(
        part.isprintable() and len(part.encode("utf-8", "replace")) < 200 for part in parts
    )
    wanted = "/".join([folder, *parts]) if parts and harmless else f"{folder}/content"
    name, number = wanted, 1
    while contents.get(name, content) != content or _clashes(name, contents):
        number += 1
        name = f"{wanted}~{number}"
    contents[name] = content
    return name


def _clashes(name: str, contents: Mapping[str, str]) -> bool:
    """True when a folder would have to stand where a file does, or the other way round."""
    above = {str(parent) for parent in PurePosixPath(name).parents}
    return any(other in above or other.startswith(f"{name}/") for other in contents)


def _write(out: Path, scripts: Mapping[str, dict[str, Any]], contents: Mapping[str, str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = LONGEST_LINE
    for name, content in contents.items():
        file = out / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode())
    for name, script in scripts.items():
        # U+0085 comes back as a space unless it is escaped, and then everything is.
        yaml.allow_unicode = "\x85" not in json.dumps(script, ensure_ascii=False)
        with (out / name).open("w", encoding="utf-8", newline="\n") as stream:
            yaml.dump(script, stream)

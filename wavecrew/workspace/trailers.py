"""How a commit message carries facts: the last paragraph, one `Key: value` a line.

Only the last paragraph counts, and the engine writes it. What an agent puts
into its summary can therefore look like a trailer and still be none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]*): (.*)\Z")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BREAKS = re.compile(r"\r\n|\r|\x0b|\x0c|\x85|\u2028|\u2029")


def build(subject: str, body: str, trailers: Mapping[str, str]) -> str:
    """A commit message; `parse` of it gives exactly `trailers` back, whatever `body` says.

    ValueError for a key that is no trailer key, for a value with a line break
    or outer spaces, and for no trailers at all: such facts could not be read back.
    """
    if not trailers:
        raise ValueError("a message without trailers carries no facts")
    lines = [_line(key, value) for key, value in trailers.items()]
    head = " ".join(_UNPRINTABLE.sub(" ", subject).split()) or "(no subject)"
    text = _paragraphs(body)
    return "\n\n".join([head, *([text] if text else []), "\n".join(lines)]) + "\n"


def parse(message: str) -> dict[str, str]:
    """The trailers of a message, in its order; empty when its last paragraph is none.

    A key that stands twice keeps its first value.
    """
    paragraphs = message.rstrip("\n").rsplit("\n\n", 1)
    if len(paragraphs) < 2:
        return {}
    found: dict[str, str] = {}
    for line in paragraphs[1].split("\n"):
        match = _LINE.match(line)
        if match is None:
            return {}
        found.setdefault(match[1], match[2])
    return found


def _line(key: str, value: str) -> str:
    line = f"{key}: {value}"
    if _UNPRINTABLE.search(line) or value != value.strip() or not value or not _LINE.match(line):
        raise ValueError(f"{line!r} cannot be a trailer")
    return line


def _paragraphs(body: str) -> str:
    lines = _BREAKS.sub("\n", body).split("\n")
    kept = "\n".join(_UNPRINTABLE.sub(" ", line).rstrip() for line in lines)
    return re.sub(r"\n{3,}", "\n\n", kept).strip("\n")

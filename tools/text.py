"""Bytes of a file as text and back, line ends kept."""

from __future__ import annotations

from wavecrew.errors import ToolError

_SNIFF = 8000


def as_text(path: str, data: bytes) -> str:
    """The file as text, line ends as they are. ToolError for binary data."""
    if b"\0" in data[:_SNIFF]:
        raise ToolError(f"{path!r} is a binary file of {len(data)} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ToolError(
            f"{path!r} is not UTF-8 text (byte {error.start}); use run_command to work on it"
        ) from None


def is_crlf(text: str) -> bool:
    """Whether every line of the text ends in CRLF, so that it can be edited as if in LF."""
    return "\r\n" in text and text.count("\n") == text.count("\r\n")


def to_lf(text: str) -> str:
    return text.replace("\r\n", "\n")


def to_crlf(text: str) -> str:
    return text.replace("\n", "\r\n")

"""What does an agent still need to see of its conversation?

The opening (system and task) always stays whole, and so do the newest turns.
When the rest grows past what is comfortable, the oldest tool outputs and the
longest old arguments shrink to a line that says so. Everything elided can be
had again by calling the tool. It is done in batches, down to half, so that the
unchanged beginning of a request stays the same for many calls (providers cache
it), and it depends on nothing but the messages: a replay elides the same.
"""

from __future__ import annotations

import json
from typing import Any

Message = dict[str, Any]

OPENING = 2
"""System message and task: never touched."""
KEEP_NEWEST = 6
"""Messages at the end that stay whole as long as the window allows."""
WORTH_CHARS = 400
"""Shorter texts are not worth eliding."""


def size_of(messages: list[Message]) -> int:
    """Characters of contents and arguments."""
    return sum(_size(message) for message in messages)


def fit(messages: list[Message], *, comfort_chars: int, window_chars: int) -> bool:
    """Elide in place once `comfort_chars` is passed; False when it is still over the window."""
    size = size_of(messages)
    if size <= comfort_chars:
        return True
    size = _elide(messages, size, goal=comfort_chars // 2, keep=KEEP_NEWEST)
    if size > window_chars:
        size = _elide(messages, size, goal=window_chars // 2, keep=0)
    return size <= window_chars


def _elide(messages: list[Message], size: int, *, goal: int, keep: int) -> int:
    for message in messages[OPENING : len(messages) - keep]:
        if size <= goal:
            break
        size -= _shrink(message)
    return size


def _size(message: Message) -> int:
    calls = message.get("tool_calls") or ()
    return len(message.get("content") or "") + sum(len(c["function"]["arguments"]) for c in calls)


def _shrink(message: Message) -> int:
    """Elide one message; the characters gained."""
    before = _size(message)
    if message["role"] == "tool" and before > WORTH_CHARS:
        message["content"] = _note(message["content"], "call the tool again to see it")
    for call in message.get("tool_calls") or ():
        function = call["function"]
        if len(function["arguments"]) > WORTH_CHARS:
            function["arguments"] = _shorter_arguments(function["arguments"])
    return before - _size(message)


def _shorter_arguments(arguments: str) -> str:
    try:
        given = json.loads(arguments)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        return json.dumps({"elided": f"{len(arguments)} characters"})
    return json.dumps(
        {
            name: _note(value, "the workspace has it")
            if isinstance(value, str) and len(value) > WORTH_CHARS
            else value
            for name, value in given.items()
        }
    )


def _note(text: str, how: str) -> str:
    return f"{text[:120]}\n[{len(text) - 120} characters elided; {how}]"

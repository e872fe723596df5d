"""What is a request to a model made of, and what proves in the journal what was sent?

A request is the opening, then what model and tools said in turn, fitted to the
window, and the schemas of the tools. All of it follows from the journal, so a
replay builds the same requests without a model. Nothing here knows CrewAI.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict

from crews import history
from crews.history import Message
from wavecrew.plan.model import Record

CHARS_PER_TOKEN = 4
COMFORT_CHARS = 64_000
"""Where elision begins, however large the window is: every character is paid on every call."""
WINDOW_SHARE = 0.85
"""The rest of the window is left to the answer."""


class ToolCall(Record):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)

    id: str
    name: str
    arguments: str
    """As the model wrote it; may be anything."""


class Answer(Record):
    """What the model said and which tools it wants, at least one of both."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=False)

    say: str
    calls: tuple[ToolCall, ...]

    def as_message(self) -> Message:
        """The assistant's message for the conversation; what it said beside its calls is kept."""
        message: Message = {"role": "assistant", "content": self.say or None}
        if self.calls:
            message["tool_calls"] = [as_openai(call) for call in self.calls]
        return message


def as_openai(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def result_message(call: ToolCall, text: str) -> Message:
    return {"role": "tool", "tool_call_id": call.id, "content": text}


def nudge(ending: str) -> Message:
    """What answers prose; `ending` is the tool that ends the conversation."""
    text = f"Nothing was done: only tool calls count. Call a tool; when all is done, `{ending}`."
    return {"role": "user", "content": text}


def opening(system: str, task: str) -> list[Message]:
    return [{"role": "system", "content": system}, {"role": "user", "content": task}]


@dataclass(frozen=True, slots=True)
class Offer:
    """The tools a model is told of, in OpenAI's form."""

    schemas: Sequence[dict[str, Any]]
    digest: str
    chars: int

    @classmethod
    def of(cls, schemas: Sequence[dict[str, Any]]) -> Offer:
        encoded = json.dumps(schemas, sort_keys=True)
        return cls(schemas, hashlib.sha256(encoded.encode()).hexdigest(), len(encoded))


def window_tokens(context_window: int) -> int:
    """Tokens that a request may take."""
    return int(context_window * WINDOW_SHARE)


def fit(
    messages: list[Message], context_window: int, tools_chars: int, narrower: Iterable[int] = ()
) -> bool:
    """Elide in place as far as the window asks for; False when even that is not enough.

    `narrower` are windows in characters, such as one a server told of; 0 says nothing.
    """
    window = window_tokens(context_window) * CHARS_PER_TOKEN - tools_chars
    window = min([window, *(chars for chars in narrower if chars)])
    return history.fit(messages, comfort_chars=min(COMFORT_CHARS, window), window_chars=window)


def proof(messages: Sequence[Message], tools_digest: str) -> dict[str, Any]:
    """What stands in the journal: the opening once, then only proof of what was sent."""
    encoded = json.dumps(messages, sort_keys=True).encode()
    request: dict[str, Any] = {
        "messages": len(messages),
        "digest": hashlib.sha256(encoded).hexdigest(),
        "tools": tools_digest,
    }
    if len(messages) <= history.OPENING:
        request["opening"] = [dict(message) for message in messages]
    return request

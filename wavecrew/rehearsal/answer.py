"""A turn in the shapes of OpenAI's chat API: one completion, or the chunks of a stream.

Ids are made of conversation, attempt and turn, so that a request asked twice
is answered with the same bytes. Pure; sending is `server.py`'s work.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from wavecrew.rehearsal.match import Matched, Mismatch

CHARS_PER_TOKEN = 4
PIECE_CHARS = 64
"""How much text one chunk of a stream carries."""
_ID_CHARS = 40
"""OpenAI refuses a tool call id that is longer, should a real model take the history over."""

Json = dict[str, Any]


def completion(matched: Matched, request: Mapping[str, Any], created: int) -> Json:
    """A `chat.completion` with usage, which is estimated from characters."""
    turn = matched.turn
    message: Json = {"role": "assistant", "content": turn.say, "refusal": None}
    if turn.calls:
        message["tool_calls"] = _tool_calls(matched)
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": turn.finish_reason,
    }
    head = _head(matched, request, created, "chat.completion")
    return head | {"choices": [choice], "usage": usage(matched, request)}


def chunks(matched: Matched, request: Mapping[str, Any], created: int) -> Iterator[Json]:
    """The same answer as `chat.completion.chunk` objects; usage last where it is asked for."""
    head = _head(matched, request, created, "chat.completion.chunk")
    options = request.get("stream_options")
    with_usage = isinstance(options, Mapping) and bool(options.get("include_usage"))
    tail: Json = {"usage": None} if with_usage else {}

    def chunk(delta: Json, finish_reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return head | {"choices": [choice]} | tail

    yield chunk({"role": "assistant", "content": ""})
    for piece in _pieces(matched.turn.say or ""):
        yield chunk({"content": piece})
    for index, call in enumerate(_tool_calls(matched)):
        arguments = call["function"]["arguments"]
        opening = call | {"index": index, "function": call["function"] | {"arguments": ""}}
        yield chunk({"tool_calls": [opening]})
        for piece in _pieces(arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, matched.turn.finish_reason)
    if with_usage:
        yield head | {"choices": [], "usage": usage(matched, request)}


def usage(matched: Matched, request: Mapping[str, Any]) -> Json:
    """Tokens of prompt and answer, estimated at four characters each."""
    asked = len(_text(request.get("messages"))) + len(_text(request.get("tools") or []))
    said = len(matched.turn.say or "") + sum(
        len(call.tool) + len(call.arguments) for call in matched.turn.calls
    )
    prompt, answer = -(-asked // CHARS_PER_TOKEN), -(-said // CHARS_PER_TOKEN)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
    }


def error(message: str, kind: str = "invalid_request_error", code: str | None = None) -> Json:
    """An error in OpenAI's shape."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def mismatch_error(mismatch: Mismatch) -> Json:
    """The mismatch in OpenAI's shape, with its parts as further fields of the error."""
    body = error(str(mismatch), "rehearsal_mismatch", "rehearsal_mismatch")
    parts = asdict(mismatch)
    parts["reason"] = parts.pop("message")
    return {"error": body["error"] | parts}


def call_id(matched: Matched, number: int) -> str:
    """`call_<conversation>_<attempt>_<turn>_<number>`, at most 40 characters."""
    tail = f"_{matched.attempt}_{matched.number}_{number}"
    slug = _slug(matched.conversation)
    room = _ID_CHARS - len("call_") - len(tail)
    if len(slug) > room:
        digest = hashlib.sha256(slug.encode()).hexdigest()[:8]
        slug = f"{slug[: room - 9]}-{digest}"
    return f"call_{slug}{tail}"


def _tool_calls(matched: Matched) -> list[Json]:
    return [
        {
            "id": call_id(matched, number),
            "type": "function",
            "function": {"name": call.tool, "arguments": call.arguments},
        }
        for number, call in enumerate(matched.turn.calls, start=1)
    ]


def _head(matched: Matched, request: Mapping[str, Any], created: int, kind: str) -> Json:
    answer_id = f"chatcmpl-{_slug(matched.conversation)}-{matched.attempt}-{matched.number}"
    return {"id": answer_id, "object": kind, "created": created, "model": request["model"]}


def _pieces(text: str) -> list[str]:
    return [text[at : at + PIECE_CHARS] for at in range(0, len(text), PIECE_CHARS)]


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", name)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)

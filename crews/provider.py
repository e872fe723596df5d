"""How does one request reach a model through langchain-openai, and what comes back?

`open_chat` makes the hardened ChatOpenAI; `complete` sends one request with it
and gives back plain data, or raises what stood in the way: `Trouble` passes by
itself, everything else is for a person to mend. Nothing is tried again here.
"""

from __future__ import annotations

import math
import os
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
import openai
from langchain_core.messages import HumanMessage
from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI
from openai import DefaultHttpxClient
from pydantic import SecretStr

from wavecrew.errors import ModelUnreachable
from wavecrew.plan.settings import ModelSettings


class ToolChoiceRejected(Exception):
    """The server does not know `tool_choice: required`."""


class ContextOverflow(Exception):
    """The server says that the request is longer than the model's window."""


class Trouble(Exception):
    """The provider is busy or failed; the same request may be served later."""

    def __init__(
        self, kind: Literal["busy", "failed"], what: str, retry_after_s: float = 0
    ) -> None:
        super().__init__(what)
        self.kind: Literal["busy", "failed"] = kind
        """busy: 429. failed: 5xx, a time-out, a connection lost or refused."""
        self.retry_after_s = retry_after_s
        """What the server asks to wait; 0 when it says nothing."""


class HardenedChatOpenAI(ChatOpenAI):
    """Hands tool calls, refusal and usage on exactly as the server wrote them.

    LangChain parses arguments on the way in: a list instead of an object ends
    in a ValidationError, and malformed JSON is told apart only by where it
    lands. Judging arguments is the tool registry's work.
    """

    def _create_chat_result(
        self, response: Any, generation_info: dict[str, Any] | None = None
    ) -> ChatResult:
        if hasattr(response, "model_dump"):
            response = response.model_dump(
                exclude={"choices": {"__all__": {"message": {"parsed"}}}}, warnings=False
            )
        raws: list[dict[str, Any]] = []
        if isinstance(response, dict):
            usage = response.pop("usage", None)
            for choice in response.get("choices") or ():
                message = choice["message"]
                message["role"] = "assistant"
                taken = {name: message.pop(name, None) for name in ("tool_calls", "refusal")}
                raws.append(taken | {"usage": usage})
        result = super()._create_chat_result(response, generation_info)
        for generation, raw in zip(result.generations, raws, strict=True):
            generation.message.additional_kwargs["raw"] = raw
        return result


def open_chat(settings: ModelSettings) -> HardenedChatOpenAI:
    """The door to `settings.name`. ModelUnreachable when its name or its key is missing."""
    if not settings.name:
        raise ModelUnreachable(
            "no model is named",
            mend="set `name` under [model] in wavecrew.toml, or `llm` in a role",
        )
    return HardenedChatOpenAI(
        model=settings.name,
        base_url=settings.base_url or None,
        api_key=SecretStr(_key(settings)),
        timeout=settings.timeout_s,
        max_retries=0,
        temperature=settings.temperature,
        use_responses_api=False,
        http_client=_http_client(settings),
        http_async_client=httpx.AsyncClient(transport=httpx.MockTransport(_nothing_is_async)),
    )


def _nothing_is_async(request: httpx.Request) -> httpx.Response:
    """Keeps ChatOpenAI from building a second client with its own certificate store."""
    raise NotImplementedError("agents call their model synchronously")


def _key(settings: ModelSettings) -> str:
    key = os.environ.get(settings.api_key_env, "")
    if key or settings.base_url:
        return key or "none"  # a server of one's own often wants no key
    raise ModelUnreachable(
        f"the environment variable {settings.api_key_env!r} holds no key for {settings.name!r}",
        mend=f"export {settings.api_key_env}, or name another variable in [model] api_key_env",
    )


def _http_client(settings: ModelSettings) -> httpx.Client:
    """OpenAI's own client, without a proxy towards this machine."""
    url = urlsplit(settings.base_url)
    return DefaultHttpxClient(
        timeout=settings.timeout_s,
        trust_env=url.hostname not in ("127.0.0.1", "localhost", "::1"),
        verify=certificates() if url.scheme != "http" else False,
    )


@cache
def certificates() -> ssl.SSLContext:
    """The store of trusted certificates: loaded once, shared with forked children."""
    return httpx.create_ssl_context()


def complete(chat: HardenedChatOpenAI, body: dict[str, Any]) -> dict[str, Any]:
    """Send `body` (messages, tools, tool_choice); the answer as plain data.

    The reply has `say`, `calls` (id, name, arguments as text), `finish`,
    `refusal` and `usage` (prompt, completion, total, cached; zeros when the
    server does not tell). Raises ToolChoiceRejected, ContextOverflow, Trouble,
    and ModelUnreachable for all that a person has to mend.
    """
    try:
        # Through extra_body, because the SDK walks `messages` in Python: 0.35 ms a message.
        answer = chat.invoke([HumanMessage("")], extra_body=body)
    except openai.BadRequestError as error:
        raise _rejected(error, chat) from error
    except openai.APIStatusError as error:
        raise _passing(error, chat) or _unreachable(error, chat) from error
    except openai.APITimeoutError as error:
        what = f"{_place(chat)} did not answer in {chat.request_timeout} s"
        raise Trouble("failed", what) from error
    except openai.APIConnectionError as error:
        what = f"{_place(chat)} cannot be reached: {_cut(error.__cause__ or error)}"
        raise Trouble("failed", what) from error
    except openai.APIError as error:
        raise _unreachable(error, chat) from error
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelUnreachable(
            f"{_place(chat)} answered with something that is no chat completion: {_cut(error)}",
            mend="check that [model] base_url ends where /chat/completions begins",
        ) from error
    raw = answer.additional_kwargs.get("raw", {})
    return {
        "say": str(answer.text),
        "calls": [_call(number, call) for number, call in enumerate(raw.get("tool_calls") or ())],
        "finish": answer.response_metadata.get("finish_reason") or "",
        "refusal": raw.get("refusal") or "",
        "usage": _usage(raw.get("usage") or {}),
    }


def _call(number: int, call: dict[str, Any]) -> dict[str, str]:
    function = call.get("function") or {}
    return {
        "id": call.get("id") or f"call_{number}",
        "name": str(function.get("name") or ""),
        "arguments": function.get("arguments") or "{}",
    }


def _usage(usage: dict[str, Any]) -> dict[str, int]:
    prompt = int(usage.get("prompt_tokens") or 0)
    completion = int(usage.get("completion_tokens") or 0)
    details = usage.get("prompt_tokens_details") or {}
    return {
        "prompt": prompt,
        "completion": completion,
        "total": int(usage.get("total_tokens") or prompt + completion),
        "cached": int(details.get("cached_tokens") or 0),
    }


def _passing(error: openai.APIStatusError, chat: HardenedChatOpenAI) -> Trouble | None:
    """The trouble that a status tells of; None when waiting would not help."""
    status, wait_s = error.status_code, retry_after_s(error.response.headers)
    if status == httpx.codes.TOO_MANY_REQUESTS and error.code != "insufficient_quota":
        return Trouble("busy", f"{_place(chat)} is busy (HTTP 429)", wait_s)
    if status == httpx.codes.REQUEST_TIMEOUT or status >= 500:
        return Trouble("failed", f"{_place(chat)} failed (HTTP {status}): {_cut(error)}", wait_s)
    return None


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to wait: milliseconds, seconds or an HTTP date; 0: none."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            asked = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        return asked if 0 < asked < math.inf else 0.0
    try:
        moment = parsedate_to_datetime(headers.get("retry-after", ""))
        now = _server_time(headers)
    except (ValueError, TypeError):
        return 0.0
    if moment.tzinfo is None:  # `-0000`: UTC, says RFC 5322
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _server_time(headers: Mapping[str, str]) -> datetime:
    """The server's own clock where it tells: a date means a moment of that clock."""
    try:
        told = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError):
        return datetime.now(UTC)
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _rejected(error: openai.BadRequestError, chat: HardenedChatOpenAI) -> Exception:
    text = str(error).lower()
    if error.param == "tool_choice" or "tool_choice" in text:
        return ToolChoiceRejected(str(error))
    if error.code == "context_length_exceeded" or "context length" in text:
        return ContextOverflow(str(error))
    return refused(chat, error)


def refused(chat: HardenedChatOpenAI, error: BaseException) -> ModelUnreachable:
    """The error for a request that the server will not take as it is."""
    return ModelUnreachable(
        f"{_place(chat)} rejected the request: {_cut(error)}",
        mend="the model may not take tools or a setting; see [model] in wavecrew.toml",
    )


def _unreachable(error: openai.APIError, chat: HardenedChatOpenAI) -> ModelUnreachable:
    place = _place(chat)
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        what = f"{place} does not accept the key: {_cut(error)}"
        mend = "check the environment variable named by [model] api_key_env"
    elif isinstance(error, openai.NotFoundError):
        what = f"{place} does not know what was asked for: {_cut(error)}"
        mend = "check [model] name and base_url in wavecrew.toml"
    elif isinstance(error, openai.RateLimitError):
        what = f"{place} says that the quota is used up: {_cut(error)}"
        mend = "add credit to the account or use another key; nothing was lost"
    else:
        what = f"{place} did not serve the request: {_cut(error)}"
        mend = "the message above says what the server expects"
    return ModelUnreachable(what, mend=mend)


def _place(chat: HardenedChatOpenAI) -> str:
    return f"model {chat.model_name!r} at {chat.openai_api_base or 'api.openai.com'}"


def _cut(error: BaseException) -> str:
    return " ".join(str(error).split())[:600]

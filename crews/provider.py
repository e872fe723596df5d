"""How does one request reach a model through langchain-openai, and what comes back?

`open_chat` makes the hardened ChatOpenAI; `complete` sends one request with it
and gives back plain data, or raises an error that says what a person should
mend. Retries happen here and in no other place: ChatOpenAI repeats timeouts,
dropped connections, 429 and 5xx and honours Retry-After.
"""

from __future__ import annotations

import os
import ssl
from functools import cache
from typing import Any
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


class RateLimited(Exception):
    """Still 429 after all retries: the provider is busy, the request is not wrong."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"rate limited; the server asks for {wait_s:g} s")
        self.wait_s = wait_s
        """What the server's Retry-After asks for; 0 when it says nothing."""


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
        max_retries=settings.retries,
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
    """OpenAI's own client, without a proxy towards this machine, and with 409 final.

    409 is how a rehearsal says that its script has no such turn; OpenAI's
    client would ask again and again.
    """
    url = urlsplit(settings.base_url)
    return DefaultHttpxClient(
        timeout=settings.timeout_s,
        trust_env=url.hostname not in ("127.0.0.1", "localhost", "::1"),
        verify=certificates() if url.scheme != "http" else False,
        event_hooks={"response": [_conflict_is_final]},
    )


@cache
def certificates() -> ssl.SSLContext:
    """The store of trusted certificates: loaded once, shared with forked children."""
    return httpx.create_ssl_context()


def _conflict_is_final(response: httpx.Response) -> None:
    if response.status_code == httpx.codes.CONFLICT:
        response.headers["x-should-retry"] = "false"


def complete(chat: HardenedChatOpenAI, body: dict[str, Any]) -> dict[str, Any]:
    """Send `body` (messages, tools, tool_choice); the answer as plain data.

    The reply has `say`, `calls` (id, name, arguments as text), `finish`,
    `refusal` and `usage` (prompt, completion, total, cached; zeros when the
    server does not tell). Raises ToolChoiceRejected, ContextOverflow,
    RateLimited, and ModelUnreachable for all that a person has to mend.
    """
    try:
        # Through extra_body, because the SDK walks `messages` in Python: 0.35 ms a message.
        answer = chat.invoke([HumanMessage("")], extra_body=body)
    except openai.RateLimitError as error:
        raise _busy(error, chat) from error
    except openai.BadRequestError as error:
        raise _rejected(error, chat) from error
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


def _busy(error: openai.RateLimitError, chat: HardenedChatOpenAI) -> Exception:
    if error.code == "insufficient_quota":
        return ModelUnreachable(
            f"{_place(chat)} says that the quota is used up: {_cut(error)}",
            mend="add credit to the account or use another key; nothing was lost",
        )
    try:
        return RateLimited(max(0.0, float(error.response.headers.get("retry-after", ""))))
    except ValueError:
        return RateLimited(0.0)


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
    place, tries = _place(chat), f"after {(chat.max_retries or 0) + 1} tries"
    if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
        what = f"{place} does not accept the key: {_cut(error)}"
        mend = "check the environment variable named by [model] api_key_env"
    elif isinstance(error, openai.NotFoundError):
        what = f"{place} does not know what was asked for: {_cut(error)}"
        mend = "check [model] name and base_url in wavecrew.toml"
    elif isinstance(error, openai.APITimeoutError):
        what = f"{place} did not answer in {chat.request_timeout} s, {tries}"
        mend = "raise [model] timeout_s, or try again later"
    elif isinstance(error, openai.APIConnectionError):
        what = f"{place} cannot be reached, {tries}: {_cut(error.__cause__ or error)}"
        mend = "check [model] base_url and the network"
    elif isinstance(error, openai.InternalServerError):
        what = f"{place} failed {tries}: {_cut(error)}"
        mend = "the provider has a problem; try again later"
    else:
        what = f"{place} did not serve the request: {_cut(error)}"
        mend = "the message above says what the server expects"
    return ModelUnreachable(what, mend=mend)


def _place(chat: HardenedChatOpenAI) -> str:
    return f"model {chat.model_name!r} at {chat.openai_api_base or 'api.openai.com'}"


def _cut(error: BaseException) -> str:
    return " ".join(str(error).split())[:600]

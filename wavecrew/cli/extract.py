"""How is a model asked for the tasks of a document? One request to any OpenAI-compatible endpoint.

Only the asking is here. What of the answer is believed, `plan.readers.extracted`
decides, without a model. The key goes to the named endpoint and nowhere else:
a redirect is refused.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

from wavecrew.errors import EnvironmentBroken, ModelUnreachable, UsageError
from wavecrew.plan.load import load_settings
from wavecrew.plan.problem import PlanRejected
from wavecrew.plan.readers.consistency import examine
from wavecrew.plan.readers.extracted import believe, messages
from wavecrew.plan.readers.model import ImportedPlan
from wavecrew.plan.readers.source import Source
from wavecrew.plan.settings import ModelSettings
from wavecrew.run.endpoint import DEFAULT_BASE_URL, resolve

MAX_ANSWER_BYTES = 32 * 1024 * 1024
ATTEMPTS = 3
LONGEST_WAIT_S = 30.0
LETTERS_PER_TOKEN = 3
"""On the careful side; numbers and tables take more tokens than prose."""

_AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504})


def extract_here(source: Source, name: str, base_url: str) -> ImportedPlan:
    """`extract` with the model that the command line, ./wavecrew.toml and the environment name."""
    file = Path("wavecrew.toml")
    settings = load_settings(file).model if file.exists() else ModelSettings()
    chosen = resolve(settings, os.environ, name=name, base_url=base_url)
    return extract(source, chosen, os.environ)


def extract(
    source: Source,
    settings: ModelSettings,
    environ: Mapping[str, str],
    sleep: Callable[[float], None] = time.sleep,
) -> ImportedPlan:
    """Ask the model and keep what stands in the text, contradictions reported.

    UsageError: the document is too long for the model's window. ModelUnreachable: no
    endpoint, or a key it rejects. EnvironmentBroken: an answer that cannot be used.
    PlanRejected: an answer of which nothing stands in the text.
    """
    asked = messages(source)
    letters = sum(len(one["content"]) for one in asked)
    room = settings.context_window * LETTERS_PER_TOKEN // 2
    if letters > room:
        raise UsageError(
            f"the document has {letters} letters; the model's window has room for {room}",
            where=source.path,
            mend="import a part of it, or raise context_window under [model] in wavecrew.toml",
        )
    url = (settings.base_url or DEFAULT_BASE_URL).rstrip("/") + "/chat/completions"
    content = _content(_ask(url, settings, environ, asked, sleep), url)
    try:
        return examine(believe(source, content, settings.name))
    except PlanRejected as rejected:
        problem = rejected.problems[0]
        if problem.kind == "no_tasks":
            raise
        raise _unusable(f"the model's answer cannot be read: {problem.message}", url) from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """A redirect would take the key elsewhere; it ends as an HTTP error."""


def _ask(
    url: str,
    settings: ModelSettings,
    environ: Mapping[str, str],
    asked: list[dict[str, str]],
    sleep: Callable[[float], None],
) -> bytes:
    """The body of the answer; overload is waited out, a server without JSON mode asked without."""
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{settings.base_url!r} is no http(s) address", mend="check --base-url")
    body: dict[str, Any] = {"model": settings.name, "messages": asked}
    body["response_format"] = {"type": "json_object"}
    if settings.temperature is not None:
        body["temperature"] = settings.temperature
    tries = 0
    while True:
        tries += 1
        try:
            return _post(url, body, settings, environ)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 400 and body.pop("response_format", None):
                    continue
                if error.code in _AGAIN and tries < ATTEMPTS:
                    sleep(_wait(error, tries))
                    continue
                raise _refusal(error, url, settings) from error
        except (OSError, ValueError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise ModelUnreachable(
                f"no model endpoint answers: {reason}",
                where=url,
                mend="start the server or correct --base-url; `wavecrew doctor` tries it",
            ) from error


def _post(
    url: str, body: Mapping[str, Any], settings: ModelSettings, environ: Mapping[str, str]
) -> bytes:
    key = environ.get(settings.api_key_env) or "none"
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method="POST")  # noqa: S310
    opener = urllib.request.build_opener(_NoRedirect)
    with opener.open(request, timeout=settings.timeout_s) as answer:
        content: bytes = answer.read(MAX_ANSWER_BYTES + 1)
    if len(content) > MAX_ANSWER_BYTES:
        raise _unusable("the model's answer is larger than 32 MB", url)
    return content


def _wait(error: urllib.error.HTTPError, tries: int) -> float:
    written = error.headers.get("Retry-After", "")
    wait = float(written) if written.replace(".", "", 1).isdecimal() else 2.0**tries
    return min(wait, LONGEST_WAIT_S)


def _refusal(error: urllib.error.HTTPError, url: str, settings: ModelSettings) -> EnvironmentBroken:
    if error.code in (401, 403):
        return ModelUnreachable(
            f"the endpoint rejects the key (HTTP {error.code})",
            where=url,
            mend=f"put a valid key into the environment variable {settings.api_key_env}",
        )
    said = error.read(300).decode("utf-8", "replace").strip()
    return ModelUnreachable(
        f"the endpoint answers HTTP {error.code}: {said or error.reason}",
        where=url,
        mend="check --model and --base-url",
    )


def _content(answer: bytes, url: str) -> str:
    """The text of the first choice, when it is whole."""
    try:
        choice = json.loads(answer)["choices"][0]
        content, reason = choice["message"].get("content"), choice.get("finish_reason")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise _unusable("the endpoint's answer is no chat completion", url) from None
    if reason == "length":
        raise _unusable("the model's answer was cut off", url)
    if not isinstance(content, str) or not content.strip():
        raise _unusable("the model answered nothing", url)
    return content


def _unusable(message: str, url: str) -> EnvironmentBroken:
    mend = "try again or name another model; without --with-model no model is asked"
    return EnvironmentBroken(message, where=url, mend=mend)

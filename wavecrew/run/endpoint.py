"""Is there a model at the other end? Asked once before a run starts, so that nothing is half-made.

Only what is certain is refused: a name that does not resolve, a closed port, a
rejected key. A server without `/models` is given the benefit of the doubt.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping

from wavecrew.errors import ModelUnreachable, UsageError
from wavecrew.plan.settings import ModelSettings

DEFAULT_BASE_URL = "https://api.openai.com/v1"
TIMEOUT_S = 10


def resolve(
    settings: ModelSettings, environ: Mapping[str, str], *, name: str = "", base_url: str = ""
) -> ModelSettings:
    """The model in force: command line, then wavecrew.toml, then OPENAI_BASE_URL.

    UsageError without a model name; ModelUnreachable when OpenAI's own endpoint
    is meant and no key is there. Local servers need none.
    """
    chosen = settings.model_copy(
        update={
            "name": name or settings.name,
            "base_url": base_url or settings.base_url or environ.get("OPENAI_BASE_URL", ""),
        }
    )
    if not chosen.name:
        raise UsageError(
            "no model is named",
            mend="give --model NAME, or name = ... under [model] in wavecrew.toml",
        )
    if not chosen.base_url and not environ.get(chosen.api_key_env):
        raise ModelUnreachable(
            f"the environment variable {chosen.api_key_env!r} holds no key",
            mend=f"export {chosen.api_key_env}=..., or give --base-url of another endpoint",
        )
    return chosen


def check(settings: ModelSettings, environ: Mapping[str, str]) -> str:
    """One sentence on what answered; ModelUnreachable when it is certain that nothing will."""
    url = (settings.base_url or DEFAULT_BASE_URL).rstrip("/") + "/models"
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{settings.base_url!r} is no http(s) address", mend="check --base-url")
    key = environ.get(settings.api_key_env) or "none"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            return f"{url} answers ({answer.status})"
    except urllib.error.HTTPError as error:
        with error:
            return _judge(error.code, url, settings)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise ModelUnreachable(
            f"no model endpoint answers: {reason}",
            where=url,
            mend="start the server or correct --base-url; `wavecrew doctor` tries it",
        ) from error


def _judge(code: int, url: str, settings: ModelSettings) -> str:
    if code in (401, 403):
        raise ModelUnreachable(
            f"the endpoint rejects the key (HTTP {code})",
            where=url,
            mend=f"put a valid key into the environment variable {settings.api_key_env}",
        )
    return f"{url} answers (HTTP {code})"

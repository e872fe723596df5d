"""From what a model wrote as a call's arguments to checked values, or to words that mend it."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tools.nearest import did_you_mean
from tools.spec import ToolSpec
from wavecrew.errors import ToolError

_AROUND = 30
"""Characters shown on each side of a JSON error."""


def parse(spec: ToolSpec, raw: str | dict[str, Any]) -> dict[str, Any]:
    """The arguments by name, validated. ToolError says what does not fit and what is expected."""
    given = _object(spec, raw) if isinstance(raw, str) else raw
    required = spec.parameters.get("required", ())
    given = {name: value for name, value in given.items() if value is not None or name in required}
    try:
        model = spec.args_model.model_validate(given)
    except ValidationError as error:
        wrong = "\n".join(f"- {_told(spec, detail)}" for detail in error.errors(include_url=False))
        raise ToolError(f"the arguments do not fit:\n{wrong}\nExpected: {spec.usage}") from None
    return _values(model)


def _values(model: BaseModel) -> dict[str, Any]:
    names = [*type(model).model_fields, *(model.model_extra or {})]
    return {name: getattr(model, name) for name in names}


def _object(spec: ToolSpec, raw: str) -> dict[str, Any]:
    if not raw.strip():
        return {}
    try:
        parsed = json.loads(raw, strict=False)
    except json.JSONDecodeError as error:
        before = raw[max(0, error.pos - _AROUND) : error.pos]
        after = raw[error.pos : error.pos + _AROUND]
        raise ToolError(
            f"the arguments are not valid JSON: {error.msg} at line {error.lineno}, column "
            f"{error.colno}, at the mark in {before}<HERE>{after}\nExpected: {spec.usage}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ToolError(f"the arguments cannot be read: {error}\nExpected: {spec.usage}") from None
    if not isinstance(parsed, dict):
        raise ToolError(
            f"the arguments must be one JSON object, not {_json_kind(parsed)}\n"
            f"Expected: {spec.usage}"
        )
    return parsed


def _json_kind(value: object) -> str:
    kinds = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")


def _told(spec: ToolSpec, detail: ErrorDetails) -> str:
    name = ".".join(str(part) for part in detail["loc"]) or "arguments"
    known = spec.parameters["properties"]
    if detail["type"] == "missing":
        return f"{name!r} is missing: {known.get(name, {}).get('description', '')}"
    if detail["type"] == "extra_forbidden":
        return f"there is no argument {name!r}{did_you_mean(name, known)}"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{name!r}: {message}; got {_short(detail['input'])}"


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."

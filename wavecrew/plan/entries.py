"""How does a piece of a file become a record, with every mistake named by its line?

Strict where pydantic alone would be vague: an unknown key offers the nearest
known one, an empty value says so, a boolean is only `true` or `false`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wavecrew.plan.model import Record
from wavecrew.plan.problem import Place, Problem, nearest
from wavecrew.plan.yaml_positions import Document, Keys

R = TypeVar("R", bound=Record)

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_WORDS = {
    "string_type": "must be text",
    "tuple_type": "must be a list, `[one, two]`",
    "dict_type": "must be names with values",
    "mapping_type": "must be names with values",
    "model_type": "must be names with values",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
}


def build(document: Document, path: Keys, record: type[R], **given: Any) -> R | list[Problem]:
    """The entry at `path` as a record; `given` are fields that do not stand in the entry."""
    entry = at(document, path)
    if not isinstance(entry, Mapping):
        message = f"{name_of(path)} must be names with values (`key: value`)"
        return [Problem("not_a_mapping", message, document.place(path))]
    problems = _not_booleans(document, path, record, entry)
    try:
        made = record.model_validate({**entry, **given})
    except ValidationError as error:
        refused = {str(one.ids[0]) for one in problems}
        told = [_told(document, path, record, one) for one in error.errors(include_url=False)]
        return problems + [one for one in told if not one.ids or one.ids[0] not in refused]
    return problems or made


def identifier(place: Place, value: str, what: str) -> list[Problem]:
    """An id becomes a file name, a branch name and a trailer, so it is kept plain."""
    plain = (
        _IDENTIFIER.fullmatch(value) and not value.endswith((".", ".lock")) and ".." not in value
    )
    if plain:
        return []
    message = f"{value!r} cannot be the {what}"
    mend = "letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 100"
    return [Problem("bad_id", message, place, mend, (value,))]


def at(document: Document, path: Keys) -> Any:
    """The value at `path`."""
    value: Any = document.data
    for key in path:
        value = value[key]
    return value


def name_of(path: Keys) -> str:
    """`tasks[3].agent` for people."""
    text = ""
    for key in path:
        text += f"[{key + 1}]" if isinstance(key, int) else f".{key}" if text else key
    return text or "the file"


def _not_booleans(
    document: Document, path: Keys, record: type[Record], entry: Mapping[str, Any]
) -> list[Problem]:
    found = []
    for name, field in record.model_fields.items():
        value = entry.get(name)
        if field.annotation is bool and isinstance(value, str) and value not in ("true", "false"):
            message = f"{name!r} must be true or false, not {value!r}"
            place = document.place((*path, name))
            found.append(Problem("bad_value", message, place, ids=(name,)))
    return found


def _told(document: Document, path: Keys, record: type[Record], error: ErrorDetails) -> Problem:
    inner: Keys = tuple(error["loc"])
    where = (*path, *inner)
    name = name_of(inner)
    ids = (str(inner[0]),) if inner else ()
    if error["type"] == "extra_forbidden":
        known = list(_fields(record, inner[:-1]))
        message = f"{inner[-1]!r} is not a key of {_sort(record, path)}"
        place = document.key_place(where)
        return Problem("unknown_key", message, place, nearest(str(inner[-1]), known), ids)
    if error["type"] == "missing":
        owner = name_of(inner[:-1]) if inner[1:] else _sort(record, path)
        message = f"{owner} lacks {inner[-1]!r}"
        place = document.key_place(where[:-1])
        return Problem("missing_key", message, place, f"add `{inner[-1]}`", ids)
    if error["input"] is None:
        message = f"{name!r} is empty"
        mend = "give it a value or leave the key out"
        return Problem("bad_value", message, document.key_place(where), mend, ids)
    words = _WORDS.get(error["type"]) or error["msg"].replace("Input should", "must", 1)
    shown = repr(error["input"])
    message = f"{name!r} {words}, not {shown if len(shown) <= 80 else shown[:77] + '...'}"
    return Problem("bad_value", message, document.place(where), ids=ids)


def _fields(record: type[Record], inner: Keys) -> tuple[str, ...]:
    """The keys that may stand at `inner` inside a record; nested records are looked through."""
    fields: Any = record
    for key in inner:
        if isinstance(key, str) and isinstance(fields, type) and issubclass(fields, Record):
            annotation = fields.model_fields[key].annotation
            arguments = getattr(annotation, "__args__", ())
            fields = next((one for one in (annotation, *arguments) if _is_record(one)), None)
    return tuple(fields.model_fields) if _is_record(fields) else ()


def _is_record(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, Record)


def _sort(record: type[Record], path: Keys) -> str:
    return f"a {record.__name__.lower()} ({name_of(path)})" if path else "this file"

"""uv.lock as uv writes it: read with suspicion, written back byte for byte."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Table = dict[str, Any]
MOST_OF_ONE_NAME = 16
"""Versions of one package; more is no lock of this world."""
LONGEST_SOURCE = 2_000
"""Characters of where a package comes from and when it is meant."""
EXTRAS = "optional-dependencies"
GROUPS = "dev-dependencies"
_TABLES = (EXTRAS, GROUPS, "metadata", "requires-dev")
_START = "\n[[package]]\n"


@dataclass(frozen=True, slots=True)
class Lock:
    header: str
    """All before the first package, as written."""
    packages: list[Table]


def read(data: bytes) -> Lock | None:
    """None unless writing it again gives the same bytes."""
    try:
        text = data.decode("utf-8")
        header, start, rest = text.partition(_START)
        packages = tomllib.loads(start + rest).get("package", [])
        settings = tomllib.loads(header)
    except (ValueError, RecursionError):
        return None
    if "package" in settings or not isinstance(packages, list):
        return None
    if not all(map(_is_package, packages)):
        return None
    if max(Counter(p["name"] for p in packages).values(), default=0) > MOST_OF_ONE_NAME:
        return None
    lock = Lock(header, packages)
    return lock if write(lock) == text else None


def _is_package(package: object) -> bool:
    if not isinstance(package, dict) or not isinstance(package.get("name"), str):
        return False
    kinds = {
        "version": str,
        "source": dict,
        "resolution-markers": list,
        EXTRAS: dict,
        GROUPS: dict,
        "metadata": dict,
    }
    if not _has_kinds(package, kinds) or "source" not in package:
        return False
    origin = (package["source"], package.get("resolution-markers"))
    metadata = package.get("metadata", {})
    if len(repr(origin)) > LONGEST_SOURCE or not _has_kinds(
        metadata, {"provides-extras": list, "requires-dev": dict}
    ):
        return False
    wishes = [metadata.get("requires-dist", []), *metadata.get("requires-dev", {}).values()]
    needs = [package.get("dependencies", [])]
    needs += [items for kind in (EXTRAS, GROUPS) for items in package.get(kind, {}).values()]
    return all(isinstance(items, list) and all(map(_is_item, items)) for items in wishes + needs)


def _has_kinds(table: Table, kinds: Mapping[str, type]) -> bool:
    return all(isinstance(table[key], kind) for key, kind in kinds.items() if key in table)


def _is_item(item: object) -> bool:
    kinds = {"name": str, "extra": list}
    return isinstance(item, dict) and "name" in item and _has_kinds(item, kinds)


def write(lock: Lock) -> str:
    """The bytes uv writes."""
    return lock.header + "".join(_START + _written(p, "package") for p in lock.packages)


def _written(table: Table, path: str) -> str:
    plain = {k: v for k, v in table.items() if not (k in _TABLES and isinstance(v, dict))}
    text = "".join(f"{_key(key)} = {_array(key, value, path)}\n" for key, value in plain.items())
    for key, value in table.items():
        if key not in plain:
            text += f"\n[{path}.{_key(key)}]\n" + _written(value, f"{path}.{key}")
    return text


def _key(key: str) -> str:
    plain = key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key)
    return key if plain else _text(key)


def _array(key: str, value: Any, path: str) -> str:
    if not isinstance(value, list) or not value or key == "provides-extras":
        return _inline(value)
    if len(value) == 1 and path.startswith("package.metadata"):
        return _inline(value)
    return "[\n" + "".join(f"    {_inline(item)},\n" for item in value) + "]"


def _inline(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case list():
            return "[" + ", ".join(map(_inline, value)) + "]"
        case dict():
            inner = ", ".join(f"{_key(key)} = {_inline(item)}" for key, item in value.items())
            return f"{{ {inner} }}" if inner else "{}"
    return str(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)

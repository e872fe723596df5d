"""Bring values into one spelling: trimmed text, real numbers, one word per environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from discovery.agents.base import AgentResult, BaseAgent

EMPTY = frozenset({"", "n/a", "na", "none", "null", "unknown", "-", "?"})
ENVIRONMENTS = {
    "prod": "production",
    "prd": "production",
    "live": "production",
    "dev": "development",
    "qa": "test",
    "testing": "test",
    "stg": "staging",
    "preprod": "staging",
}


class DataCleansingAgent(BaseAgent):
    """Reads `rows`; gives `rows` cleansed, without the empty ones, and `changed` (a count)."""

    name = "data_cleansing"

    def execute(self, data: Mapping[str, Any]) -> AgentResult:
        rows = list(data.get("rows", ()))
        cleansed = [
            {column: cleanse(column, value) for column, value in row.items()} for row in rows
        ]
        kept = [row for row in cleansed if any(value is not None for value in row.values())]
        changed = sum(
            before[column] != after[column]
            for before, after in zip(rows, cleansed, strict=True)
            for column in before
        )
        filled = [value is not None for row in kept for value in row.values()]
        confidence = 100.0 * sum(filled) / len(filled) if filled else 0.0
        return self.succeed({"rows": kept, "changed": changed}, confidence)


def cleanse(column: str, value: Any) -> Any:
    """One value in the house spelling; None when it says nothing."""
    if not isinstance(value, str):
        return value
    text = " ".join(value.split())
    if text.lower() in EMPTY:
        return None
    if column.lower() in {"environment", "env"}:
        return ENVIRONMENTS.get(text.lower(), text.lower())
    return _number(text)


def _number(text: str) -> Any:
    """The number a text spells; identifiers such as `007` stay text."""
    if text.isdecimal() and (text == "0" or not text.startswith("0")):
        return int(text)
    whole, dot, fraction = text.partition(".")
    return float(text) if dot and whole.isdecimal() and fraction.isdecimal() else text

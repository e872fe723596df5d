"""Which field of an asset does each column of a file feed?

An exact name or synonym scores 100, one name inside the other 80, and similar
spelling 60 to 75. Columns below the lowest threshold stay unmapped.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any

from discovery.agents.base import AgentResult, BaseAgent
from discovery.agents.fields import CRITICAL_FIELDS, SECONDARY_FIELDS, normalised

CERTAIN, LIKELY, POSSIBLE = 85.0, 65.0, 40.0
SHORTEST_PART = 4
"""Shorter names are found inside too many others to mean anything there."""
SIMILAR = 0.75
"""Spelling closer than this counts as a misspelt name."""


class AttributeMappingAgent(BaseAgent):
    """Reads `columns`; gives `critical_mappings` and `secondary_mappings` (column -> mapping)."""

    name = "attribute_mapping"

    def execute(self, data: Mapping[str, Any]) -> AgentResult:
        columns = list(data.get("columns", ()))
        if not columns:
            return self.fail("there are no columns to map")
        critical = _mapped(columns, CRITICAL_FIELDS)
        secondary = _mapped([c for c in columns if c not in critical], SECONDARY_FIELDS)
        unmapped = [c for c in columns if c not in critical and c not in secondary]
        scores = [m["confidence"] for m in (*critical.values(), *secondary.values())]
        return self.succeed(
            {
                "critical_mappings": critical,
                "secondary_mappings": secondary,
                "unmapped_columns": unmapped,
            },
            sum(scores) / len(columns),
            tuple(f"no field for column {column!r}" for column in unmapped),
        )


def _mapped(columns: list[str], fields: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Column -> mapping. A field is fed by one column only: the best one, then the first."""
    candidates = [
        (similarity(column, field, synonyms), column, field)
        for column in columns
        for field, synonyms in fields.items()
    ]
    mapped: dict[str, Any] = {}
    taken: set[str] = set()
    for score, column, field in sorted(candidates, key=lambda candidate: -candidate[0]):
        if score < POSSIBLE or column in mapped or field in taken:
            continue
        taken.add(field)
        mapped[column] = {
            "source_column": column,
            "asset_field": field,
            "confidence": score,
            "certainty": certainty(score),
        }
    return mapped


def similarity(column: str, field: str, synonyms: tuple[str, ...]) -> float:
    """0 to 100: how surely `column` means `field`."""
    name = normalised(column)
    known = (field, *synonyms)
    if name in known:
        return 100.0
    if any(_contains(name, other) or _contains(other, name) for other in known):
        return 80.0
    ratio = max(SequenceMatcher(None, name, other).ratio() for other in known)
    return round(60 + 15 * (ratio - SIMILAR) / (1 - SIMILAR), 1) if ratio >= SIMILAR else 0.0


def _contains(name: str, part: str) -> bool:
    return len(part) >= SHORTEST_PART and part in name


def certainty(score: float) -> str:
    if score >= CERTAIN:
        return "certain"
    return "likely" if score >= LIKELY else "possible"

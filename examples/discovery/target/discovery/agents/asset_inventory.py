"""What assets does a file speak of, and of what type is each?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from discovery.agents.base import AgentResult, BaseAgent

TYPE_WORDS: dict[str, tuple[str, ...]] = {
    "database": ("database", "oracle", "postgres", "mysql", "mssql", "mongodb", "db"),
    "network": ("switch", "router", "firewall", "load balancer", "network"),
    "storage": ("storage", "san", "nas", "array"),
    "application": ("application", "app", "service", "portal"),
    "server": ("server", "host", "vm", "linux", "windows", "srv"),
}


class AssetInventoryAgent(BaseAgent):
    """Reads `rows` and `mappings` (column -> field); gives `assets` and `by_type` (counts)."""

    name = "asset_inventory"

    def execute(self, data: Mapping[str, Any]) -> AgentResult:
        rows = list(data.get("rows", ()))
        if not rows:
            return self.fail("there are no rows to take stock of")
        mappings: Mapping[str, str] = data.get("mappings", {})
        assets = [_asset(row, mappings) for row in rows]
        known = sum(asset["asset_type"] != "unknown" for asset in assets)
        by_type = Counter(asset["asset_type"] for asset in assets)
        return self.succeed(
            {"assets": assets, "by_type": dict(sorted(by_type.items()))},
            100.0 * known / len(assets),
        )


def _asset(row: Mapping[str, Any], mappings: Mapping[str, str]) -> dict[str, Any]:
    attributes = {
        mappings[column]: value
        for column, value in row.items()
        if column in mappings and value is not None
    }
    return {
        "name": _name(row, attributes),
        "asset_type": classify(row, attributes),
        "attributes": attributes,
    }


def _name(row: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
    """The asset's own name; without one, the first text of its row."""
    named = attributes.get("name") or attributes.get("hostname")
    texts = (value for value in row.values() if isinstance(value, str))
    return str(named or next(texts, "unnamed"))


def classify(row: Mapping[str, Any], attributes: Mapping[str, Any]) -> str:
    """The type whose word occurs first in the stated type, else anywhere in the row."""
    stated = str(attributes.get("asset_type", "")).lower()
    anything = " ".join(str(value).lower() for value in row.values())
    for text in (stated, anything):
        for asset_type, words in TYPE_WORDS.items():
            if any(word in text for word in words):
                return asset_type
    return "unknown"

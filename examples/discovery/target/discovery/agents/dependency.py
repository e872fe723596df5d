"""Which records speak of a connection to something else, and of what kind is it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from discovery.agents.base import AgentResult, BaseAgent

KIND_WORDS: dict[str, tuple[str, ...]] = {
    "database": ("jdbc", "odbc", "sql", "database", "tns"),
    "api": ("http", "rest", "soap", "api"),
    "file_share": ("nfs", "smb", "cifs", "share"),
    "messaging": ("kafka", "mq", "queue", "amqp"),
    "network": ("tcp", "udp", "port", "ssh"),
}


class DependencyAgent(BaseAgent):
    """Reads `raw_data` (records); gives `dependencies` and `by_kind` (counts)."""

    name = "dependency"

    def execute(self, data: Mapping[str, Any]) -> AgentResult:
        records = list(data.get("raw_data", ()))
        found = [edge for record in records for edge in _edges(record)]
        by_kind = Counter(edge["dependency_type"] for edge in found)
        return self.succeed(
            {"dependencies": found, "by_kind": dict(sorted(by_kind.items()))},
            70.0 if found else 50.0,
            () if found else ("no connections were found",),
        )


def _edges(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    source = str(record.get("hostname") or record.get("name") or "")
    text = " ".join(str(value).lower() for value in record.values())
    kinds = [kind for kind, words in KIND_WORDS.items() if any(word in text for word in words)]
    if not source:
        return []
    return [{"source_name": source, "dependency_type": kind, "confidence": 70.0} for kind in kinds]

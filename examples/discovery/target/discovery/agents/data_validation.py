"""Is an uploaded file fit to be worked on?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from discovery.agents.base import AgentResult, BaseAgent
from discovery.tools.registry import ToolRegistry


class DataValidationAgent(BaseAgent):
    """Reads `rows`; gives `columns`, `row_count`, `empty_rows` and `personal_data` (columns)."""

    name = "data_validation"

    def __init__(self, registry: ToolRegistry) -> None:
        self._schema = registry.get_tool("schema_analyzer")
        self._pii = registry.get_tool("pii_scanner")

    def execute(self, data: Mapping[str, Any]) -> AgentResult:
        rows = list(data.get("rows", ()))
        if not rows:
            return self.fail("the file has no rows")
        columns = self._schema.run(rows)
        if not columns:
            return self.fail("the file has no columns")
        empty = [number for number, row in enumerate(rows) if not any(map(_filled, row.values()))]
        personal = self._pii.run(rows)
        notes = tuple(
            f"column {column!r} seems to hold {kind}" for column, kind in personal.items()
        )
        return self.succeed(
            {
                "columns": list(columns),
                "column_types": columns,
                "row_count": len(rows),
                "empty_rows": empty,
                "personal_data": personal,
            },
            100.0 * (len(rows) - len(empty)) / len(rows),
            notes,
        )


def _filled(value: object) -> bool:
    return value is not None and value != ""

"""The base of repositories that are fed by the V3 import API.

A V3 payload names some columns differently, and carries the uploaded document
beside the rows that were parsed from it; rows are stored, documents are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from discovery.repositories.context_aware import ContextAwareRepository, ModelT

RENAMED = {"processed_data": "row_data", "row_index": "row_number"}
DISCARDED = frozenset({"raw_data", "file_content"})


class V3Repository(ContextAwareRepository[ModelT]):
    def bulk_create(self, rows: Iterable[Mapping[str, Any]]) -> list[ModelT]:
        """Create one row per mapping, in their order, with one flush."""
        created = [self.model(**from_v3(row), **self._tenant()) for row in rows]
        self.session.add_all(created)
        self.session.flush()
        return created  # type: ignore[return-value]


def from_v3(row: Mapping[str, Any]) -> dict[str, Any]:
    """A V3 row under the names of this schema."""
    return {RENAMED.get(key, key): value for key, value in row.items() if key not in DISCARDED}

"""Raw records of a client, stored in bulk and exactly as received.

The V3 base class is not used here: its `bulk_create` discards `raw_data`,
which is the very thing that this table is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from discovery.models.base import utcnow
from discovery.models.data_source import DataSource
from discovery.models.raw_data_record import RawDataRecord, content_signature
from discovery.repositories.context_aware import ContextAwareRepository

REQUIRED = frozenset({"data_source_id", "import_id", "raw_data"})
OPTIONAL = frozenset(
    {"discovery_flow_id", "record_type", "processed_data", "imported_at", "extra_metadata"}
)


class RawDataRepository(ContextAwareRepository[RawDataRecord]):
    model = RawDataRecord

    def bulk_create(self, rows: Sequence[Mapping[str, Any]]) -> list[RawDataRecord]:
        """Store rows with one INSERT, in their order; signatures are computed here.

        ValueError when a row lacks a required key or has an unknown one,
        LookupError when a data source is not this client's. Then nothing is stored.
        """
        for number, row in enumerate(rows):
            _check_keys(number, row)
        self._check_sources({row["data_source_id"] for row in rows})
        records = [self._record(row) for row in rows]
        self.session.add_all(records)
        self.session.flush()
        return records

    def _record(self, row: Mapping[str, Any]) -> RawDataRecord:
        """Every column is given, so that all rows fit into one statement."""
        return RawDataRecord(
            client_account_id=self.context.client_account_id,
            discovery_flow_id=row.get("discovery_flow_id"),
            data_source_id=row["data_source_id"],
            import_id=row["import_id"],
            record_type=row.get("record_type", "unknown"),
            raw_data=row["raw_data"],
            processed_data=row.get("processed_data"),
            hash_signature=content_signature(row["raw_data"]),
            imported_at=row.get("imported_at") or utcnow(),
            extra_metadata=row.get("extra_metadata", {}),
        )

    def _check_sources(self, wanted: Iterable[str]) -> None:
        own = select(DataSource.id).where(
            DataSource.client_account_id == self.context.client_account_id
        )
        unknown = set(wanted) - set(self.session.scalars(own))
        if unknown:
            raise LookupError(f"this client has no data source {', '.join(sorted(unknown))}")


def _check_keys(number: int, row: Mapping[str, Any]) -> None:
    missing = REQUIRED - row.keys()
    unknown = row.keys() - REQUIRED - OPTIONAL
    if missing:
        raise ValueError(f"row {number} lacks {', '.join(sorted(missing))}")
    if unknown:
        raise ValueError(f"row {number} has unknown keys: {', '.join(sorted(unknown))}")

"""Uploaded files, their rows, and how their columns are mapped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from discovery.models.data_import import DataImport
from discovery.models.import_field_mapping import ImportFieldMapping
from discovery.models.raw_import_record import RawImportRecord
from discovery.repositories.context_aware import ContextAwareRepository
from discovery.repositories.v3base import V3Repository


class DataImportRepository(ContextAwareRepository[DataImport]):
    model = DataImport


class RawImportRecordRepository(V3Repository[RawImportRecord]):
    model = RawImportRecord

    def rows_of(self, data_import_id: str) -> list[dict[str, Any]]:
        """The rows of one file, in the file's order."""
        records = self.session.scalars(
            self._select()
            .where(RawImportRecord.data_import_id == data_import_id)
            .order_by(RawImportRecord.row_number)
        )
        return [record.row_data for record in records]


class ImportFieldMappingRepository(ContextAwareRepository[ImportFieldMapping]):
    model = ImportFieldMapping

    def replace(self, data_import_id: str, mappings: Mapping[str, Mapping[str, Any]]) -> int:
        """Store the mappings of one file (source column -> mapping) in place of earlier ones."""
        for old in self.get_by_filters(data_import_id=data_import_id):
            self.session.delete(old)
        self.session.flush()
        for column, mapping in mappings.items():
            self.create(
                data_import_id=data_import_id,
                source_column=column,
                asset_field=mapping["asset_field"],
                confidence=mapping["confidence"],
            )
        return len(mappings)

"""How a file gets in: stored row by row, then run through the discovery flow."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.orm import Session

from discovery.core.context import RequestContext
from discovery.flows.unified_discovery_flow import UnifiedDiscoveryFlow, UnifiedDiscoveryFlowState
from discovery.repositories.data_import import (
    DataImportRepository,
    ImportFieldMappingRepository,
    RawImportRecordRepository,
)
from discovery.services.file_reader import read_rows


def import_file(
    session: Session, context: RequestContext, file: Path, *, import_type: str = "cmdb"
) -> UnifiedDiscoveryFlowState:
    """Store the file's rows, run the flow over them, store the mappings it found."""
    rows = read_rows(file)
    data_import = DataImportRepository(session, context).create(
        file_name=file.name, import_type=import_type, row_count=len(rows)
    )
    RawImportRecordRepository(session, context).bulk_create(
        {"data_import_id": data_import.id, "row_index": number, "processed_data": row}
        for number, row in enumerate(rows)
    )
    flow = UnifiedDiscoveryFlow(session, context, rows, data_import_id=data_import.id)
    state: UnifiedDiscoveryFlowState = flow.kickoff()
    if state.field_mappings:
        ImportFieldMappingRepository(session, context).replace(
            data_import.id,
            {
                **state.field_mappings["critical_mappings"],
                **state.field_mappings["secondary_mappings"],
            },
        )
    return state

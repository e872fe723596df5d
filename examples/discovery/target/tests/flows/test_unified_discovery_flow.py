"""A file runs through the flow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from discovery.cli import main
from discovery.core.context import RequestContext
from discovery.core.db import open_engine, session_factory, unit_of_work
from discovery.flows.unified_discovery_flow import UnifiedDiscoveryFlow, UnifiedDiscoveryFlowState
from discovery.flows.unified_discovery_flow.state_management import StateStore
from discovery.models import Base, ClientAccount, Engagement
from discovery.repositories.data_import import (
    ImportFieldMappingRepository,
    RawImportRecordRepository,
)
from discovery.services.importer import import_file


def test_an_imported_file_ends_in_an_approvable_inventory(
    session: Session, context: RequestContext, fixtures: Path
) -> None:
    state = import_file(session, context, fixtures / "cmdb.csv")
    assert state.status == "approved"
    assert state.errors == []
    assert state.asset_inventory["total_count"] == 7
    assert state.asset_inventory["by_type"]["database"] >= 1
    assert state.technical_debt["out_of_support_rows"] == [2, 3]
    assert state.cleaned_data[2]["Env"] == "production"


def test_rows_and_mappings_of_the_file_are_stored(
    session: Session, context: RequestContext, fixtures: Path
) -> None:
    state = import_file(session, context, fixtures / "cmdb.csv")
    rows = RawImportRecordRepository(session, context).rows_of(state.data_import_id)
    assert rows == state.raw_data
    mappings = ImportFieldMappingRepository(session, context).get_by_filters(
        data_import_id=state.data_import_id
    )
    assert {m.source_column: m.asset_field for m in mappings}["Host Name"] == "hostname"


def test_a_state_is_loaded_as_it_was_saved_and_by_its_tenant_only(
    session: Session, context: RequestContext, other_context: RequestContext, fixtures: Path
) -> None:
    state = import_file(session, context, fixtures / "scan.json", import_type="scan")
    assert StateStore(session, context).load(state.flow_id) == state
    with pytest.raises(LookupError):
        StateStore(session, other_context).load(state.flow_id)


def test_an_empty_file_fails_and_the_reason_is_kept(
    session: Session, context: RequestContext
) -> None:
    state = UnifiedDiscoveryFlow(session, context, []).kickoff()
    assert state.status == "failed"
    assert state.errors == ["data_import: the file has no rows"]
    assert state.phase_completion == {"data_import": False}


def test_a_flow_needs_an_engagement(session: Session, context: RequestContext) -> None:
    with pytest.raises(ValueError, match="inside an engagement"):
        UnifiedDiscoveryFlow(session, RequestContext(context.client_account_id), [])


def test_a_state_has_no_fields_but_its_own(context: RequestContext) -> None:
    with pytest.raises(ValueError, match="Extra inputs"):
        UnifiedDiscoveryFlowState.model_validate(
            {"flow_id": "f", "client_account_id": "c", "engagement_id": "e", "assets": []}
        )


def test_the_command_line_imports_and_shows(
    tmp_path: Path, fixtures: Path, capsys: pytest.CaptureFixture[str], context: RequestContext
) -> None:
    url = f"sqlite:///{tmp_path / 'd.db'}"
    engine = open_engine(url)
    Base.metadata.create_all(engine)
    client, engagement = context.client_account_id, context.engagement_id
    with unit_of_work(session_factory(engine)) as session:
        session.add(ClientAccount(id=client, name="Acme"))
        session.flush()
        session.add(Engagement(id=engagement, client_account_id=client, name="Exit"))
    engine.dispose()
    tenant = ["--database", url, "--client", client, "--engagement", str(engagement)]
    assert main([*tenant, "import", str(fixtures / "cmdb.csv")]) == 0
    imported = json.loads(capsys.readouterr().out)
    assert imported["assets"] == 7
    assert main([*tenant, "show", imported["flow_id"]]) == 0
    assert json.loads(capsys.readouterr().out) == imported

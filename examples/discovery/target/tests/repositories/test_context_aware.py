"""Repositories stay inside their tenant."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from discovery.core.context import RequestContext
from discovery.repositories.data_import import DataImportRepository, RawImportRecordRepository
from discovery.repositories.discovery_flow import DiscoveryFlowRepository


def test_rows_are_seen_by_their_engagement_only(
    session: Session,
    context: RequestContext,
    sibling_context: RequestContext,
    other_context: RequestContext,
) -> None:
    row = DataImportRepository(session, context).create(file_name="a.csv", import_type="cmdb")
    assert DataImportRepository(session, context).get_all() == [row]
    for stranger in (sibling_context, other_context):
        repository = DataImportRepository(session, stranger)
        assert repository.get_by_id(row.id) is None
        assert repository.get_all() == []
        assert repository.update(row.id, file_name="b.csv") is None
        assert repository.delete(row.id) is False
    assert row.file_name == "a.csv"


def test_a_client_without_engagement_sees_all_of_its_engagements(
    session: Session, context: RequestContext, sibling_context: RequestContext
) -> None:
    for place in (context, sibling_context):
        DataImportRepository(session, place).create(file_name="a.csv", import_type="cmdb")
    whole = RequestContext(context.client_account_id)
    assert DataImportRepository(session, whole).count() == 2


def test_a_context_without_client_is_refused(session: Session) -> None:
    with pytest.raises(ValueError, match="client_account_id"):
        DataImportRepository(session, RequestContext(""))


def test_rows_are_found_counted_changed_and_deleted(
    session: Session, context: RequestContext
) -> None:
    repository = DataImportRepository(session, context)
    first = repository.create(file_name="a.csv", import_type="cmdb")
    repository.create(file_name="b.json", import_type="scan")
    assert repository.get_by_filters(import_type="cmdb") == [first]
    assert repository.count(import_type="scan") == 1
    assert repository.update(first.id, row_count=7) is first
    assert first.row_count == 7
    assert repository.delete(first.id) is True
    assert repository.count() == 1


def test_repositories_leave_the_commit_to_the_caller(
    session: Session, context: RequestContext
) -> None:
    DataImportRepository(session, context).create(file_name="a.csv", import_type="cmdb")
    session.rollback()
    assert DataImportRepository(session, context).count() == 0


def test_rows_of_a_v3_payload_are_stored_under_the_names_of_the_schema(
    session: Session, context: RequestContext
) -> None:
    data_import = DataImportRepository(session, context).create(
        file_name="a.csv", import_type="cmdb"
    )
    repository = RawImportRecordRepository(session, context)
    created = repository.bulk_create(
        {"data_import_id": data_import.id, "row_index": n, "processed_data": {"n": n}}
        for n in (0, 1)
    )
    assert len(created) == 2
    assert repository.rows_of(data_import.id) == [{"n": 0}, {"n": 1}]


def test_a_flow_is_looked_up_by_its_business_key(session: Session, context: RequestContext) -> None:
    repository = DiscoveryFlowRepository(session, context)
    saved = repository.save_state("f-1", {"a": 1}, status="running", phase="x", progress=50.0)
    again = repository.save_state("f-1", {"a": 2}, status="done", phase="y", progress=100.0)
    assert again is saved
    assert repository.get_by_flow_id("f-1") is saved
    assert repository.get_by_flow_id(saved.id) is None
    assert saved.state == {"a": 2}

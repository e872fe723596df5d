"""Data sources and their reliability."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from discovery.core.context import RequestContext
from discovery.models import ClientAccount, DataSource
from discovery.models.data_source import SOURCE_TYPES
from discovery.repositories.data_source import DataSourceRepository


@pytest.fixture
def sources(session: Session, context: RequestContext) -> DataSourceRepository:
    return DataSourceRepository(session, context)


@pytest.fixture
def cmdb(sources: DataSourceRepository) -> DataSource:
    return sources.create(
        source_type="cmdb", source_name="CMDB", connection_config={"password": "s3cret"}
    )


def test_a_source_begins_with_the_documented_defaults(cmdb: DataSource) -> None:
    assert (cmdb.reliability_score, cmdb.total_imports, cmdb.successful_imports) == (0.5, 0, 0)
    assert (cmdb.is_authoritative_for, cmdb.extra_metadata, cmdb.is_active) == ([], {}, True)
    assert cmdb.last_sync_at is None


def test_a_name_is_taken_once_per_client(
    session: Session, sources: DataSourceRepository, cmdb: DataSource, other_context: RequestContext
) -> None:
    DataSourceRepository(session, other_context).create(source_type="cmdb", source_name="CMDB")
    with pytest.raises(IntegrityError, match="source_name"):
        sources.create(source_type="manual", source_name="CMDB")


@pytest.mark.parametrize("source_type", SOURCE_TYPES)
def test_every_known_type_is_accepted(sources: DataSourceRepository, source_type: str) -> None:
    assert sources.create(source_type=source_type, source_name="x").source_type == source_type


@pytest.mark.parametrize(
    "values",
    [
        {"source_type": "rumour"},
        {"source_type": "cmdb", "reliability_score": 1.01},
        {"source_type": "cmdb", "reliability_score": -0.01},
    ],
)
def test_unknown_types_and_impossible_scores_are_rejected(
    sources: DataSourceRepository, values: dict[str, object]
) -> None:
    with pytest.raises(IntegrityError, match="ck_data_sources"):
        sources.create(source_name="x", **values)


@pytest.mark.parametrize(
    ("outcomes", "score"),
    [
        ("", 1 / 2),
        ("+", 2 / 3),
        ("-", 1 / 3),
        ("+-", 2 / 4),
        ("++++++++-+", 10 / 12),
    ],
)
def test_imports_move_the_counters_and_the_score(
    sources: DataSourceRepository, cmdb: DataSource, outcomes: str, score: float
) -> None:
    for outcome in outcomes:
        sources.record_import(cmdb.id, ok=outcome == "+")
    assert cmdb.reliability_score == score
    assert cmdb.total_imports == len(outcomes)
    assert cmdb.successful_imports == outcomes.count("+")


def test_only_a_good_import_is_a_sync(sources: DataSourceRepository, cmdb: DataSource) -> None:
    noon = datetime(2025, 7, 1, 12, tzinfo=UTC)
    assert sources.record_import(cmdb.id, ok=True, at=noon).last_sync_at == noon
    assert sources.record_import(cmdb.id, ok=False).last_sync_at == noon


def test_another_clients_source_is_unknown(
    session: Session, cmdb: DataSource, other_context: RequestContext
) -> None:
    with pytest.raises(LookupError, match="no data source"):
        DataSourceRepository(session, other_context).record_import(cmdb.id, ok=True)
    assert cmdb.total_imports == 0


def test_connection_settings_are_never_told(cmdb: DataSource) -> None:
    assert "connection_config" not in cmdb.to_dict()
    assert "s3cret" not in repr(cmdb) + str(cmdb.to_dict())
    assert cmdb.to_dict()["source_name"] == "CMDB"


@pytest.mark.usefixtures("cmdb")
def test_a_source_goes_with_its_client(session: Session, context: RequestContext) -> None:
    session.delete(session.get_one(ClientAccount, context.client_account_id))
    session.flush()
    assert session.scalars(select(DataSource)).all() == []

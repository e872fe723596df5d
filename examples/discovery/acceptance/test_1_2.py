"""Task 1.2: data sources."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from discovery.models import DataSource, new_id
from discovery.repositories.data_source import DataSourceRepository
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

TYPES = ("cmdb", "assessment_tool", "monitoring", "documentation", "manual")
NOON = datetime(2025, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def sources(session: Session, world: Any) -> DataSourceRepository:
    return DataSourceRepository(session, world.a1)


def test_a_name_is_taken_once_in_a_client_and_free_in_another(
    session: Session, world: Any, sources: DataSourceRepository
) -> None:
    sources.create(source_type="cmdb", source_name="CMDB")
    DataSourceRepository(session, world.b).create(source_type="cmdb", source_name="CMDB")
    with pytest.raises(IntegrityError):
        sources.create(source_type="manual", source_name="CMDB")


@pytest.mark.parametrize("source_type", TYPES)
def test_known_types_are_accepted(sources: DataSourceRepository, source_type: str) -> None:
    sources.create(source_type=source_type, source_name="x")


@pytest.mark.parametrize(
    "values",
    [
        {"source_type": "oracle"},
        {"source_type": ""},
        {"reliability_score": -0.001},
        {"reliability_score": 1.001},
    ],
)
def test_the_database_refuses_unknown_types_and_scores(
    session: Session, world: Any, values: dict[str, Any]
) -> None:
    row = {"source_type": "cmdb", "source_name": "x", **values}
    session.add(DataSource(client_account_id=world.a1.client_account_id, **row))
    with pytest.raises(IntegrityError):
        session.flush()


@pytest.mark.parametrize(
    ("outcomes", "score"),
    [
        ([], 0.5),
        ([True], 2 / 3),
        ([False], 1 / 3),
        ([True, True, False], 3 / 5),
        ([True] * 8, 9 / 10),
        ([False] * 98, 1 / 100),
    ],
)
def test_the_score_follows_the_documented_rule(
    session: Session, sources: DataSourceRepository, outcomes: list[bool], score: float
) -> None:
    source = sources.create(source_type="cmdb", source_name="x")
    for ok in outcomes:
        assert sources.record_import(source.id, ok=ok) is source
    session.commit()
    session.expire_all()
    assert source.reliability_score == pytest.approx(score)
    assert (source.total_imports, source.successful_imports) == (len(outcomes), sum(outcomes))


def test_only_good_imports_move_the_time_of_the_last_sync(sources: DataSourceRepository) -> None:
    source = sources.create(source_type="cmdb", source_name="x")
    assert sources.record_import(source.id, ok=False, at=NOON).last_sync_at is None
    assert sources.record_import(source.id, ok=True, at=NOON).last_sync_at == NOON


def test_another_clients_source_cannot_be_counted(
    session: Session, world: Any, sources: DataSourceRepository
) -> None:
    source = sources.create(source_type="cmdb", source_name="x")
    with pytest.raises(LookupError):
        DataSourceRepository(session, world.b).record_import(source.id, ok=True)
    with pytest.raises(LookupError):
        sources.record_import(new_id(), ok=True)


def test_connection_settings_are_told_to_nobody(
    sources: DataSourceRepository, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="discovery")
    source = sources.create(
        source_type="cmdb", source_name="x", connection_config={"password": "hunter2"}
    )
    sources.record_import(source.id, ok=True)
    logging.getLogger("discovery").info("%s %r", source, source)
    assert source.connection_config == {"password": "hunter2"}
    assert "connection_config" not in source.to_dict()
    assert source.to_dict()["source_name"] == "x"
    for text in (repr(source), str(source), str(source.to_dict()), caplog.text):
        assert "hunter2" not in text

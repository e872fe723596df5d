"""Raw records are kept exactly as received."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from discovery.core.context import RequestContext
from discovery.models import DataSource, DiscoveryFlow
from discovery.models.raw_data_record import content_signature
from discovery.repositories.data_source import DataSourceRepository
from discovery.repositories.raw_data import RawDataRepository

IMPORT = "5f5c1d0e-0000-4000-8000-000000000001"


@pytest.fixture
def records(session: Session, context: RequestContext) -> RawDataRepository:
    return RawDataRepository(session, context)


@pytest.fixture
def source(session: Session, context: RequestContext) -> DataSource:
    return DataSourceRepository(session, context).create(source_type="cmdb", source_name="CMDB")


def received(source: DataSource, *payloads: Any) -> list[dict[str, Any]]:
    return [{"data_source_id": source.id, "import_id": IMPORT, "raw_data": p} for p in payloads]


def test_a_large_row_comes_back_unchanged(
    session: Session, records: RawDataRepository, source: DataSource
) -> None:
    payload = {"log": "äöü\u2028" * 300_000, "nested": [None, False, 0, "", {"k": 1.5}]}
    (record,) = records.bulk_create(received(source, payload))
    session.expire_all()
    assert record.raw_data == payload
    assert record.processed_data is None


def test_the_signature_ignores_key_order_and_nothing_else() -> None:
    first = content_signature({"a": 1, "b": {"x": None, "y": [1, 2]}})
    assert first == content_signature({"b": {"y": [1, 2], "x": None}, "a": 1})
    others = [
        {"a": 1, "b": {"x": None, "y": [2, 1]}},
        {"a": True, "b": {"x": None, "y": [1, 2]}},
        {"a": "1", "b": {"x": None, "y": [1, 2]}},
        {"a": 1, "b": {"x": "", "y": [1, 2]}},
    ]
    assert len({first, *map(content_signature, others)}) == 5
    assert len(first) == 64


def test_equal_content_and_equal_hashes_are_kept_apart(
    records: RawDataRepository, source: DataSource
) -> None:
    twins = records.bulk_create(received(source, {"a": 1}, {"a": 1}, {"a": 2}))
    twins[2].hash_signature = twins[0].hash_signature
    records.session.flush()
    found = records.get_by_filters(hash_signature=twins[0].hash_signature)
    assert sorted(record.raw_data["a"] for record in found) == [1, 1, 2]


def test_rows_are_stored_in_order_with_one_insert(
    engine: Engine, records: RawDataRepository, source: DataSource, flow: DiscoveryFlow
) -> None:
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    rows: list[dict[str, Any]] = received(source, *({"n": n} for n in range(200)))
    rows[3] |= {"record_type": "server", "discovery_flow_id": flow.id, "processed_data": {"n": 3}}
    created = records.bulk_create(rows)
    assert [record.raw_data["n"] for record in created] == list(range(200))
    assert (created[3].record_type, created[4].record_type) == ("server", "unknown")
    assert len([s for s in statements if s.startswith("INSERT INTO raw_data_records")]) == 1


def test_no_rows_are_no_work(records: RawDataRepository) -> None:
    assert records.bulk_create([]) == []


def test_a_row_is_stored_whole_or_not_at_all(
    records: RawDataRepository, source: DataSource
) -> None:
    (row,) = received(source, {"a": 1})
    with pytest.raises(ValueError, match="row 1 lacks raw_data"):
        records.bulk_create([row, {"data_source_id": source.id, "import_id": IMPORT}])
    with pytest.raises(ValueError, match="row 0 has unknown keys: rawdata"):
        records.bulk_create([row | {"rawdata": 1}])
    assert records.count() == 0


def test_another_clients_source_and_records_are_out_of_reach(
    session: Session, records: RawDataRepository, source: DataSource, other_context: RequestContext
) -> None:
    records.bulk_create(received(source, {"a": 1}))
    stranger = RawDataRepository(session, other_context)
    assert stranger.get_all() == []
    with pytest.raises(LookupError, match="no data source"):
        stranger.bulk_create(received(source, {"a": 1}))


def test_a_source_that_records_came_from_cannot_be_deleted(
    session: Session, records: RawDataRepository, source: DataSource
) -> None:
    records.bulk_create(received(source, {"a": 1}))
    session.delete(source)
    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        session.flush()

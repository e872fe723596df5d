"""Task 1.3: raw data records."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from discovery.models import new_id
from discovery.models.raw_data_record import content_signature
from discovery.repositories.data_source import DataSourceRepository
from discovery.repositories.raw_data import RawDataRepository
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session


@pytest.fixture
def rows(session: Session, world: Any) -> Any:
    source = DataSourceRepository(session, world.a1).create(source_type="cmdb", source_name="x")
    import_id = new_id()

    def make(*payloads: Any) -> list[dict[str, Any]]:
        return [
            {"data_source_id": source.id, "import_id": import_id, "raw_data": payload}
            for payload in payloads
        ]

    return make


@pytest.fixture
def records(session: Session, world: Any) -> RawDataRepository:
    return RawDataRepository(session, world.a1)


def test_raw_data_survives_even_when_it_is_large(
    session: Session, records: RawDataRepository, rows: Any
) -> None:
    payload = {
        "text": "Ünïcode \u2028 \U0001f600 " * 90_000,
        "deep": [{"a": [None, 0, False]}],
    }
    (record,) = records.bulk_create(rows(payload))
    session.commit()
    session.expire_all()
    assert record.raw_data == payload
    assert record.raw_data["deep"][0]["a"][2] is False
    assert (record.processing_status, record.record_type) == ("pending", "unknown")
    assert (record.processing_errors, record.extra_metadata) == ([], {})
    assert (record.processed_data, record.processed_at) == (None, None)


def test_the_signature_is_the_sha256_of_canonical_json() -> None:
    assert (
        content_signature({"b": "é", "a": [1, None]})
        == hashlib.sha256('{"a":[1,null],"b":"é"}'.encode()).hexdigest()
    )


def test_the_signature_depends_on_every_value_and_not_on_the_order_of_keys() -> None:
    base = {"a": 1, "b": {"c": None, "d": "x"}}
    assert content_signature({"b": {"d": "x", "c": None}, "a": 1}) == content_signature(base)
    others: list[Any] = [
        {**base, "a": 2},
        {**base, "a": True},
        {**base, "a": "1"},
        {**base, "b": {"c": False, "d": "x"}},
        {**base, "b": {"d": "x"}},
        [base],
    ]
    assert len({content_signature(payload) for payload in (base, *others)}) == 7


def test_equal_signatures_are_kept_as_separate_rows(
    session: Session, records: RawDataRepository, rows: Any
) -> None:
    first, second = records.bulk_create(rows({"n": 1}, {"n": 2}))
    second.hash_signature = first.hash_signature
    session.commit()
    assert first.id != second.id
    assert sorted(record.raw_data["n"] for record in records.get_all()) == [1, 2]
    assert len(records.bulk_create(rows({"n": 1}, {"n": 1}))) == 2


def test_many_rows_are_one_statement_in_their_order(
    engine: Engine, session: Session, records: RawDataRepository, rows: Any
) -> None:
    inserts: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO raw_data_records"):
            inserts.append(statement)

    payloads = rows(*({"n": n} for n in range(300)))
    payloads[7]["record_type"] = "server"
    payloads[9]["processed_data"] = {"done": True}
    event.listen(engine, "before_cursor_execute", listen)
    created = records.bulk_create(payloads)
    event.remove(engine, "before_cursor_execute", listen)
    assert [record.raw_data["n"] for record in created] == list(range(300))
    assert all(record.hash_signature == content_signature(record.raw_data) for record in created)
    assert created[9].processed_data == {"done": True}
    assert len(inserts) == 1
    assert records.bulk_create([]) == []


@pytest.mark.parametrize("missing", ["data_source_id", "import_id", "raw_data"])
def test_a_row_without_a_required_key_is_refused(
    records: RawDataRepository, rows: Any, missing: str
) -> None:
    (row,) = rows({"a": 1})
    del row[missing]
    with pytest.raises((ValueError, LookupError, IntegrityError)):
        records.bulk_create([row])


def test_records_are_seen_by_their_client_only(
    session: Session, world: Any, records: RawDataRepository, rows: Any
) -> None:
    (record,) = records.bulk_create(rows({"a": 1}))
    assert record.client_account_id == world.a1.client_account_id
    assert RawDataRepository(session, world.b).get_all() == []
    assert RawDataRepository(session, world.b).get_by_id(record.id) is None


def test_an_unknown_status_is_refused_and_a_used_source_stays(
    session: Session, records: RawDataRepository, rows: Any
) -> None:
    (record,) = records.bulk_create(rows({"a": 1}))
    session.commit()
    for statement in (
        "UPDATE raw_data_records SET processing_status = 'lost'",
        "DELETE FROM data_sources",
    ):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text(statement))
    session.expire_all()
    assert record.processing_status == "pending"


def test_partitioning_is_spoken_of_in_the_migration() -> None:
    (migration,) = Path("migrations/versions").glob("0013_*.py")
    assert "partition" in migration.read_text(encoding="utf-8").lower()

"""Task 3.1: mapping patterns."""

from __future__ import annotations

from typing import Any

import pytest
from discovery.models import MappingPattern
from discovery.repositories.mapping_pattern import MappingPatternRepository
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

HOST: dict[str, Any] = {
    "pattern_key": "host->hostname",
    "source_pattern": "host",
    "target_field": "hostname",
    "pattern_type": "exact",
}


@pytest.fixture
def patterns(session: Session, world: Any) -> MappingPatternRepository:
    return MappingPatternRepository(session, world.a1)


@pytest.mark.parametrize("owner", ["tenant", "everybody"])
def test_a_key_cannot_be_used_twice(session: Session, world: Any, owner: str) -> None:
    client = world.a1.client_account_id if owner == "tenant" else None
    session.add(MappingPattern(client_account_id=client, **HOST))
    session.flush()
    session.add(MappingPattern(client_account_id=client, **HOST))
    with pytest.raises(IntegrityError):
        session.flush()


def test_tenants_and_the_shared_rows_do_not_compete_for_keys(
    session: Session, world: Any, patterns: MappingPatternRepository
) -> None:
    rows = [
        patterns.create_or_update_pattern(**HOST),
        patterns.create_or_update_pattern(**HOST, shared=True),
        MappingPatternRepository(session, world.b).create_or_update_pattern(**HOST),
    ]
    assert len({row.id for row in rows}) == 3
    assert rows[1].client_account_id is None


def test_sharing_twice_gives_one_row(
    session: Session, world: Any, patterns: MappingPatternRepository
) -> None:
    first = patterns.create_or_update_pattern(**HOST, shared=True)
    other = MappingPatternRepository(session, world.b)
    assert other.create_or_update_pattern(**HOST, shared=True) is first


def test_a_tenant_reads_its_own_and_the_shared_patterns_that_are_active(
    session: Session, world: Any, patterns: MappingPatternRepository
) -> None:
    own = patterns.create_or_update_pattern(**HOST)
    shared = patterns.create_or_update_pattern(**HOST, shared=True)
    MappingPatternRepository(session, world.b).create_or_update_pattern(**HOST)
    off = patterns.create_or_update_pattern(**HOST | {"pattern_key": "off"})
    off.is_active = False
    session.flush()
    assert {row.id for row in patterns.get_active_patterns()} == {own.id, shared.id}


def test_target_fields_limit_the_patterns(patterns: MappingPatternRepository) -> None:
    for field in ("hostname", "ip_address", "name"):
        patterns.create_or_update_pattern(**HOST | {"pattern_key": field, "target_field": field})
    found = patterns.get_active_patterns(["name", "hostname"])
    assert [row.target_field for row in found] == ["hostname", "name"]
    assert patterns.get_active_patterns([]) == []
    assert len(patterns.get_active_patterns(None)) == 3


def test_patterns_are_ordered_by_confidence_then_usage_then_key(
    session: Session, patterns: MappingPatternRepository
) -> None:
    for key, confidence, usage in (
        ("z", 0.5, 9),
        ("b", 0.9, 1),
        ("a", 0.9, 1),
        ("c", 0.9, 4),
        ("d", 1.0, 0),
    ):
        row = patterns.create_or_update_pattern(
            **HOST | {"pattern_key": key}, confidence=confidence
        )
        row.usage_count = usage
    session.commit()
    assert [row.pattern_key for row in patterns.get_active_patterns()] == ["d", "c", "a", "b", "z"]


@pytest.mark.parametrize(
    "wrong", [{"pattern_type": "guess"}, {"confidence": -0.1}, {"confidence": 1.1}]
)
def test_unknown_types_and_confidences_are_refused(
    patterns: MappingPatternRepository, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValueError):
        patterns.create_or_update_pattern(**HOST | wrong)
    assert patterns.get_active_patterns() == []


@pytest.mark.parametrize("wrong", [{"pattern_type": "guess"}, {"confidence_score": 1.1}])
def test_the_database_refuses_them_too(session: Session, world: Any, wrong: dict[str, Any]) -> None:
    session.add(MappingPattern(client_account_id=world.a1.client_account_id, **HOST | wrong))
    with pytest.raises(IntegrityError):
        session.flush()


def test_an_update_keeps_the_counters_and_collects_examples(
    session: Session, patterns: MappingPatternRepository
) -> None:
    row = patterns.create_or_update_pattern(**HOST, example_values=["a", "b"])
    row.usage_count, row.success_count, row.failure_count = 3, 2, 1
    session.commit()
    again = patterns.create_or_update_pattern(
        **HOST | {"pattern_type": "regex", "source_pattern": "^host"},
        confidence=0.9,
        example_values=["b", "c", *map(str, range(20))],
    )
    session.commit()
    session.expire_all()
    assert again.id == row.id
    assert (row.pattern_type, row.source_pattern, row.confidence_score) == ("regex", "^host", 0.9)
    assert (row.usage_count, row.success_count, row.failure_count) == (3, 2, 1)
    assert len(row.example_values) == len(set(row.example_values)) == 10


def test_the_promised_indexes_exist(session: Session) -> None:
    indexes = {i["name"]: i for i in inspect(session.connection()).get_indexes("mapping_patterns")}
    assert indexes["uq_mapping_patterns_shared_key"]["unique"]
    for name in ("client", "confidence", "usage", "target"):
        assert f"ix_mapping_patterns_{name}" in indexes

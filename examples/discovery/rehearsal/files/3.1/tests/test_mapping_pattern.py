"""Mapping patterns, own and shared."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from discovery.core.context import RequestContext
from discovery.models import MappingPattern
from discovery.models.mapping_pattern import PATTERN_TYPES
from discovery.repositories.mapping_pattern import MOST_EXAMPLES, MappingPatternRepository

HOST: dict[str, Any] = {
    "pattern_key": "host->hostname",
    "source_pattern": "host",
    "target_field": "hostname",
    "pattern_type": "exact",
}


@pytest.fixture
def patterns(session: Session, context: RequestContext) -> MappingPatternRepository:
    return MappingPatternRepository(session, context)


@pytest.fixture
def other_patterns(session: Session, other_context: RequestContext) -> MappingPatternRepository:
    return MappingPatternRepository(session, other_context)


def test_a_pattern_begins_with_the_documented_defaults(patterns: MappingPatternRepository) -> None:
    pattern = patterns.create_or_update_pattern(**HOST)
    assert (pattern.confidence_score, pattern.is_active) == (0.5, True)
    assert (pattern.usage_count, pattern.success_count, pattern.failure_count) == (0, 0, 0)
    assert (pattern.example_values, pattern.extra_metadata) == ([], {})


@pytest.mark.parametrize("shared", [False, True])
def test_a_key_exists_once_per_tenant_and_once_shared(
    session: Session, patterns: MappingPatternRepository, context: RequestContext, shared: bool
) -> None:
    patterns.create_or_update_pattern(**HOST, shared=shared)
    patterns.create_or_update_pattern(**HOST, shared=not shared)
    owner = None if shared else context.client_account_id
    session.add(MappingPattern(client_account_id=owner, **HOST))
    with pytest.raises(IntegrityError, match="UNIQUE"):
        session.flush()


def test_a_tenant_sees_its_own_and_shared_patterns(
    patterns: MappingPatternRepository, other_patterns: MappingPatternRepository
) -> None:
    own = patterns.create_or_update_pattern(**HOST)
    shared = other_patterns.create_or_update_pattern(**HOST, shared=True)
    other_patterns.create_or_update_pattern(**HOST)
    assert set(patterns.get_active_patterns()) == {own, shared}


def test_a_shared_pattern_is_not_changed_through_the_base_class(
    patterns: MappingPatternRepository,
) -> None:
    shared = patterns.create_or_update_pattern(**HOST, shared=True)
    assert patterns.update(shared.id, confidence_score=1.0) is None
    assert patterns.delete(shared.id) is False


def test_inactive_patterns_are_not_used(patterns: MappingPatternRepository) -> None:
    pattern = patterns.create_or_update_pattern(**HOST)
    patterns.update(pattern.id, is_active=False)
    assert patterns.get_active_patterns() == []


def test_patterns_come_surest_first_then_most_used_then_by_key(
    patterns: MappingPatternRepository,
) -> None:
    for key, confidence, usage in (("d", 0.9, 1), ("c", 0.5, 7), ("b", 0.9, 5), ("a", 0.9, 1)):
        values = HOST | {"pattern_key": key, "confidence": confidence}
        patterns.create_or_update_pattern(**values).usage_count = usage
    assert [p.pattern_key for p in patterns.get_active_patterns()] == ["b", "a", "d", "c"]


def test_patterns_are_found_by_target_field(patterns: MappingPatternRepository) -> None:
    host = patterns.create_or_update_pattern(**HOST)
    ip = patterns.create_or_update_pattern(
        **HOST | {"pattern_key": "ip->ip_address", "target_field": "ip_address"}
    )
    assert patterns.get_active_patterns(["hostname"]) == [host]
    assert patterns.get_active_patterns(["hostname", "ip_address"]) == [host, ip]
    assert patterns.get_active_patterns([]) == []


def test_an_update_keeps_counters_and_adds_examples(
    session: Session, patterns: MappingPatternRepository
) -> None:
    pattern = patterns.create_or_update_pattern(**HOST, example_values=["web-01", "web-01"])
    pattern.usage_count = 3
    again = patterns.create_or_update_pattern(
        **HOST | {"pattern_type": "fuzzy", "confidence": 0.8},
        example_values=["web-01", *(f"db-{n}" for n in range(20))],
    )
    session.expire_all()
    assert again is pattern
    assert (again.pattern_type, again.confidence_score, again.usage_count) == ("fuzzy", 0.8, 3)
    assert again.example_values[:2] == ["web-01", "db-0"]
    assert len(again.example_values) == MOST_EXAMPLES


@pytest.mark.parametrize("wrong", [{"pattern_type": "guess"}, {"confidence": 1.1}])
def test_unknown_types_and_impossible_confidences_are_refused(
    patterns: MappingPatternRepository, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"no pattern type|between 0 and 1"):
        patterns.create_or_update_pattern(**HOST | wrong)
    assert patterns.count() == 0


@pytest.mark.parametrize("pattern_type", [*PATTERN_TYPES, "guess"])
def test_the_table_knows_the_types_too(
    session: Session, context: RequestContext, pattern_type: str
) -> None:
    client = context.client_account_id
    session.add(MappingPattern(client_account_id=client, **HOST | {"pattern_type": pattern_type}))
    if pattern_type in PATTERN_TYPES:
        session.flush()
        return
    with pytest.raises(IntegrityError, match="ck_mapping_patterns_type"):
        session.flush()

"""Columns find their fields."""

from __future__ import annotations

import pytest

from discovery.agents.attribute_mapping import AttributeMappingAgent, similarity
from discovery.agents.fields import CRITICAL_FIELDS, SECONDARY_FIELDS, normalised


@pytest.mark.parametrize(
    ("column", "field", "score"),
    [
        ("Host Name", "hostname", 100.0),
        ("primary hostname", "hostname", 80.0),
        ("Departmint", "department", 69.0),
        ("colour", "hostname", 0.0),
    ],
)
def test_a_column_scores_by_how_it_resembles_the_field(
    column: str, field: str, score: float
) -> None:
    assert similarity(column, field, CRITICAL_FIELDS[field]) == score


def test_a_field_is_fed_by_its_best_column_only() -> None:
    result = AttributeMappingAgent().execute({"columns": ["dept", "department"]})
    assert set(result.data["critical_mappings"]) == {"dept"}
    assert result.data["unmapped_columns"] == ["department"]


def test_critical_and_secondary_fields_are_told_apart() -> None:
    result = AttributeMappingAgent().execute({"columns": ["IP", "Serial", "Favourite colour"]})
    assert set(result.data["critical_mappings"]) == {"IP"}
    assert set(result.data["secondary_mappings"]) == {"Serial"}
    assert result.notes == ("no field for column 'Favourite colour'",)
    assert result.confidence == pytest.approx(66.7)


def test_without_columns_the_agent_fails() -> None:
    assert AttributeMappingAgent().execute({"columns": []}).success is False


def test_no_synonym_is_claimed_twice() -> None:
    fields = {**CRITICAL_FIELDS, **SECONDARY_FIELDS}
    names = [name for field, synonyms in fields.items() for name in (field, *synonyms)]
    assert len(names) == len(set(names))
    assert all(normalised(name) == name for name in names)

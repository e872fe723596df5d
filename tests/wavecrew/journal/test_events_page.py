"""docs/events.md names every kind, every field, every rule; scripts are written against it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import get_args

import pytest

from wavecrew.gates.model import Rule
from wavecrew.journal.events import FACTS, Fact

PAGE = (Path(__file__).parents[3] / "docs" / "events.md").read_text()
ROWS = {line.split("`")[1]: line for line in PAGE.splitlines() if line.startswith("| `")}


@pytest.mark.parametrize(("kind", "fact"), FACTS.items(), ids=FACTS)
def test_every_field_of_a_kind_stands_in_its_row(kind: str, fact: type[Fact]) -> None:
    for field in dataclasses.fields(fact):
        assert f"`{field.name}`" in ROWS[kind]


def test_every_rule_of_the_gate_is_named() -> None:
    assert all(f"`{rule}`" in PAGE for rule in get_args(Rule))

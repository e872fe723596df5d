"""Validation, cleansing, inventory and dependency agents."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.agents.asset_inventory import AssetInventoryAgent
from discovery.agents.data_cleansing import DataCleansingAgent, cleanse
from discovery.agents.data_validation import DataValidationAgent
from discovery.agents.dependency import DependencyAgent
from discovery.tools.registry import tool_registry


def test_validation_tells_columns_empty_rows_and_personal_data() -> None:
    rows = [{"host": "a", "owner": "jo@acme.example"}, {"host": "", "owner": None}]
    result = DataValidationAgent(tool_registry()).execute({"rows": rows})
    assert result.data["columns"] == ["host", "owner"]
    assert result.data["empty_rows"] == [1]
    assert result.data["personal_data"] == {"owner": "e-mail addresses"}
    assert result.confidence == 50.0


def test_validation_refuses_an_empty_file() -> None:
    assert DataValidationAgent(tool_registry()).execute({"rows": []}).success is False


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("os", "  RHEL   8 ", "RHEL 8"),
        ("env", "PRD", "production"),
        ("cpu", "8", 8),
        ("cpu", "0", 0),
        ("load", "0.5", 0.5),
        ("serial", "007", "007"),
        ("ip", "10.1.0.11", "10.1.0.11"),
        ("os", "n/a", None),
        ("virtual", False, False),
    ],
)
def test_values_are_brought_into_one_spelling(column: str, value: Any, expected: Any) -> None:
    assert cleanse(column, value) == expected
    assert type(cleanse(column, value)) is type(expected)


def test_cleansing_drops_empty_rows_and_leaves_its_input_alone() -> None:
    rows = [{"env": "Prod"}, {"env": "n/a"}]
    result = DataCleansingAgent().execute({"rows": rows})
    assert result.data == {"rows": [{"env": "production"}], "changed": 2}
    assert rows == [{"env": "Prod"}, {"env": "n/a"}]


def test_inventory_names_and_classifies_assets() -> None:
    rows = [{"Host": "db-01", "Class": "Oracle Database"}, {"Host": "x", "Class": "Toaster"}]
    mappings = {"Host": "hostname", "Class": "asset_type"}
    result = AssetInventoryAgent().execute({"rows": rows, "mappings": mappings})
    assert [asset["asset_type"] for asset in result.data["assets"]] == ["database", "unknown"]
    assert result.data["assets"][0]["attributes"]["hostname"] == "db-01"
    assert result.data["by_type"] == {"database": 1, "unknown": 1}


def test_dependencies_are_told_by_keyword() -> None:
    records = [{"hostname": "app-01", "connections": "jdbc to db-01"}, {"connections": "http"}]
    result = DependencyAgent().execute({"raw_data": records})
    assert [(e["source_name"], e["dependency_type"]) for e in result.data["dependencies"]] == [
        ("app-01", "database")
    ]

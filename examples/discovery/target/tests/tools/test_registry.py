"""Tools are found by name, and crews ask for them so."""

from __future__ import annotations

import pytest

from discovery.core.context import RequestContext
from discovery.crews.factory import CrewFactory
from discovery.tools.registry import Tool, ToolRegistry, UnknownTool, tool_registry


def test_every_tool_module_is_registered() -> None:
    assert tool_registry().names() == ("field_matcher", "pii_scanner", "schema_analyzer")
    assert tool_registry().names("mapping") == ("field_matcher",)


def test_an_unknown_tool_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(UnknownTool, match="no tool named 'hammer'; there are field_matcher"):
        tool_registry().get_tool("hammer")


def test_a_name_is_taken_once() -> None:
    registry = ToolRegistry()
    registry.register(Tool("a", "", "x", print))
    with pytest.raises(ValueError, match="registered already"):
        registry.register(Tool("a", "", "x", print))


def test_field_matcher_gives_the_likeliest_fields() -> None:
    assert tool_registry().get_tool("field_matcher").run("IP")[0] == ("ip_address", 100.0)


def test_schema_analyzer_tells_types() -> None:
    rows = [{"a": "1", "b": "x", "c": ""}, {"a": 2.5, "b": "3", "c": None}]
    types = tool_registry().get_tool("schema_analyzer").run(rows)
    assert types == {"a": "number", "b": "mixed", "c": "empty"}


def test_crews_run_their_tasks_in_order(context: RequestContext) -> None:
    results = CrewFactory(context).create("field_mapping").kickoff({"rows": [{"IP": "10.0.0.1"}]})
    assert list(results) == ["validate", "map"]
    assert set(results["map"].data["critical_mappings"]) == {"IP"}


def test_a_crew_stops_at_the_first_failure(context: RequestContext) -> None:
    results = CrewFactory(context).create("field_mapping").kickoff({"rows": []})
    assert list(results) == ["validate"]


def test_an_unknown_crew_is_an_error(context: RequestContext) -> None:
    with pytest.raises(ValueError, match="there are asset_inventory, field_mapping"):
        CrewFactory(context).create("reconciliation")

"""Duplicates, learning, files."""

from __future__ import annotations

from pathlib import Path

import pytest

from discovery.core.context import RequestContext
from discovery.services.agent_learning import AgentLearning
from discovery.services.deduplication import completeness, deduplicate
from discovery.services.file_reader import read_rows


def test_records_of_one_host_are_one_asset() -> None:
    first = {"name": "a", "attributes": {"hostname": "WEB-01", "os": None}}
    second = {"name": "b", "attributes": {"hostname": "web-01", "os": "RHEL"}}
    assert deduplicate([first, second]) == [first]
    assert deduplicate([first, second], "data_quality") == [second]


def test_without_hostname_name_and_type_decide() -> None:
    server, database = ({"name": "x", "asset_type": t} for t in ("server", "database"))
    assert deduplicate([server, database, server]) == [server, database]


def test_false_and_zero_count_as_filled() -> None:
    assert completeness({"attributes": {"a": 0, "b": False, "c": "", "d": None}}) == 0.5


def test_an_unknown_strategy_is_an_error() -> None:
    with pytest.raises(ValueError, match="no strategy 'coin'"):
        deduplicate([], "coin")


def test_what_is_learned_stays_in_its_engagement(
    context: RequestContext, sibling_context: RequestContext
) -> None:
    learning = AgentLearning()
    learning.confirm(context, "Box", "hostname")
    assert learning.known_field(context, "box") == "hostname"
    assert learning.known_field(sibling_context, "box") is None


def test_csv_and_json_files_become_rows(fixtures: Path) -> None:
    assert read_rows(fixtures / "cmdb.csv")[0]["Host Name"] == "web-01"
    assert read_rows(fixtures / "scan.json")[1]["cpu_cores"] == "8"


def test_other_files_are_refused(fixtures: Path, tmp_path: Path) -> None:
    (tmp_path / "x.xls").touch()
    with pytest.raises(ValueError, match=r"neither \.csv nor \.json"):
        read_rows(tmp_path / "x.xls")
    with pytest.raises(ValueError, match="not a list of objects"):
        read_rows(fixtures / "tenants.json")

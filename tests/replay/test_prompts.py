"""`wavecrew replay --agents / --tasks`: which recorded requests another text would alter."""

from __future__ import annotations

import json

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def altered(house, *options):
    done = house.replay("--json", *options)
    assert done.code in (0, 3), done.err
    report = json.loads(done.out)
    assert report["same"] == (done.code == 0)
    return {(one["kind"], one["subject"], one["attempt"]): one for one in report["altered"]}


def test_the_same_files_alter_nothing(recorded):
    files = (f"--agents={recorded.root}/agents.yaml", f"--tasks={recorded.root}/tasks.yaml")
    done = recorded.replay(*files)
    assert done.code == 0, (done.out, done.err)
    assert "no recorded request would be another one" in done.out


def test_a_changed_role_alters_every_request_of_its_own_agents(house):
    file = house.root / "agents.yaml"
    roles = json.loads(file.read_text())
    roles["second"]["goal"] = "Large functions, each without a test"
    file.write_text(json.dumps(roles))
    found = altered(house, f"--agents={file}")
    assert set(found) == {("task", "1.2", 1), ("task", "1.2", 2)}
    one = found["task", "1.2", 1]
    assert one["exchanges"] == [2, 4, 6]
    assert "+Your goal: Large functions, each without a test" in one["diff"]
    assert "--- system (recorded)" in one["diff"]


def test_a_tool_taken_away_shows_in_the_schemas(house):
    file = house.root / "agents.yaml"
    roles = json.loads(file.read_text())
    roles["second"]["tools"].remove("post_note")
    file.write_text(json.dumps(roles))
    diff = altered(house, f"--agents={file}")["task", "1.2", 2]["diff"]
    assert "post_note" in diff
    assert "--- tools (recorded)" in diff
    assert "--- system (recorded)" not in diff


def test_a_changed_description_alters_its_task_only(house):
    file = house.root / "tasks.yaml"
    file.write_text(file.read_text().replace("Do what task 1.3 is about.", "Count to three."))
    found = altered(house, f"--tasks={file}")
    assert set(found) == {("task", "1.3", 1)}
    assert "+Count to three." in found["task", "1.3", 1]["diff"]


def test_a_role_that_is_gone_is_named(house):
    file = house.root / "agents.yaml"
    roles = json.loads(file.read_text())
    del roles["keeper"]
    file.write_text(json.dumps(roles))
    found = altered(house, f"--agents={file}")
    assert found["sync", "end", 1]["gone"] == "there is no role 'keeper' any more"


def test_journals_without_schemas_are_compared_by_their_digest(house):
    records = house.records("1.1")
    for record in records:
        record.pop("beside", None)
    house.write_records(records, "1.1")
    file = house.root / "agents.yaml"
    assert ("task", "1.1", 1) not in altered(house, f"--agents={file}")
    roles = json.loads(file.read_text())
    roles["first"]["tools"].remove("search")
    file.write_text(json.dumps(roles))
    found = altered(house, f"--agents={file}", "--task=1.1")["task", "1.1", 1]
    assert found["exchanges"] == [2, 4]
    assert "--- tools (recorded)" in found["diff"]

"""The plan that ships: complete, free of errors, and its numbers as the plan's document has them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from wavecrew.plan.lint import check
from wavecrew.plan.load import Loaded, load
from wavecrew.plan.tool_names import MANAGER_TOOLS, SPECIALIST_TOOLS, known_tools
from wavecrew.schedule.ready import Schedule

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def shipped() -> Loaded:
    return load(ROOT / "agents.yaml", ROOT / "tasks.yaml", known_tools=known_tools())


def test_it_has_no_errors_and_only_the_known_warnings(shipped: Loaded) -> None:
    problems = check(shipped, ("migrations/versions/**",))
    assert {one.severity for one in problems} == {"warning"}
    told = [(one.kind, one.message) for one in problems]
    assert [(kind, "discovery/models/__init__.py" in text) for kind, text in told] == [
        ("mostly_idle_role", False),
        ("overloaded_role", False),
        ("colliding_writes", True),
    ]
    assert [one.ids for one in problems[:2]] == [("pattern_storage",), ("dependency_analysis",)]


def test_it_has_the_35_tasks_and_256_hours_of_the_plan(shipped: Loaded) -> None:
    ids = [task.id for task in shipped.plan.tasks]
    expected = [f"{group}.{number}" for group in range(1, 8) for number in range(1, 6)]
    assert sorted(ids) == expected
    assert sum(task.estimate_h or 0 for task in shipped.plan.tasks) == 256


def test_every_agent_has_the_hours_the_plan_gives_it(shipped: Loaded) -> None:
    hours: Counter[str] = Counter()
    for task in shipped.plan.tasks:
        hours[task.agent] += int(task.estimate_h or 0)
    assert hours == {
        "database_schema": 20,
        "data_storage": 12,
        "pattern_storage": 4,
        "flow_modification": 12,
        "merge_strategy": 18,
        "pattern_learning": 20,
        "lineage_sharing": 14,
        "reconciliation": 44,
        "asset_management": 32,
        "dependency_analysis": 80,
    }


def test_every_task_says_what_done_is(shipped: Loaded) -> None:
    for task in shipped.plan.tasks:
        assert task.done_when, task.id
        assert task.may_write, task.id
        assert len(task.description) > 150, task.id


def test_specialists_have_their_tools_and_the_manager_crew_its_own(shipped: Loaded) -> None:
    managers = [role for role in shipped.roles.values() if role.manager]
    assert [role.name for role in managers] == ["integration_manager", "reviewer"]
    for role in managers:
        assert set(MANAGER_TOOLS) <= set(role.tools)
        assert not set(role.tools) & {"write_file", "submit"}
    assert "submit" in SPECIALIST_TOOLS
    assert all("submit" in role.tools for role in shipped.roles.values() if not role.manager)


def test_the_first_wave_starts_with_the_three_free_tables(shipped: Loaded) -> None:
    schedule = Schedule(shipped.plan, shipped.roles)
    now = schedule.ready(merged=set(), running=set(), blocked=set(), open_syncs=set(), agents=10)
    assert set(now) == {"1.1", "1.2", "3.1"}
    wave_1 = {task.id for task in shipped.plan.tasks if task.wave == "1"}
    assert schedule.due_syncs(wave_1, set()) == ("after-wave-1",)
    assert schedule.unblocks({"1.1"}, "1.2") == ("1.3", "1.4", "1.5")

"""The names a plan may use are the tools there are."""

from __future__ import annotations

from tools import builtin
from tools.registry import ToolRegistry
from wavecrew.plan.tool_names import MANAGER_TOOLS, SPECIALIST_ENDS, known_tools


def test_the_names_for_plans_are_those_of_the_registry() -> None:
    registry = ToolRegistry()
    for function in builtin.TOOLS:
        registry.register(function)
    assert known_tools() == registry.names()
    specs = [registry.get(name) for name in registry.names()]
    assert {spec.name for spec in specs if spec.manager} == set(MANAGER_TOOLS)
    assert {spec.name for spec in specs if spec.ends and not spec.manager} == set(SPECIALIST_ENDS)

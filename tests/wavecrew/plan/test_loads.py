"""Tasks that are too large, roles that have too much to do, and roles that have next to nothing."""

from __future__ import annotations

from wavecrew.plan.graph import Graph
from wavecrew.plan.load import Loaded
from wavecrew.plan.loads import large_tasks, loads
from wavecrew.plan.model import Plan, Role
from wavecrew.plan.settings import Settings


def loaded(hours: dict[str, list[float]], claim: float | None = None, parallel: int = 1) -> Loaded:
    tasks = [
        {"id": f"{name}{number}", "title": "t", "agent": name, "description": "d"}
        | {"expected_output": "e", "estimate_h": estimate}
        for name, estimates in hours.items()
        for number, estimate in enumerate(estimates)
    ]
    claims = [] if claim is None else [{"what": "makespan_h", "hours": claim}]
    plan = Plan.model_validate({"title": "T", "waves": (), "tasks": tasks, "claims": claims})
    base = {"role": "r", "goal": "g", "backstory": "b", "archetype": "flow", "tools": ["submit"]}
    roles = {
        name: Role.model_validate({"name": name, "parallel": parallel, **base}) for name in hours
    }
    return Loaded(plan, roles, Settings())


def found(plan: Loaded) -> list[tuple[str, str]]:
    return [(one.kind, one.ids[0]) for one in loads(plan, Graph(plan.plan))]


def test_a_task_of_more_than_16_hours_is_too_large() -> None:
    plan = loaded({"a": [16, 16.5]})
    (problem,) = large_tasks(plan, Graph(plan.plan))
    assert (problem.ids, problem.severity) == (("a1",), "warning")


def test_a_role_that_needs_all_the_claimed_time_is_overloaded() -> None:
    hours = {"a": [10, 10], "b": [5], "c": [5]}
    assert found(loaded(hours, claim=20)) == [("overloaded_role", "a")]
    assert found(loaded(hours, claim=21)) == []
    assert found(loaded(hours, claim=20, parallel=2)) == []


def test_without_a_claim_the_longest_chain_and_the_even_share_decide() -> None:
    assert found(loaded({"a": [10] * 5, "b": [5], "c": [5]})) == [("overloaded_role", "a")]
    assert found(loaded({"a": [10, 10], "b": [10], "c": [10]})) == []


def test_a_role_with_less_than_a_tenth_of_the_time_is_mostly_idle() -> None:
    hours = {"a": [10, 10], "b": [5], "c": [2]}
    assert found(loaded(hours, claim=40)) == [("mostly_idle_role", "c")]


def test_two_roles_or_no_estimates_say_nothing_about_shares() -> None:
    assert found(loaded({"a": [90], "b": [1]}, claim=20)) == []
    assert found(loaded({"a": [0], "b": [0], "c": [0]})) == []

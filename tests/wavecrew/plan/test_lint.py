"""Every rule of the linter: a plan that breaks it, and that the message helps."""

from __future__ import annotations

import time
from typing import Any

import pytest

from wavecrew.plan.lint import check
from wavecrew.plan.load import Loaded
from wavecrew.plan.model import Plan, Role
from wavecrew.plan.problem import Problem
from wavecrew.plan.settings import Settings


def task(id_: str, *needs: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "title": id_,
        "agent": "a",
        "description": "d",
        "expected_output": "e",
        "estimate_h": 1,
        "depends_on": needs,
        "may_write": [f"src/{id_}.py"],
        **more,
    }


def role(name: str, **more: Any) -> Role:
    base: dict[str, Any] = {"role": "r", "goal": "g", "backstory": "b", "archetype": "flow"}
    base["tools"] = ["report" if more.get("manager") else "submit"]
    return Role.model_validate({"name": name, "may_write": ["/src/"], "parallel": 9} | base | more)


def lint(
    *tasks: dict[str, Any],
    syncs: tuple[dict[str, Any], ...] = (),
    roles: tuple[Role, ...] = (role("a"),),
    converging: tuple[str, ...] = (),
    settings: Settings | None = None,
) -> tuple[Problem, ...]:
    plan = Plan.model_validate(
        {
            "title": "T",
            "waves": [{"id": "1"}, {"id": "2"}],
            "tasks": tasks,
            "sync_points": [{"title": "s", **sync} for sync in syncs],
        }
    )
    by_name = {one.name: one for one in roles}
    return check(Loaded(plan, by_name, settings or Settings()), converging)


def test_a_sound_plan_has_no_problem() -> None:
    sync = {"id": "s", "after_tasks": ["1"], "holds_tasks": ["2"]}
    assert lint(task("1"), task("2", "1"), syncs=(sync,)) == ()


def only(problems: tuple[Problem, ...]) -> tuple[str, str, tuple[str, ...]]:
    (problem,) = problems
    return problem.kind, problem.severity, problem.ids


@pytest.mark.parametrize(
    ("tasks", "more", "expected"),
    [
        ([task("1"), task("1")], {}, ("duplicate_task", "error", ("1",))),
        ([task("1", "9")], {}, ("unknown_task", "error", ("1", "9"))),
        ([task("1", wave="7")], {}, ("unknown_wave", "error", ("1", "7"))),
        ([task("1", "1")], {}, ("cycle", "error", ("1",))),
        ([task("1", "2"), task("2", "1")], {}, ("cycle", "error", ("1", "2"))),
        (
            [task("1", wave="1"), task("2", wave="2"), task("3", "2", wave="1")],
            {},
            ("wave_order", "error", ("3", "2")),
        ),
        ([task("1")], {"syncs": ({"id": "s"},)}, ("empty_sync", "error", ("s",))),
        (
            [task("1")],
            {"syncs": ({"id": "s", "after_waves": ["2"]},)},
            ("empty_sync", "error", ("s",)),
        ),
        ([task("1")], {"roles": (role("a"), role("b"))}, ("idle_role", "warning", ("b",))),
        (
            [task("1")],
            {"roles": (role("a", manager=True),)},
            ("manager_with_tasks", "error", ("a", "1")),
        ),
        ([task("1")], {"roles": (role("a", tools=["git_*"]),)}, ("no_end", "error", ("a",))),
        (
            [task("1")],
            {"roles": (role("a", tools=["*", "report"]),)},
            ("foreign_tool", "error", ("a", "report")),
        ),
        ([task("1", may_write=["/doc/"])], {}, ("out_of_role", "error", ("1", "a"))),
        (
            [task("1")],
            {"roles": (role("a", may_write=[]),)},
            ("nothing_to_write", "error", ("1", "a")),
        ),
        ([task("1", estimate_h=None)], {}, ("no_estimate", "warning", ("1",))),
        ([task("1")], {"settings": Settings(checks=())}, ("no_acceptance", "error", ("1",))),
        (
            [task("1", consumes=[{"symbol": "m.C"}])],
            {},
            ("contract_not_provided", "warning", ("1",)),
        ),
        (
            [task("1", provides=[{"symbol": "m.C"}]), task("2", consumes=[{"symbol": "m.C.f"}])],
            {},
            ("contract_not_awaited", "error", ("2", "1")),
        ),
        (
            [
                task("1", provides=[{"symbol": "m.f", "signature": "(x: int) -> str"}]),
                task("2", "1", consumes=[{"symbol": "m.f", "signature": "(x: str) -> str"}]),
            ],
            {},
            ("contract_differs", "error", ("2", "1")),
        ),
        (
            [task("1", may_write=["src/x/"]), task("2", may_write=["src/x/y.py"])],
            {},
            ("colliding_writes", "warning", ("1", "2")),
        ),
    ],
)
def test_each_rule_finds_what_it_is_for(
    tasks: list[dict[str, Any]], more: dict[str, Any], expected: tuple[str, str, tuple[str, ...]]
) -> None:
    assert only(lint(*tasks, **more)) == expected


def test_a_contract_may_come_from_far_before_and_in_another_spelling() -> None:
    given = {"symbol": "m.f", "signature": "(x: int) -> str"}
    wanted = {"symbol": "m.f", "signature": "(x:int)->str"}
    assert (
        lint(task("1", provides=[given]), task("2", "1"), task("3", "2", consumes=[wanted])) == ()
    )


def test_a_task_on_both_sides_of_a_sync_point_keeps_it_closed() -> None:
    sync = {"id": "s", "after_tasks": ["1", "2"], "holds_tasks": ["2"]}
    assert only(lint(task("1"), task("2"), syncs=(sync,))) == (
        "before_and_held",
        "error",
        ("s", "2"),
    )


def test_a_need_across_a_sync_point_is_told_once_and_not_as_a_cycle() -> None:
    sync = {"id": "s", "after_tasks": ["1"], "holds_tasks": ["2"]}
    problems = lint(task("1", "3"), task("3", "2"), task("2"), syncs=(sync,))
    assert only(problems) == ("across_sync", "error", ("s", "1", "3"))
    assert "cannot start before that" in problems[0].message


def test_two_sync_points_that_wait_for_each_other_are_a_cycle() -> None:
    syncs = (
        {"id": "s", "after_tasks": ["1"], "holds_tasks": ["2"]},
        {"id": "t", "after_tasks": ["2"], "holds_tasks": ["1"]},
    )
    (problem,) = lint(task("1"), task("2"), syncs=syncs)
    assert problem.kind == "cycle"
    assert "sync s" in problem.message
    assert "sync t" in problem.message


@pytest.mark.parametrize(
    ("second", "more"),
    [
        (task("2", "1", may_write=["src/x.py"]), {}),
        (task("2", may_write=["src/x.py"], conflicts_with=["1"]), {}),
        (task("2", may_write=["src/x.py"]), {"roles": (role("a", parallel=1),)}),
        (task("2", may_write=["src/x.py"]), {"converging": ("src/*.py",)}),
        (
            task("2", may_write=["src/x.py"]),
            {"syncs": ({"id": "s", "after_tasks": ["1"], "holds_tasks": ["2"]},)},
        ),
    ],
)
def test_writes_that_cannot_meet_are_no_problem(
    second: dict[str, Any], more: dict[str, Any]
) -> None:
    assert lint(task("1", may_write=["src/x.py"]), second, **more) == ()


def test_errors_come_before_warnings() -> None:
    severities = [one.severity for one in lint(task("1", "1", estimate_h=None), task("2", "9"))]
    assert severities == ["error", "error", "warning"]


def test_ten_thousand_tasks_are_judged_in_seconds() -> None:
    tasks = [task(str(n), *([str(n - 50)] if n >= 50 else [])) for n in range(10_000)]
    for one in tasks[::10]:
        one["may_write"] = ["src/shared.py", "src/part/"]
    started = time.process_time()
    kinds = {problem.kind for problem in lint(*tasks)}
    assert kinds == {"colliding_writes"}
    assert time.process_time() - started < 20

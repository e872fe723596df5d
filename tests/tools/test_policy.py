from __future__ import annotations

import pytest
from pydantic import ValidationError

from tools.policy import Call, decide, require_in_scope
from wavecrew.errors import ToolError
from wavecrew.plan.settings import PolicyRule


def rule(decision: str, **given: object) -> PolicyRule:
    return PolicyRule.model_validate({"decision": decision} | given)


def test_no_rule_means_deny() -> None:
    ruling = decide((), Call("builder", "read_file"))
    assert ruling.decision == "deny"
    assert "no rule lets the role 'builder' use 'read_file'" in ruling.reason


def test_the_first_rule_that_matches_decides() -> None:
    rules = (rule("deny", tools=("git_*",)), rule("ask", roles=("b*",)), rule("allow"))
    assert decide(rules, Call("builder", "git_log")).decision == "deny"
    assert decide(rules, Call("builder", "read_file")).decision == "ask"
    assert decide(rules, Call("other", "read_file")).decision == "allow"


def test_deny_needs_one_path_and_allow_needs_all() -> None:
    mixed = Call("b", "move_file", paths=("src/a", "docs/a"))
    assert decide((rule("deny", paths=("docs/**",)), rule("allow")), mixed).decision == "deny"
    assert decide((rule("allow", paths=("docs/**",)),), mixed).decision == "deny"
    both = (rule("allow", paths=("docs/**", "src/**")),)
    assert decide(both, mixed).decision == "allow"
    assert decide(both, Call("b", "read_board")).decision == "deny"


def test_a_command_is_searched() -> None:
    rules = (rule("deny", command=r"^git\s+push"), rule("allow"))
    assert decide(rules, Call("b", "run_command", command="git  push x")).decision == "deny"
    assert decide(rules, Call("b", "run_command", command="echo git push")).decision == "allow"


def test_a_rule_that_is_no_regular_expression_is_refused_when_read() -> None:
    with pytest.raises(ValidationError, match="not a regular expression"):
        rule("deny", command="(")


@pytest.mark.parametrize(
    ("scope", "path", "inside"),
    [
        ((("src/**",),), "src/a/b.py", True),
        ((("src/**",),), "srcs/a", False),
        ((("src",),), "src/a", True),
        ((("*.py",), ("src/**",)), "src/a.py", True),
        ((("*.py",), ("src/**",)), "a.py", False),
        ((("src/**", "!src/gen/**"),), "src/gen/a", False),
        (((),), "a", False),
        ((), "a", False),
    ],
)
def test_a_path_must_be_in_every_group(
    scope: tuple[tuple[str, ...], ...], path: str, inside: bool
) -> None:
    if inside:
        require_in_scope(scope, path)
    else:
        with pytest.raises(ToolError, match="may"):
            require_in_scope(scope, path)

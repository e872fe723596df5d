from __future__ import annotations

import json

import pytest

from tools.context import ToolContext
from tools.registry import Cancelled, ToolRegistry, tool
from tools.spec import Ended, TreePath, spec_of
from wavecrew.errors import EnvironmentBroken, PlanError, ToolError, UsageError
from wavecrew.plan.settings import Limits, PolicyRule
from wavecrew.plan.tool_names import MANAGER_TOOLS, known_tools

BUILT_IN = {
    *("list_files", "read_file", "search", "write_file", "edit_file", "apply_patch", "move_file"),
    *("delete_file", "run_command", "run_checks", "git_status", "git_diff", "git_log"),
    *("read_output", "read_contract", "read_board", "post_note", "submit"),
    *("run_integration", "branch_diff", "report"),
}


@tool()
def count_words(context: ToolContext, text: str, least: int = 1, exact: bool = False) -> str:
    """Count words.

    It is only a test.

    Args:
        text: What to count in,
            over two lines.
        least: Shortest word.
        exact: Unused.
    """
    return str(len([word for word in text.split() if len(word) >= least]))


def test_the_tools_that_prompts_and_scripts_name_exist() -> None:
    assert set(ToolRegistry.default().names()) >= BUILT_IN


def test_a_function_becomes_a_closed_schema() -> None:
    registry = ToolRegistry()
    registry.register(count_words)
    assert registry.schema(["count_words"]) == [
        {
            "type": "function",
            "function": {
                "name": "count_words",
                "description": "Count words.\n\nIt is only a test.",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "text": {
                            "type": "string",
                            "description": "What to count in, over two lines.",
                        },
                        "least": {
                            "type": "integer",
                            "default": 1,
                            "description": "Shortest word.",
                        },
                        "exact": {"type": "boolean", "default": False, "description": "Unused."},
                    },
                    "required": ["text"],
                    "additionalProperties": False,
                },
            },
        }
    ]


def test_every_built_in_tool_is_closed_described_and_named_as_providers_want() -> None:
    registry = ToolRegistry.default()
    for name in registry.names():
        spec = registry.get(name)
        assert spec.parameters["additionalProperties"] is False
        assert spec.description
        assert all(schema["description"] for schema in spec.parameters["properties"].values())
        assert "title" not in json.dumps(spec.parameters).replace('"title_', "")


def test_a_function_that_a_model_could_not_use_is_refused() -> None:
    with pytest.raises(TypeError, match="docstring"):
        tool("silent")(lambda context: "x")

    def untold(context: ToolContext, x: str) -> str:
        """Has no Args section."""
        return x

    with pytest.raises(TypeError, match="'x' needs a type and a line under Args"):
        tool()(untold)
    with pytest.raises(TypeError, match="no tool name"):
        tool("a b")(untold)
    with pytest.raises(UsageError, match="not decorated"):
        ToolRegistry().register(untold)


def test_a_name_is_given_once() -> None:
    registry = ToolRegistry.default()
    with pytest.raises(UsageError, match="two tools named 'submit'"):
        registry.add(registry.get("submit"))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"text": "a bb ccc", "least": 2}, "2"),
        ('{"text": "a bb", "least": "2"}', "1"),
        ({"text": "a", "least": 1.0, "exact": "true"}, "1"),
        ({"text": "a", "least": None}, "1"),
        ({"text": 12}, "1"),
        ('{"text": "two\nlines"}', "2"),
    ],
)
def test_what_a_model_plainly_means_is_taken(make_agent, arguments, text: str) -> None:
    agent = make_agent()
    agent.registry.register(count_words)
    result = agent.registry.call("count_words", arguments, agent.context)
    assert (result.text, result.ok, result.ended, result.mutated) == (text, True, False, False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ('{"text": "x", ', ["not valid JSON", "line 1, column 15", '"x", <HERE>']),
        ('["text"]', ["must be one JSON object, not an array"]),
        ("null", ["not null"]),
        ('"text"', ["not a string"]),
        ("[" * 100_000, ["cannot be read"]),
        ("", ["'text' is missing: What to count in"]),
        ({"txet": "x"}, ["no argument 'txet'; did you mean 'text'?", "'text' is missing"]),
        ({"text": "x", "least": "many"}, ["'least'", "valid integer", "got 'many'"]),
        ({"text": ["x"]}, ["'text'", "valid string"]),
        ({"text": None}, ["'text'", "valid string"]),
    ],
)
def test_wrong_arguments_are_told_with_what_is_expected(
    make_agent, arguments, told: list[str]
) -> None:
    agent = make_agent()
    agent.registry.register(count_words)
    result = agent.registry.call("count_words", arguments, agent.context)
    assert not result.ok
    for part in told:
        assert part in result.text
    assert (
        "Expected: count_words(text: string, least: integer = 1, exact: boolean = False)"
        in result.text
    )


def test_an_unknown_tool_names_the_nearest_and_what_may_be_used(make_agent) -> None:
    agent = make_agent(tools=("read_file", "git_*", "submit"))
    text = agent.fails("raed_file", path="x")
    assert "'raed_file' does not exist; did you mean 'read_file'?" in text
    assert "read_file, git_status, git_diff, git_log, submit, read_output" in text
    assert "may not be used by this role" in agent.fails("write_file", path="x", content="")


def test_a_role_gets_what_its_list_names_in_its_order(role) -> None:
    registry = ToolRegistry.default()
    names = [spec.name for spec in registry.allowed(role(tools=("submit", "git_*", "git_log")))]
    assert names == ["submit", "git_status", "git_diff", "git_log", "read_output"]
    everything = {spec.name for spec in registry.allowed(role(tools=("*",)))}
    assert "report" not in everything
    assert "submit" in everything
    managing = {spec.name for spec in registry.allowed(role(tools=("*",), manager=True))}
    assert "report" in managing
    assert "submit" not in managing


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("read_fil", "tool does not exist: 'read_fil'; did you mean 'read_file'?"),
        ("giit_*", "glob matches no tool: 'giit_*'"),
        ("report", "the tool 'report' is the manager crew's only"),
        ("mcp:docs", "'mcp:docs' is not a running server"),
    ],
)
def test_a_role_that_names_what_is_not_there_is_a_plan_error(role, entry: str, told: str) -> None:
    with pytest.raises(PlanError, match="role 'builder'") as caught:
        ToolRegistry.default().allowed(role(tools=("read_file", entry)))
    assert told in caught.value.what


def failing(error: BaseException) -> object:
    @tool("failing", mutates=True)
    def raises(context: ToolContext) -> str:
        """Fails."""
        raise error

    return raises


@pytest.mark.parametrize(
    "error", [SystemExit(3), ZeroDivisionError("by zero"), GeneratorExit(), MemoryError()]
)
def test_a_tool_that_breaks_is_told_and_breaks_nothing(make_agent, error: BaseException) -> None:
    agent = make_agent()
    agent.registry.register(failing(error))
    result = agent.call("failing")
    assert not result.ok
    assert result.mutated
    assert f"failing failed: {type(error).__name__}" in result.text


@pytest.mark.parametrize(
    "error", [Cancelled(), KeyboardInterrupt(), EnvironmentBroken("the sandbox is gone")]
)
def test_what_ends_the_attempt_is_not_swallowed(make_agent, error: BaseException) -> None:
    agent = make_agent()
    agent.registry.register(failing(error))
    with pytest.raises(type(error)):
        agent.call("failing")


def test_only_a_tool_that_may_end_ends(make_agent) -> None:
    @tool("ending", ends=True)
    def ending(context: ToolContext) -> Ended:
        """Ends."""
        return Ended("over")

    @tool("not_ending")
    def not_ending(context: ToolContext) -> Ended:
        """Says that it ends."""
        return Ended("over")

    agent = make_agent()
    agent.registry.register(ending)
    agent.registry.register(not_ending)
    assert agent.call("ending").ended
    assert not agent.call("not_ending").ended


def test_a_tool_of_anybodys_is_held_to_the_scope_by_its_types(make_agent) -> None:
    @tool(mutates=True)
    def touch(context: ToolContext, path: TreePath) -> str:
        """Make an empty file.

        Args:
            path: The file.
        """
        context.tree.write(path, b"")
        return "made"

    agent = make_agent(scope=(("src/**",),))
    agent.registry.register(touch)
    assert agent.ok("touch", path="./src//a") == "made"
    assert "outside" in agent.fails("touch", path="b")
    assert "'..'" in agent.fails("touch", path="src/../b")


def test_policy_rules_stand_before_the_roles_list(make_agent) -> None:
    deny = PolicyRule(decision="deny", tools=("run_*",), command=r"\bpip\b", reason="use the venv")
    keep = PolicyRule(decision="deny", tools=("*",), paths=("docs/**",), reason="docs are frozen")
    ask = PolicyRule(decision="ask", tools=("delete_file",), reason="deletions are looked at")
    agent = make_agent(policy=(deny, keep, ask))
    agent.put("docs/a", "x")
    agent.put("b", "x")
    assert "use the venv" in agent.fails("run_command", command="pip install x")
    assert "exit code 0" in agent.ok("run_command", command="true")
    assert "docs are frozen" in agent.fails("write_file", path="docs/b", content="")
    patch = "--- a/docs/a\n+++ b/docs/a\n@@ -1 +1 @@\n-x\n+y\n"
    assert "docs are frozen" in agent.fails("apply_patch", patch=patch)
    assert "there is nobody to ask" in agent.fails("delete_file", path="b")
    asked: list[str] = []
    agent.context.approve = lambda call: bool(asked.append(call))
    assert "denied by a person: deletions" in agent.fails("delete_file", path="b")
    assert asked == ["delete_file(b)"]
    agent.context.approve = lambda call: True
    agent.ok("delete_file", path="b")


def test_calls_of_one_attempt_never_overlap(make_agent) -> None:
    held: list[bool] = []

    @tool()
    def looks_at_the_lock(context: ToolContext) -> str:
        """Look."""
        held.append(context.lock._is_owned())  # type: ignore[attr-defined]
        return ""

    agent = make_agent()
    agent.registry.register(looks_at_the_lock)
    agent.ok("looks_at_the_lock")
    assert held == [True]


def test_errors_are_cut_to_the_budget_too(make_agent) -> None:
    agent = make_agent(limits=Limits(output_kb=1))
    agent.registry.register(failing(ToolError("x\n" * 5000)))
    text = agent.fails("failing")
    assert len(text) <= 1100
    assert "read_output(name='failing-1'" in text


def test_a_decorated_function_is_still_a_function() -> None:
    assert count_words(None, "a b") == "2"
    assert spec_of(count_words) is not None
    assert spec_of(len) is None


def test_the_plans_list_of_tool_names_is_the_registrys() -> None:
    registry = ToolRegistry.default()
    built_in = {name for name in registry.names() if registry.get(name).source == "built-in"}
    assert set(known_tools()) == built_in
    managing = {name for name in built_in if registry.get(name).manager}
    assert set(MANAGER_TOOLS) == managing

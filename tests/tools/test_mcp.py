from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from tools.mcp import serving, tool_name
from tools.registry import ToolRegistry
from wavecrew.errors import EnvironmentBroken, PlanError
from wavecrew.plan.settings import McpServer

SERVER = '''
import os, sys, time
from mcp.server.fastmcp import FastMCP

server = FastMCP("notes", log_level="ERROR")
calls = 0

@server.tool(name="count.calls")
def count_calls(text: str, times: int = 1) -> str:
    """Count the calls of this process."""
    global calls
    calls += times
    return f"{text} {calls} in {os.getpid()}"

@server.tool()
def fails() -> str:
    """Fail."""
    raise ValueError("no such note")

@server.tool()
def hangs() -> str:
    """Never come back in time."""
    time.sleep(3)
    return "late"

@server.tool()
def dies() -> str:
    """End the server."""
    os._exit(3)

@server.tool()
def shows(name: str) -> str:
    """Show a variable."""
    return os.environ.get(name, "unset")

server.run()
'''


@pytest.fixture
def server(tmp_path: Path) -> McpServer:
    file = tmp_path / "server.py"
    file.write_text(SERVER)
    env = {"GIVEN": "yes"}
    return McpServer(command=sys.executable, args=("-P", str(file)), env=env, timeout_s=30)


@pytest.fixture
def notes(make_agent, server: McpServer, monkeypatch: pytest.MonkeyPatch):
    """An agent whose role may use the server `notes`, while it runs."""
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    agent = make_agent(tools=("mcp:notes", "read_file"))
    with serving(agent.registry, agent.context.assignment.role, {"notes": server}):
        yield agent


def test_one_server_process_serves_all_calls_and_is_gone_at_the_end(make_agent, server) -> None:
    agent = make_agent(tools=("mcp:notes", "read_file"))
    role = agent.context.assignment.role
    before = threading.active_count()
    with serving(agent.registry, role, {"notes": server, "unused": server}):
        first = agent.ok("notes_count_calls", text="a")
        second = agent.ok("notes_count_calls", text="b", times=2)
        pid = int(first.rpartition(" ")[2])
        assert first == f"a 1 in {pid}"
        assert second == f"b 3 in {pid}"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert threading.active_count() == before
    assert not [name for name in agent.registry.names() if name.startswith("notes_")]
    with pytest.raises(PlanError, match="not a running server"):
        agent.registry.allowed(role)


def test_the_servers_own_schema_and_mistakes_are_passed_through(notes) -> None:
    (schema,) = notes.registry.schema(["notes_count_calls"])
    assert schema["function"]["description"] == "Count the calls of this process."
    assert schema["function"]["parameters"]["required"] == ["text"]
    assert "no such note" in notes.fails("notes_fails")
    assert "times" in notes.fails("notes_count_calls", text="a", times="many")
    assert "text" in notes.fails("notes_count_calls")


def test_the_server_gets_the_environment_it_was_given_and_no_key(notes) -> None:
    assert notes.ok("notes_shows", name="GIVEN") == "yes"
    assert notes.ok("notes_shows", name="OPENAI_API_KEY") == "unset"


def test_a_server_that_dies_is_told_and_hangs_nobody(notes) -> None:
    assert "'notes'" in notes.fails("notes_dies")
    assert "'notes'" in notes.fails("notes_count_calls", text="a")


def test_a_call_that_takes_too_long_is_given_up(make_agent, server) -> None:
    agent = make_agent(tools=("mcp:notes",))
    quick = server.model_copy(update={"timeout_s": 2})
    try:
        with serving(agent.registry, agent.context.assignment.role, {"notes": quick}):
            assert "'notes' failed: Timed out" in agent.fails("notes_hangs")
    except EnvironmentBroken:
        pytest.skip("this machine is too slow to start the server in 2 s")


@pytest.mark.parametrize(
    ("command", "args", "told"),
    [
        ("/no/such/program", (), "No such file"),
        (sys.executable, ("-c", "raise SystemExit('bad configuration')"), "bad configuration"),
    ],
)
def test_a_server_that_does_not_start_is_the_environments_fault(
    make_agent, command: str, args: tuple[str, ...], told: str
) -> None:
    agent = make_agent(tools=("mcp:notes",))
    broken = McpServer(command=command, args=args, timeout_s=20)
    with (
        pytest.raises(EnvironmentBroken, match="'notes' does not start") as caught,
        serving(agent.registry, agent.context.assignment.role, {"notes": broken}),
    ):
        pass
    assert told in str(caught.value)


def test_a_server_that_says_nothing_is_given_up(make_agent) -> None:
    agent = make_agent(tools=("mcp:notes",))
    mute = McpServer(command="sleep", args=("60",), timeout_s=1)
    with (
        pytest.raises(EnvironmentBroken, match="does not start"),
        serving(agent.registry, agent.context.assignment.role, {"notes": mute}),
    ):
        pass


def test_names_are_what_model_providers_accept() -> None:
    assert tool_name("docs", "find.page") == "docs_find_page"
    assert tool_name("1st", "x") == "mcp_1st_x"
    long = tool_name("server", "x" * 100)
    assert len(long) == 64
    assert long != tool_name("server", "x" * 101)


def test_the_registry_knows_no_server_by_itself() -> None:
    assert not [name for name in ToolRegistry.default().names() if name.startswith("mcp")]

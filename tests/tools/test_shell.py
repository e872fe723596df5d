from __future__ import annotations

import threading
import time

import pytest

from tools.registry import Cancelled
from wavecrew.plan.settings import Limits


def test_a_command_runs_at_the_root_of_the_tree(agent) -> None:
    agent.put("a", "x\n")
    text = agent.ok("run_command", command="pwd; cat a; echo err >&2; echo new > b; exit 3")
    assert text.split("\n")[0].startswith("exit code 3 (")
    assert text.split("\n")[1:] == ["/workspace", "x", "err"]
    assert (agent.tree / "b").read_text() == "new\n"


def test_a_command_counts_as_a_change_of_the_tree(agent) -> None:
    result = agent.call("run_command", command="true")
    assert result.mutated
    assert result.text.endswith("(no output)")


def test_a_command_that_takes_too_long_is_ended_and_told(make_agent) -> None:
    agent = make_agent(limits=Limits(command_s=2))
    text = agent.ok("run_command", command="echo begun; sleep 60", timeout_s=500)
    assert text.startswith("killed: it ran longer than 2 s")
    assert "begun" in text


def test_output_is_told_without_what_steers_a_terminal(agent) -> None:
    text = agent.ok("run_command", command=r"printf '\033[31mred\033[0m\r\n\377'")
    assert "red" in text
    assert "\x1b" not in text


def test_the_host_cannot_be_seen_and_a_push_fails_by_itself(agent, tmp_path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("host")
    assert "host" not in agent.ok("run_command", command=f"cat {secret}").split("\n")
    text = agent.ok("run_command", command="git push origin HEAD")
    assert "exit code 128" in text or "exit code 1" in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"command": "  "}, "empty"),
        ({"command": "a\0b"}, "NUL"),
        ({"command": "true", "timeout_s": 0}, "more than 0"),
    ],
)
def test_a_command_that_cannot_be_run_says_why(agent, arguments, told: str) -> None:
    assert told in agent.fails("run_command", **arguments)


def test_a_cancelled_attempt_leaves_its_tool_at_once(agent) -> None:
    marker = agent.tree / "begun"

    def cancel() -> None:
        deadline = time.monotonic() + 20
        while not marker.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        agent.context.sandbox.cancel_all()

    cancelling = threading.Thread(target=cancel)
    cancelling.start()
    with pytest.raises(Cancelled):
        agent.call("run_command", command="touch begun; sleep 30")
    cancelling.join(10)

"""submit, the board and the manager crew's tools: what is asked of the engine, what is told."""

from __future__ import annotations

import subprocess

import pytest

from wavecrew.errors import EnvironmentBroken
from wavecrew.gates.model import Evidence, Finding, GateReport
from wavecrew.run.wire import (
    BoardNote,
    BoardRead,
    BoardText,
    BranchDiff,
    ContractRead,
    CrewReport,
    Gated,
    Integrate,
    Noted,
    Refused,
    Submit,
)


def gated(verdict: str, *, left: int = 2, accepted: bool | None = None) -> Gated:
    finding = Finding(rule="red_tests", message="test_a fails; mend it.", path="a.py", line=3)
    evidence = Evidence(
        check="unit", tree="t", command="pytest", verdict=verdict, passed=3, failed=1,
        failures=("tests/test_a.py::test_a",), log="assert 1 == 2",
    )  # fmt: skip
    red = verdict != "pass"
    report = GateReport(
        tree="t",
        base="b",
        verdict=verdict,
        findings=(finding,) if red else (),
        evidence=(evidence,),
    )
    return Gated(
        report=report, accepted=not red if accepted is None else accepted, attempts_left=left
    )


def test_an_accepted_submit_ends_the_conversation(agent) -> None:
    agent.put("a.py", "x = 1\n")
    agent.line.answer = lambda request: gated("pass")
    result = agent.call("submit", summary="It is done.")
    assert (result.ok, result.ended) == (True, True)
    (asked,) = agent.line.asked
    assert isinstance(asked, Submit)
    assert (asked.summary, asked.submission) == ("It is done.", 1)
    assert asked.tree == agent.workspace.snapshot()
    assert asked.pack.read_bytes().startswith(b"PACK")
    index = subprocess.run(
        ["git", "index-pack", "--stdin", "--strict"], cwd=agent.workspace.root / "snap",
        input=asked.pack.read_bytes(), capture_output=True, check=True,
    )  # fmt: skip
    assert index.stdout


def test_a_rejected_submit_tells_the_evidence_and_goes_on(agent) -> None:
    agent.line.answer = lambda request: gated("fail")
    text = agent.fails("submit", summary="Done.")
    for part in (
        *("Verdict: fail", "red_tests: a.py:3: test_a fails; mend it.", "Mend it and submit again"),
        *("check 'unit': fail (3 passed, 1 failed", "tests/test_a.py::test_a", "assert 1 == 2"),
    ):
        assert part in text
    agent.call("submit", summary="Done now.")
    assert [request.submission for request in agent.line.asked] == [1, 2]


def test_what_the_engine_does_not_accept_never_ends_it(agent) -> None:
    agent.line.answer = lambda request: gated("pass", left=0, accepted=False)
    assert "No submission is left" in agent.fails("submit", summary="Done.")


def test_a_refusal_of_the_engine_is_told(agent) -> None:
    agent.line.answer = lambda request: Refused(why="the run is paused")
    assert "the run is paused" in agent.fails("submit", summary="Done.")


def test_an_engine_that_is_gone_ends_the_attempt(agent) -> None:
    def gone(request: object) -> Noted:
        raise ConnectionError("the engine closed the line")

    agent.line.answer = gone
    with pytest.raises(EnvironmentBroken, match="does not answer"):
        agent.call("read_board")
    agent.line.answer = lambda request: Noted()
    with pytest.raises(EnvironmentBroken, match="answered Noted to BoardRead"):
        agent.call("read_board")


def test_a_nested_repository_is_told_before_anything_is_submitted(agent) -> None:
    agent.ok("run_command", command="mkdir sub && git init -q sub")
    assert "sub" in agent.fails("submit", summary="Done.")
    assert agent.line.asked == []
    assert agent.context.submissions == 0


def test_an_empty_summary_is_refused(agent) -> None:
    assert "summary is empty" in agent.fails("submit", summary=" ")


def test_the_board_is_read_and_written(agent) -> None:
    agent.line.answer = lambda request: (
        Noted() if isinstance(request, BoardNote) else BoardText(text="the board")
    )
    assert agent.ok("read_board") == "the board"
    assert agent.ok("read_contract", task="1.2") == "the board"
    assert agent.ok("post_note", text=" Base moved. ") == "posted"
    agent.ok("post_note", text="Base moved.")
    agent.ok("post_note", text="Another.")
    board, contract, first, again, other = agent.line.asked
    assert (board, contract) == (BoardRead(), ContractRead(task="1.2"))
    assert first.text == "Base moved."
    assert first == again
    assert first.note != other.note
    assert "1 to 2000 characters" in agent.fails("post_note", text="x" * 2001)


def test_the_manager_looks_and_reports(make_agent) -> None:
    agent = make_agent(manager=True)
    agent.line.answer = lambda request: {
        Integrate: gated("fail"), BranchDiff: BoardText(text=""), CrewReport: Noted()
    }[type(request)]  # fmt: skip
    assert "Verdict: fail" in agent.ok("run_integration")
    assert agent.ok("branch_diff", task="1.2") == "the branch changes nothing"
    assert "send_back needs a reason" in agent.fails("report", summary="s", send_back="1.2")
    result = agent.call("report", summary="s", send_back="1.2", reason="r", raise_to_human="false")
    assert result.ended
    assert agent.line.asked[-1] == CrewReport(summary="s", send_back="1.2", reason="r")
    assert "may not be used" in agent.fails("submit", summary="s")


def test_git_is_asked_about_the_workspace(agent) -> None:
    agent.put("a/b.txt", "new\n")
    agent.put("c.txt", "other\n")
    assert "a/" in agent.ok("git_status")
    assert "+new" in agent.ok("git_diff")
    assert "+other" not in agent.ok("git_diff", path="a")
    assert agent.ok("git_diff", path="nowhere") == "no difference"
    assert "the base" in agent.ok("git_log", count=5)
    assert "1 to 200" in agent.fails("git_log", count=0)

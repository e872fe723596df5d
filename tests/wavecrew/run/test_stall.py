"""When an attempt counts as stalled, by a clock that the test turns; and how the engine ends one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.journal.attempt import AttemptJournal, JournalTail
from wavecrew.plan.model import Role
from wavecrew.plan.settings import Budget, Check, Limits, ModelSettings, SandboxSettings
from wavecrew.run.budget import Purse
from wavecrew.run.host import ProcessHost
from wavecrew.run.session import run_session
from wavecrew.run.stall import SAME_CALLS, Allowed, StallWatch
from wavecrew.run.stop import Stop
from wavecrew.run.wire import Assignment, Granted, Noted, Reserve, Settle, WorkspacePlace

ALLOWED = Allowed(quiet_s=100, model_s=400, tool_s=250)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A watch, and an attempt as the engine sees one."""

    def __init__(self, allowed: Allowed = ALLOWED) -> None:
        self.clock = Clock()
        self.watch = StallWatch(allowed, self.clock)

    def after(self, seconds: float) -> str:
        """What the watch says then; it was asked every second, as the engine does."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now = min(until, self.clock.now + 1)
            said = self.watch.stalled()
        return said

    def intent(self, kind: str, **request: Any) -> None:
        record = {"record": "intent", "kind": kind, "digest": str(request), "request": request}
        self.watch.recorded(record)
        self._digest = str(request)

    def tool(self, name: str, arguments: str, text: str) -> None:
        self.intent("tool", tool=name, arguments=arguments)
        reply = {"text": text}
        record = {"record": "reply", "kind": "tool", "digest": self._digest, "reply": reply}
        self.watch.recorded(record)

    def model(self, *calls: str) -> None:
        self.intent("model", messages=2)
        reply = {"say": "", "calls": [{"name": call} for call in calls]}
        record = {"record": "reply", "kind": "model", "digest": "m", "reply": reply}
        self.watch.recorded(record)


def test_an_agent_that_says_nothing_more_is_told_with_its_last_exchanges() -> None:
    it = Watched()
    it.model("read_file")
    it.tool("read_file", '{"path": "a.py"}', "1: a = 1\n2: b = 2")
    assert it.after(100) == ""
    said = it.after(1)
    assert said.startswith("no progress for 1.7 min; last exchanges: model: read_file | ")
    assert 'read_file {"path": "a.py"} -> 1: a = 1 2: b = 2' in said
    assert "\n" not in said


def test_a_model_call_and_a_command_have_their_own_deadlines() -> None:
    it = Watched()
    it.intent("model", messages=2)
    assert it.after(400) == ""
    assert "after a model call began" in it.after(1)
    it = Watched()
    it.intent("tool", tool="run_command", arguments="{}")
    assert it.after(250) == ""
    assert "after the tool call 'run_command' began" in it.after(1)


def test_the_start_with_its_set_up_may_take_as_long_as_a_command() -> None:
    it = Watched()
    assert it.after(250) == ""
    assert "no progress" in it.after(1)


def test_a_storm_of_429_is_no_stall_however_long_it_lasts() -> None:
    it = Watched()
    it.intent("model", messages=2)
    for _ in range(20):
        it.watch.heard(Reserve(prompt=9, answer=9), Granted(granted=False, wait_s=600))
        assert it.after(600 + 300) == ""
        it.watch.heard(Reserve(prompt=9, answer=9), Granted(granted=True, wait_s=200))
        assert it.after(200 + 300) == ""
        it.watch.heard(Settle(trouble="busy", took_s=3), Noted())
        assert it.after(300) == ""
    assert it.after(101) != ""
    assert it.watch.idle_s == 20 * (600 + 200 + 3)


def test_the_time_of_an_answer_is_the_attempts_own() -> None:
    it = Watched()
    it.watch.heard(Settle(prompt=9, answer=1, took_s=50), Noted())
    assert it.watch.idle_s == 0


def test_an_agent_waiting_for_the_engine_does_not_stall() -> None:
    it = Watched()
    it.model("submit")
    with it.watch.answering():
        assert it.after(5000) == ""
    assert it.after(100) == ""
    assert it.after(1) != ""


def test_time_in_which_the_engine_slept_does_not_count() -> None:
    it = Watched()
    it.model("read_file")
    assert it.after(50) == ""
    it.clock.now += 5000
    assert it.watch.stalled() == ""
    assert it.after(50) == ""
    assert it.after(1) != ""


def test_going_in_circles_is_a_stall_though_timings_differ() -> None:
    it = Watched()
    for n in range(SAME_CALLS + 1):
        assert it.watch.stalled() == ""
        it.model("run_checks")
        it.tool("run_checks", "{}", f"1 failed in 0.{n} s")
        it.tool("read_file", "{}", "same")
    assert "'read_file' came back 12 more times with the same" in it.watch.stalled()


def test_the_same_call_with_something_new_between_is_work() -> None:
    it = Watched()
    for n in range(5 * SAME_CALLS):
        it.tool("run_checks", "{}", "1 failed")
        it.tool("edit_file", f'{{"n": {n}}}', "edited")
        assert it.watch.stalled() == ""


def test_zero_switches_it_off() -> None:
    it = Watched(Allowed(quiet_s=0, model_s=1, tool_s=1))
    assert it.after(10_000) == ""


@given(gaps=st.lists(st.floats(0, 99), min_size=1, max_size=30))
def test_who_makes_progress_in_time_is_never_ended(gaps: list[float]) -> None:
    it = Watched()
    for n, gap in enumerate(gaps):
        it.tool("edit_file", str(n), "edited")
        assert it.after(gap + 1) == ""


def test_a_tail_gives_each_whole_record_once(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    tail = JournalTail(path)
    assert tail.new() == []
    journal = AttemptJournal.open(path)
    journal.exchange("tool", {"tool": "a"}, lambda: {"text": "x"})
    assert [record["record"] for record in tail.new()] == ["intent", "reply"]
    with path.open("ab") as file:
        file.write(b'{"record": "int')
    assert tail.new() == []
    journal.close()
    AttemptJournal.open(path).exchange("tool", {"tool": "a"}, dict)
    assert tail.new() == []


# The engine's side, with a process that does what a hung agent does.

HUNG = """
import json, os, signal, subprocess, sys, time
print(json.dumps({"ready": True}), flush=True)
agent = None
for line in sys.stdin:
    told = json.loads(line)
    if "start" in told:
        place = json.load(open(told["start"]))
        intent = {"record": "intent", "kind": "tool", "digest": "d",
                  "request": {"tool": "run_command", "arguments": "{}"}}
        with open(place["journal"], "a") as journal:
            journal.write(json.dumps(intent) + "\\n")
        sleeper = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
        agent = subprocess.Popen([sys.executable, "-c", sleeper])
        with open(os.path.join(os.path.dirname(place["journal"]), "pid"), "w") as file:
            file.write(str(agent.pid))
        print(json.dumps({"started": told["start"] and told["id"], "pid": agent.pid}), flush=True)
    elif "stop" in told:
        agent.send_signal(signal.SIGTERM)
    else:
        agent.kill()
        agent.wait()
        print(json.dumps({"ended": told["kill"], "status": {}}), flush=True)
"""


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    folder = tmp_path / "1"
    folder.mkdir()
    return Assignment(
        run="r1",
        kind="task",
        subject="1.1",
        attempt=1,
        role=Role(
            name="author",
            role="Author",
            goal="g",
            backstory="b",
            archetype="flow",
            tools=("submit",),
        ),
        model=ModelSettings(name="m", timeout_s=1, retries=0),
        limits=Limits(stall_minutes=0.01, command_s=1),
        sandbox=SandboxSettings(),
        workspace=WorkspacePlace(root=folder / "ws", objects=(), base="0" * 40),
        journal=folder / "journal.jsonl",
        home=folder / "home",
        socket=tmp_path / "s",
        deadline_s=600,
    )


def test_deadlines_are_added_up_from_the_assignment(assignment: Assignment) -> None:
    checks = (Check(name="a", run="true"), Check(name="b", run="true"))
    allowed = Allowed.of(assignment.model_copy(update={"checks": checks}))
    assert allowed == Allowed(quiet_s=0.6, model_s=61.0, tool_s=302.0)


def test_a_hung_agent_is_ended_as_stalled_and_nothing_of_it_lives(
    tmp_path: Path, assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wavecrew.run.stall.SNAPSHOT_S", 0.0)
    monkeypatch.setattr("wavecrew.run.session.PARK_S", 0.5)
    host = ProcessHost(tmp_path / "host", command=(sys.executable, "-c", HUNG))
    parts: Any = SimpleNamespace(
        host=host, sessions=set(), stop=Stop(), purse=Purse(Budget()), records=None
    )
    try:
        ended = run_session(parts, "1.1/1", assignment, lambda request: Noted())
    finally:
        host.close()
    assert ended.outcome == "stalled"
    assert "after the tool call 'run_command' began" in ended.detail
    pid = (tmp_path / "1" / "pid").read_text()
    assert not Path(f"/proc/{pid}").exists()


def test_an_agent_that_ended_by_itself_keeps_its_own_word(
    tmp_path: Path, assignment: Assignment
) -> None:
    ending = """
import json, os, sys
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    told = json.loads(line)
    if "start" in told:
        folder = os.path.dirname(told["start"])
        with open(os.path.join(folder, "outcome.json"), "w") as file:
            json.dump({"outcome": "gave_up", "detail": "enough"}, file)
        print(json.dumps({"started": told["id"], "pid": 1}), flush=True)
        print(json.dumps({"ended": told["id"], "status": {}}), flush=True)
"""
    host = ProcessHost(tmp_path / "host", command=(sys.executable, "-c", ending))
    parts: Any = SimpleNamespace(
        host=host, sessions=set(), stop=Stop(), purse=Purse(Budget()), records=None
    )
    try:
        ended = run_session(parts, "1.1/1", assignment, lambda request: Noted())
    finally:
        host.close()
    assert (ended.outcome, ended.detail) == ("gave_up", "enough")
    assert json.loads((tmp_path / "1" / "assignment.json").read_text())["subject"] == "1.1"


def test_a_restored_workspace_is_a_sign_of_life_and_no_reply() -> None:
    one = Watched()
    one.after(90)
    one.watch.recorded({"record": "restored", "snapshot": "a" * 40})
    assert not one.after(90)
    assert "no progress" in one.after(20)

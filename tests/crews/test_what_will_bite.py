"""CrewAI's ten traps, each with the test that shows us outside of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from crewai import Agent
from langchain_openai import ChatOpenAI
from pydantic import ValidationError

from crews.conversation import hold
from crews.endings import OutOfTime
from wavecrew.plan.settings import ModelSettings
from wavecrew.run.wire import Granted


def test_1_a_bare_chat_openai_is_refused_and_ours_asks_for_native_tools(desk, say):
    with pytest.raises(ValidationError, match="instance of BaseLLM"):
        Agent(role="r", goal="g", backstory="b", llm=ChatOpenAI(model="m", api_key="k"))
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [say.turn(say.call("submit", {"summary": "s"}))]
    assert desk.run().outcome == "passed"
    request = desk.model.requests[0]
    names = [tool["function"]["name"] for tool in request["tools"]]
    assert names == ["append", "look", "explode", "submit"]
    assert request["tool_choice"] == "required"
    assert "stop" not in request
    assert "parallel_tool_calls" not in request


def test_1_the_context_window_is_the_models_own(desk):
    from crews.chat_model import ChatModel

    with_window = ChatModel.open(
        ModelSettings(name="m", base_url="http://h", context_window=100_000), None
    )
    assert with_window.get_context_window_size() == 85_000
    assert with_window.supports_function_calling()
    assert not with_window.supports_stop_words()


def test_2_an_agent_starts_no_thread_and_its_tools_run_in_the_calling_one(desk, say, monkeypatch):
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def watched(thread: threading.Thread) -> None:
        if threading.current_thread() is threading.main_thread():
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", watched)
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [
        say.turn(say.call("append", {"text": "a"}, "c1"), say.call("append", {"text": "b"}, "c2")),
        say.turn(say.call("submit", {"summary": "s"})),
    ]
    assert desk.run().outcome == "passed"
    assert started == []
    shown = [m["content"] for m in desk.model.requests[-1]["messages"] if m["role"] == "tool"]
    assert shown == [f"appended 1; thread {threading.get_ident()}"] * 2
    assert desk.workspace.text == "ab"


def test_3_no_crew_waits_for_a_lock_of_another_process_or_writes_a_database(
    desk, say, crewai_home, monkeypatch
):
    from crewai_core import lock_store

    def no_lock(*_: object, **__: object) -> None:
        raise AssertionError("a lock between processes was taken")

    monkeypatch.setattr("portalocker.Lock", no_lock)
    monkeypatch.setattr("sqlite3.connect", no_lock)
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [say.turn(say.call("submit", {"summary": "s"}))]
    assert desk.run().outcome == "passed"
    with lock_store.lock("any"):  # what remains of CrewAI's locks is in this process
        pass
    assert not list(crewai_home.rglob("*.db"))


def test_4_time_that_is_up_ends_the_call_in_flight(desk, say):
    desk.model.answers = [{"hang": True}]
    assignment, attempt, context, registry = desk.open()

    def alarm(*_: object) -> None:
        attempt.stop.ask("out_of_time")

    before = signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.4)
    try:
        began = time.monotonic()
        outcome = hold(assignment, attempt, context, registry)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        attempt.journal.close()
    assert outcome.outcome == "out_of_time"
    assert time.monotonic() - began < 3
    assert len(desk.model.requests) == 1


def test_4_time_that_is_up_between_two_steps_lets_no_tool_run(desk, say):
    assignment, attempt, context, registry = desk.open()

    def stop_then_answer(_: object) -> dict[str, object]:
        attempt.stop._reason = "out_of_time"
        attempt.stop.asked.set()
        return say.turn(say.call("append", {"text": "late"}))

    desk.model.answers = [stop_then_answer]
    outcome = hold(assignment, attempt, context, registry)
    attempt.journal.close()
    assert outcome.outcome == OutOfTime.outcome
    assert desk.workspace.text == ""


def test_5_retries_do_not_multiply_and_no_tool_runs_twice(desk, say):
    desk.model.answers = [say.turn(say.call("append", {"text": "once"})), say.failure(500)]
    patience = Granted(granted=False, reason="the provider did not serve a call")
    desk.line.granted = [Granted(granted=True)] * 4 + [patience]
    assert desk.run().outcome == "out_of_budget"
    assert len(desk.model.requests) == 1 + 3  # one request for each reservation granted
    assert desk.workspace.text == "once"


def test_5_rate_limited_is_not_failed(desk, say):
    busy = say.failure(429, headers={"retry-after": "0.05"})
    desk.line.gated = [say.gated(True)]
    desk.model.answers = [busy] * 5 + [say.turn(say.call("submit", {"summary": "s"}))]
    outcome = desk.run()
    assert outcome.outcome == "passed", outcome
    assert outcome.model_calls == 1
    assert len(desk.model.requests) == 6


def test_5_what_a_provider_cost_in_time_is_not_the_attempts(desk, say):
    """Three tries that hang for 0.3 s each, under an alarm of 0.7 s: the attempt still ends well."""
    desk.settings = desk.settings.model_copy(update={"timeout_s": 0.3})
    desk.line.gated = [say.gated(True)]
    desk.line.granted = [Granted(granted=False, wait_s=0.4)]
    done = say.turn(say.call("submit", {"summary": "s"}))
    desk.model.answers = [{"hang": True}] * 3 + [done]
    assignment, attempt, context, registry = desk.open()
    before = signal.signal(signal.SIGALRM, lambda *_: attempt.stop.ask("out_of_time"))
    signal.setitimer(signal.ITIMER_REAL, 0.7)
    try:
        outcome = hold(assignment, attempt, context, registry)
        left_s, _ = signal.getitimer(signal.ITIMER_REAL)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        attempt.journal.close()
    assert outcome.outcome == "passed"
    assert left_s > 0


def test_6_steps_that_are_used_up_are_an_outcome_and_no_answer_is_forced(desk, say):
    looks = [say.turn(say.call("look", {"lines": n})) for n in range(20)]
    desk.model.answers = looks
    outcome = desk.run()
    assert outcome.outcome == "out_of_steps"
    assert len(desk.model.requests) == desk.role.max_iter
    assert all(request["tools"] for request in desk.model.requests)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"say": "half of a sen", "finish": "length"}, "cut off"),
        ({"say": "…", "finish": "content_filter"}, "content filter"),
        ({"say": None, "refusal": "I will not"}, "refuses: I will not"),
        ({"say": "  \n"}, "empty"),
        ({"say": None}, "empty"),
    ],
)
def test_6_half_an_answer_is_never_an_answer(desk, say, answer, why):
    desk.model.answers = [say.turn(**answer)]
    outcome = desk.run()
    assert outcome.outcome == "incomplete_answer"
    assert why in outcome.detail
    assert len(desk.model.requests) == 1


def test_7_the_same_result_ten_times_does_not_end_a_task(desk, say):
    desk.role = desk.role.model_copy(update={"max_iter": 40})
    desk.line.gated = [say.gated(True)]
    rounds = [say.turn(say.call("look")), say.turn(say.call("look", {"lines": 2}))] * 8
    desk.model.answers = [*rounds, say.turn(say.call("submit", {"summary": "s"}))]
    assert desk.run().outcome == "passed"


def test_7_the_same_call_in_a_row_without_end_is_given_up_by_name(desk, say):
    desk.role = desk.role.model_copy(update={"max_iter": 40})
    desk.model.answers = [say.turn(say.call("look"))]
    outcome = desk.run()
    assert outcome.outcome == "gave_up"
    assert "'look' 12 times in a row" in outcome.detail


def test_8_the_task_text_outlives_every_elision(desk, say):
    desk.settings = desk.settings.model_copy(update={"context_window": 3000})
    desk.line.gated = [say.gated(True)]
    looks = [say.turn(say.call("look", {"lines": 200 + n})) for n in range(8)]
    desk.model.answers = [*looks, say.turn(say.call("submit", {"summary": "s"}))]
    assert desk.run().outcome == "passed"
    first = desk.model.requests[0]["messages"]
    last = desk.model.requests[-1]["messages"]
    assert last[:2] == first[:2]
    assert len(json.dumps(last)) < 3000 * 4
    assert any("elided" in (message["content"] or "") for message in last)
    assert len(desk.model.requests) == 9  # no call was spent on a summary


HERMETIC = """
import os, signal, sys, warnings
from pathlib import Path
before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), warnings.warn
from crews import quiet
assert not quiet.is_prepared()
quiet.prepare(Path(sys.argv[1]))
after = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), warnings.warn
assert after == before, after
assert "FROM_DOTENV" not in os.environ
import threading
assert len(os.listdir("/proc/self/task")) == 1, threading.enumerate()
"""


def test_9_importing_it_is_silent_and_touches_only_its_own_home(tmp_path: Path):
    real_home, own_home, cwd = (tmp_path / name for name in ("real", "own", "cwd"))
    for folder in (real_home, cwd):
        folder.mkdir()
    (cwd / ".env").write_text("FROM_DOTENV=1\n")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(real_home),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-P", "-c", HERMETIC, str(own_home)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert list(real_home.rglob("*")) == []
    assert [file.name for file in cwd.iterdir()] == [".env"]
    assert list(own_home.rglob("secret.key")), "CrewAI writes its key somewhere else now"


def test_9_a_run_is_silent(desk, say, capfd):
    desk.model.answers = [
        say.turn(say.call("explode")),
        say.turn(say.call("nothing_like_it")),
        say.turn(say="I am done."),
        say.turn(say.call("look", "{not json")),
        say.failure(401, "bad key"),
    ]
    assert desk.run().outcome == "model_failed"
    assert capfd.readouterr() == ("", "")


def test_10_nobody_can_delegate_and_a_failed_worker_is_no_success(desk, say):
    desk.model.answers = [say.turn(say="The task is done, everything passes.")]
    outcome = desk.run()
    assert outcome.outcome == "gave_up"
    names = {t["function"]["name"] for r in desk.model.requests for t in r["tools"]}
    assert not {name for name in names if "coworker" in name}

"""A worker told to leave hands its work on; a run paused at the watcher is paused for all."""

from __future__ import annotations

import signal
import time
from types import SimpleNamespace

import pytest

TASKS = ("a", "b")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def left(crews, say, plan_of):
    crew = crews("left")
    flags = crew.story.flags()
    plan_of(crew.story, say, *TASKS, slow=flags)
    run = crew.submit()
    alone = crew.story.wait_for(lambda: crew.rows("select run from wavecrew.runs"), run)
    crew.worker("first")
    for task in TASKS:
        crew.wait_for_event(run, "agent_step", task=task, what="write_file")
    crew.worker("second")
    crew.story.wait_for(lambda: crew.doing()["second"] == "waits for work", run)
    told_at = time.monotonic()
    first = crew.leave("first")
    crew.story.wait_for(lambda: crew.doing()["second"] == "a/1, b/1", run)
    took_s = time.monotonic() - told_at
    run.send_signal(signal.SIGINT)
    paused = crew.story.finish(run)
    paused_state = crew.status().out
    crew.story.wait_for(lambda: crew.doing()["second"] == "idle", crew.workers["second"])
    (flags / "go").touch()
    done = crew.story.finish(crew.resume())
    second = crew.leave("second")
    return SimpleNamespace(
        crew=crew, alone=alone, first=first, took_s=took_s, paused=paused,
        paused_state=paused_state, done=done, second=second,
    )  # fmt: skip


def test_who_is_told_to_leave_parks_and_is_gone(left):
    assert left.first.code == 0, left.first.err
    assert "parked" in left.first.err


def test_the_other_takes_over_at_once(left):
    assert left.took_s < 15  # parking included


def test_ctrl_c_at_the_watcher_pauses_the_run_for_all(left):
    assert left.paused.code == 130, left.paused.err
    assert "is paused, nothing is lost" in left.paused.err
    assert "paused" in left.paused_state
    assert [e["pause"] for e in left.crew.events("run_paused")] == [1]


def test_it_is_resumed_for_all_and_nothing_is_paid_twice(left):
    assert left.done.code == 0, (left.done, left.second)
    assert [e["pause"] for e in left.crew.events("run_resumed")] == [1]
    for task in TASKS:
        assert left.crew.replies(task) == 4
    assert sorted(left.crew.story.landed()) == list(TASKS)
    assert left.crew.story.left_over() == []

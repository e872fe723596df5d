"""Ctrl-C in the middle of a long command: nothing is lost, nothing stays behind, the run goes on later."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from types import SimpleNamespace

import pytest

from wavecrew.rehearsal.server import serve

SOON_S = 8
"""Five seconds are promised; this machine may be a slow one."""


@pytest.fixture(scope="module")
def interrupted(stories, say):
    """A run with a merged task and one inside a command, interrupted, asked about, resumed."""
    story = stories("interrupt")
    flags = story.flags()
    story.agents("author", parallel=2)
    story.plan({"id": "quick", "agent": "author"}, {"id": "slow", "agent": "author"})
    story.talk("task/quick", say.function("quick", 1))
    wait = say.call("run_command", command=f"test -e {flags}/go || sleep 51.5", timeout_s=60)
    first, *rest = say.function("slow", 2)
    story.talk("task/slow", [first, wait, *rest])
    before = story.checkout_state()
    with serve(story.rehearsal) as model:
        story.model = lambda: ["--model=story-rehearsal", f"--base-url={model.base_url}"]
        run = story.start()
        story.wait_for_event(run, "task_completed", task="quick")
        story.wait_for(lambda: _sleeps(story), run)
        during = SimpleNamespace(
            text=story.wavecrew("status", f"--repo={story.repo}"),
            data=story.wavecrew("status", f"--repo={story.repo}", "--json"),
            second=story.resume(),
        )
        began = time.monotonic()
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does it: to all in the foreground
        stopped = story.finish(run)
        took_s = time.monotonic() - began
        after_stop = SimpleNamespace(left_over=story.left_over(), refs=story.refs())
        paused = story.wavecrew("status", f"--repo={story.repo}")
        again = story.run()
        (flags / "go").touch()
        resumed = story.resume()
        served = model.log
    return SimpleNamespace(
        story=story, before=before, during=during, stopped=stopped, took_s=took_s,
        after_stop=after_stop, paused=paused, again=again, resumed=resumed, served=served,
    )  # fmt: skip


def _sleeps(story):
    """True while the agent's command runs, seen from outside the sandbox."""
    return any(b"sleep\x0051.5" in line for line in story.command_lines())


def test_it_ends_soon_and_says_how_to_go_on(interrupted):
    assert interrupted.stopped.code == 130
    assert interrupted.took_s < SOON_S
    assert "wavecrew run --resume" in interrupted.stopped.err
    assert "Traceback" not in interrupted.stopped.err


def test_the_work_at_hand_is_parked_in_the_attic(interrupted):
    assert interrupted.after_stop.refs.keys() >= {"refs/wavecrew/attic/r1/slow/1"}
    parked = interrupted.story.git("show", "refs/wavecrew/attic/r1/slow/1:calculator/slow.py")
    assert parked == "def slow():\n    return 2"


def test_no_process_and_no_socket_is_left_behind(interrupted):
    assert interrupted.after_stop.left_over == []
    assert not _sleeps(interrupted.story)


def test_without_a_terminal_the_same_plan_asks_for_an_option(interrupted):
    assert interrupted.again.code == 2
    assert "--resume" in interrupted.again.err
    assert "--new" in interrupted.again.err


def test_a_second_engine_on_the_run_is_refused(interrupted):
    assert interrupted.during.second.code == 2
    assert "at work in another process" in interrupted.during.second.err


def test_resume_finishes_what_was_begun(interrupted):
    assert interrupted.resumed.code == 0, interrupted.resumed.err
    assert interrupted.story.landed() == ["quick", "slow"]
    assert interrupted.story.checkout_state() == interrupted.before


def test_no_answer_of_the_model_is_asked_for_twice(interrupted):
    served = Counter((s.conversation, s.attempt, s.turn) for s in interrupted.served)
    assert set(served.values()) == {1}
    assert len(served) == 3 + 4
    records = [r for r in interrupted.story.journal("slow") if r.get("kind") == "model"]
    assert [r["record"] for r in records] == ["intent", "reply"] * 4


def test_status_shows_a_run_at_work(interrupted):
    assert interrupted.during.text.code == 0
    assert "at work" in interrupted.during.text.out
    assert "[x] quick" in interrupted.during.text.out
    assert "[>] slow" in interrupted.during.text.out
    assert json.loads(interrupted.during.data.out)["tasks"]["slow"]["status"] == "running"


def test_status_shows_a_paused_run_and_a_finished_one(interrupted):
    assert "paused" in interrupted.paused.out
    assert "Go on with: wavecrew run --resume" in interrupted.paused.out
    story = interrupted.story
    done = json.loads(story.wavecrew("status", "r1", f"--repo={story.repo}", "--json").out)
    assert (done["outcome"], done["exit_code"]) == ("done", 0)
    assert {task["status"] for task in done["tasks"].values()} == {"merged"}

"""A worker killed and never restarted: the others go on with what it was at, from where it was."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest

TASKS = ("a", "b", "c")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def moved(crews, say, plan_of):
    """Three workers; the one that began everything is killed in the middle of two attempts."""
    crew = crews("moved")
    flags = crew.story.flags()
    plan_of(crew.story, say, *TASKS, slow=flags)
    run = crew.submit("--json")
    crew.worker("first")
    for task in ("a", "b"):
        crew.wait_for_event(run, "agent_step", task=task, what="write_file")
    for name in ("second", "third"):
        crew.worker(name, "--agents=1")
    crew.story.wait_for(lambda: list(crew.doing().values()).count("waits for work") == 2, run)
    crew.kill("first")
    killed_at = time.monotonic()
    (flags / "go").touch()

    def taken_over():
        return {"a/1", "b/1"} <= set(crew.doing().values())

    crew.story.wait_for(taken_over, run)
    took_s = time.monotonic() - killed_at
    status = json.loads(crew.status("--json").out)
    done = crew.story.finish(run)
    ended = {name: crew.leave(name) for name in ("second", "third")}
    return SimpleNamespace(crew=crew, done=done, took_s=took_s, status=status, ended=ended)


def test_the_run_comes_to_its_end_and_its_branches_to_the_user(moved):
    assert moved.done.code == 0, (moved.done, moved.ended)
    assert sorted(moved.crew.story.landed()) == list(TASKS)
    assert moved.crew.story.git("show", "wavecrew/r1/integration:calculator/c.py")


def test_the_others_took_over_within_seconds(moved):
    print(f"took over after {moved.took_s:.1f} s")
    assert moved.took_s < 15  # on a busy machine; `docs/scale.md` has the usual time
    told = "".join(done.err for done in moved.ended.values())
    assert "took over" in told


def test_no_answer_of_the_model_was_paid_twice(moved):
    for task in TASKS:
        assert moved.crew.replies(task) == 4
        assert moved.crew.replies(task, attempt=2) == 0


def test_limits_hold_over_all_workers(moved):
    """Two agents at once in the whole run, as many of a role as it allows."""
    at_work, most = set(), 0
    for event in moved.crew.events("task_started", "attempt_ended"):
        change = at_work.add if event["kind"] == "task_started" else at_work.discard
        change(event["task"])
        most = max(most, len(at_work))
    assert most == 2


def test_the_watcher_saw_every_event_once_and_in_order(moved):
    seen = [json.loads(line)["seq"] for line in moved.done.out.splitlines()]
    assert seen == list(range(1, len(seen) + 1))
    assert seen[-1] == moved.crew.events()[-1]["seq"]


def test_the_ended_run_reads_like_one_that_was_carried_out_here(moved):
    story = moved.crew.story
    assert [e["id"] for e in story.events()] == [
        json.loads(line)["id"] for line in moved.done.out.splitlines()
    ]
    shown = story.wavecrew("journal", "show", "r1", "a", f"--repo={story.repo}")
    assert "write_file" in shown.out, shown.err
    assert (story.folder / "reports" / "a-1-1.json").exists()
    told = story.wavecrew("status", f"--repo={story.repo}")
    assert "3/3 tasks merged" in told.out, told.err


def test_status_tells_the_living_from_the_dead(moved):
    workers = moved.status["workers"]
    assert [worker["is_alive"] for worker in workers] == [True, True, False]
    assert [run["run"] for run in moved.status["runs"]] == ["r1"]
    assert moved.status["state"]["run"] == "r1"


def test_workers_that_are_told_to_leave_leave_nothing(moved):
    assert [done.code for done in moved.ended.values()] == [0, 0]
    # What the killed one left in TMPDIR, the others removed as they went.
    assert moved.crew.story.left_over() == []

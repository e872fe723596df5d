"""kill -9 at the worst moments: what was finished stays finished, what was begun goes on."""

from __future__ import annotations

import json
import os
import signal
from types import SimpleNamespace

import pytest

TASKS = {"one": 1, "two": 2, "three": 3}
SLOW_CHECK = """
[[checks]]
name = "slow"
run = "sleep 1.375"
stages = ["integration"]
"""


def kill(process):
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)


@pytest.fixture(scope="module")
def killed(stories, say):
    """An engine killed four times, each time at another moment, and resumed to the end."""
    story = stories("killed")
    story.agents("author")
    ids = list(TASKS)
    story.plan(
        *({"id": t, "agent": "author", "depends_on": ids[n - 1 : n]} for n, t in enumerate(ids))
    )
    for task, number in TASKS.items():
        story.talk(f"task/{task}", say.function(task, number))
    toml = (story.root / "wavecrew.toml").read_text()
    (story.root / "wavecrew.toml").write_text(SLOW_CHECK + toml)
    before = story.checkout_state()

    def again():
        return story.begin("run", f"--repo={story.repo}", "--resume")

    run = story.start()
    story.wait_for_event(run, "task_started", task="one")
    kill(run)
    run = again()
    story.wait_for_event(run, "agent_step", task="one", what="write_file")
    kill(run)
    run = again()
    story.wait_for_event(run, "gate_finished", task="one", verdict="pass")
    kill(run)
    run = again()
    story.wait_for_event(run, "task_completed", task="one")
    story.wait_for_event(run, "attempt_ended", task="two")
    story.wait_for(lambda: _is_checking(story), run)
    kill(run)
    return SimpleNamespace(story=story, before=before, done=story.resume())


def _is_checking(story):
    """True while the integration check runs, seen from outside the sandbox."""
    return any(b"sleep\x001.375" in line for line in story.command_lines())


def test_the_run_comes_to_its_end(killed):
    assert killed.done.code == 0, killed.done.err


def test_each_task_landed_exactly_once_in_order(killed):
    assert killed.story.landed() == list(TASKS)
    ids = [event["id"] for event in killed.story.events()]
    assert len(ids) == len(set(ids))


def test_the_tree_is_what_an_undisturbed_run_makes(killed, say):
    story = killed.story
    story.git("checkout", "-q", "-b", "by-hand", "main")
    for task, number in TASKS.items():
        for turn in say.function(task, number)[:-1]:
            story.write(**turn["calls"][0]["args"])
    story.commit("All three at once")
    assert story.tip_tree() == story.git("rev-parse", "by-hand^{tree}")
    story.git("checkout", "-q", "main")


def test_no_answer_was_paid_for_twice_once_it_was_in_the_journal(killed):
    for task in TASKS:
        assert not (killed.story.folder / "attempts" / task / "2").exists()
        model = [r["record"] for r in killed.story.journal(task) if r.get("kind") == "model"]
        assert model.count("reply") == 3


def test_nothing_is_left_over(killed):
    assert killed.story.left_over() == []
    assert killed.story.checkout_state() == killed.before


def sleeping(story, seconds):
    """True while a command sleeps so long, seen from outside the sandbox."""
    return lambda: any(b"sleep\x00" + seconds in line for line in story.command_lines())


@pytest.fixture(scope="module")
def agents_killed(stories, say):
    """In the middle of a command: the agent is killed, then the host of all, then the sandbox."""
    story = stories("agents")
    flags = story.flags()
    story.agents("author")
    story.plan({"id": "one", "agent": "author"})
    wait = say.call("run_command", command=f"test -e {flags}/go || sleep 52.5", timeout_s=60)
    first, *rest = say.function("one", 1)
    story.talk("task/one", [first, wait, *rest])
    run = story.start()
    asleep = sleeping(story, b"52.5")
    story.wait_for(asleep, run)
    _, (agent,) = story.host_and_agents()
    os.kill(agent, signal.SIGKILL)
    story.wait_for(lambda: not asleep(), run)
    story.wait_for(asleep, run)
    host, _ = story.host_and_agents()
    os.kill(host, signal.SIGKILL)
    story.wait_for(lambda: not asleep(), run)
    story.wait_for(asleep, run)
    (flags / "go").touch()
    os.kill(story.sandbox_of(b"sleep\x0052.5"), signal.SIGKILL)
    return SimpleNamespace(story=story, done=story.finish(run))


def test_what_was_killed_under_an_attempt_goes_on_from_its_journal(agents_killed):
    story = agents_killed.story
    assert agents_killed.done.code == 0, agents_killed.done.err
    assert story.landed() == ["one"]
    ended = [(e["attempt"], e["outcome"]) for e in story.events("attempt_ended")]
    assert ended == [(1, "passed")]
    records = story.journal("one")
    assert sum(r["record"] == "restored" for r in records) == 3
    assert sum(r.get("kind") == "model" and r["record"] == "reply" for r in records) == 4
    assert story.left_over() == []


@pytest.fixture(scope="module")
def hopeless(stories, say):
    """An agent that is killed at the same place whenever it comes there."""
    story = stories("hopeless")
    flags = story.flags()
    story.agents("author")
    story.plan({"id": "one", "agent": "author"})
    wait = say.call("run_command", command=f"test -e {flags}/go || sleep 53.5", timeout_s=60)
    first, *rest = say.function("one", 1)
    story.talk("task/one", *([[first, wait, *rest]] * 2))
    run = story.start()
    asleep = sleeping(story, b"53.5")
    while len(story.events("task_started")) < 2:
        story.wait_for(lambda: asleep() or len(story.events("task_started")) == 2, run)
        if asleep() and not story.events("attempt_ended"):
            for agent in story.host_and_agents()[1]:
                os.kill(agent, signal.SIGKILL)
            story.wait_for(lambda: not asleep(), run)
    (flags / "go").touch()
    return SimpleNamespace(story=story, done=story.finish(run))


def test_an_agent_that_dies_without_getting_on_is_over_and_tried_afresh(hopeless):
    story = hopeless.story
    assert hopeless.done.code == 0, hopeless.done.err
    ended = [(e["attempt"], e["outcome"]) for e in story.events("attempt_ended")]
    assert ended == [(1, "crashed"), (2, "passed")]


def test_its_work_is_in_the_attic(hopeless):
    parked = "refs/wavecrew/attic/r1/one/1:calculator/one.py"
    assert hopeless.story.git("show", parked) == "def one():\n    return 1"
    assert hopeless.story.left_over() == []


def test_the_next_attempt_is_told_where_that_is(hopeless):
    story = hopeless.story
    rework = json.loads((story.folder / "attempts/one/2/assignment.json").read_bytes())["rework"]
    assert rework["earlier"] == story.refs()["refs/wavecrew/attic/r1/one/1"]
    assert rework["log"] == "A calculator/one.py"


def test_replayed_both_attempts_come_out_the_same(hopeless):
    done = hopeless.story.wavecrew("replay", "r1", f"--repo={hopeless.story.repo}")
    assert done.code == 0, (done.out, done.err)
    assert "2 conversations" in done.out

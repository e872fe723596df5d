"""Branches that wait behind each other land together; a red batch is halved to its culprit."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import pytest

TASKS = ("first", "alpha", "beta", "gamma")
HELD_UP = """
[[checks]]
name = "open-door"
run = "until test -e {flags}/open; do sleep 0.05; done"
stages = ["integration"]

"""


@pytest.fixture(scope="module")
def play(stories, say):
    """`first` holds the lane until all others wait behind it, so that these make a batch."""

    def played(name, settings="", red=()):
        story = stories(name)
        flags = story.flags()
        toml = (story.root / "wavecrew.toml").read_text()
        whole = HELD_UP.format(flags=flags) + settings + toml.replace("agents = 2", "agents = 4")
        (story.root / "wavecrew.toml").write_text(whole)
        story.agents("author", parallel=4)
        story.plan(*({"id": task, "agent": "author"} for task in TASKS))
        for number, task in enumerate(TASKS):
            wait = say.call(
                "run_command", command=f"until test -e {flags}/{task}; do sleep 0.1; done"
            )
            good = say.function(task, number)
            clash = [say.write("tests/test_alone.py", ALONE), *good]
            mended = [say.write("tests/test_alone.py", NOT_ALONE), say.submit("Others may write.")]
            story.talk(f"task/{task}", [wait, *(clash if task in red else good)], mended)
            word = {"summary": "It wants to be alone.", "send_back": task, "reason": "mend it"}
            story.talk(f"triage/{task}", [say.call("report", **word)])
        return story, flags

    return played


def until_batch_waits(story, flags):
    """Let `first` into the lane, then the others to its door, and open it."""
    run = story.start()
    (flags / "first").touch()
    door = f"{flags}/open".encode()
    story.wait_for(lambda: any(door in line for line in story.command_lines()), run)
    for task in TASKS:
        (flags / task).touch()
    story.wait_for(lambda: len(story.events("landing_queued")) == len(TASKS), run)
    (flags / "open").touch()
    return run


def in_one_batch(story, flags):
    run = until_batch_waits(story, flags)
    return SimpleNamespace(story=story, done=story.finish(run))


ALONE = """
from pathlib import Path


def test_nobody_else_has_written_a_function():
    own = {"__init__.py", "basic.py", "beta.py"}
    assert {path.name for path in Path("calculator").glob("*.py")} <= own
"""

NOT_ALONE = ALONE.replace("<= own", ">= own")


@pytest.fixture(scope="module")
def green(play):
    return in_one_batch(*play("green_batch"))


def test_three_that_wait_are_tested_as_one_tree_and_land_in_one_go(green):
    story = green.story
    assert green.done.code == 0, green.done.err
    tested = story.events("tree_tested")
    assert len(tested) == 2
    lone, batch = (event["tasks"] for event in tested)
    assert lone == ["first"]
    assert sorted(batch) == ["alpha", "beta", "gamma"]
    assert story.landed() == lone + batch
    assert tested[1]["tree"] == story.tip_tree()


def test_each_has_a_merge_of_its_own_that_names_the_tree_that_was_tested(green):
    story = green.story
    shown = story.git(
        "log", "--first-parent", "--format=%(trailers:key=Evidence,valueonly,separator=%x2C)",
        "main..wavecrew/r1/integration",
    )  # fmt: skip
    trees = [line.rpartition(" ")[2] for line in shown.splitlines() if line]
    assert trees[:3] == [story.tip_tree()] * 3
    finished = story.events("merge_finished")
    assert [event["task"] for event in finished] == story.landed()
    assert [len(event["batch"]) for event in finished] == [0, 3, 3, 3]
    assert finished[-1]["evidence"] == story.events("tree_tested")[1]["evidence"]


def test_each_is_told_once_and_in_the_order_of_history(green):
    told = [(e["kind"], e["task"]) for e in green.story.events("merge_finished", "task_completed")]
    assert told == [
        (kind, task)
        for task in green.story.landed()
        for kind in ("merge_finished", "task_completed")
    ]
    assert "tested together with" in green.done.out


def test_replayed_it_comes_out_the_same(green):
    done = green.story.wavecrew("replay", "r1", f"--repo={green.story.repo}")
    assert done.code == 0, done.err


@pytest.fixture(scope="module")
def red(play):
    return in_one_batch(*play("red_batch", red=("beta",)))


def test_a_red_companion_is_found_by_halving_and_the_others_land(red):
    story = red.story
    assert red.done.code == 0, red.done.err
    verdicts = [(event["tasks"], event["verdict"]) for event in story.events("tree_tested")]
    together = next(tasks for tasks, _ in verdicts if len(tasks) == 3)
    assert (together, "fail") in verdicts
    refused = [
        event["task"] for event in story.events("merge_finished") if event["outcome"] == "red"
    ]
    assert refused == ["beta"]
    assert sorted(story.landed()) == sorted(TASKS)
    assert story.landed()[-1] == "beta"


def test_the_culprit_is_reworked_and_nobody_else(red):
    started = {(e["task"], e["attempt"]) for e in red.story.events("task_started")}
    assert started == {(task, 1) for task in TASKS} | {("beta", 2)}


def test_the_checks_ran_once_at_each_tree(red):
    tested = [e["tree"] for e in red.story.events("tree_tested")]
    logs = list(red.story.folder.glob("baseline/*.json"))
    assert len({path.name for path in logs}) == len(logs)
    assert set(tested) <= {path.name.split("-")[0] for path in logs}


@pytest.fixture(scope="module")
def killed(play):
    """The engine dies as the batch has been tested, before or while it lands."""
    story, flags = play("killed_batch")
    run = until_batch_waits(story, flags)
    story.wait_for(lambda: len(story.events("tree_tested")) == 2, run)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=30)
    return SimpleNamespace(story=story, done=story.resume())


def test_killed_as_a_batch_lands_each_lands_once_and_is_told_once(killed):
    story = killed.story
    assert killed.done.code == 0, killed.done.err
    assert sorted(story.landed()) == sorted(TASKS)
    assert [e["task"] for e in story.events("merge_finished")] == story.landed()
    assert [e["task"] for e in story.events("task_completed")] == story.landed()
    assert story.left_over() == []


@pytest.fixture(scope="module")
def planned(play):
    """The first of the plan is the last that is done."""
    story, flags = play("planned", settings='[merge]\norder = "plan"\n\n')
    (flags / "open").touch()
    run = story.start()
    for number, task in enumerate(reversed(TASKS), 1):
        (flags / task).touch()
        story.wait_for(lambda: len(story.events("landing_queued")) >= number, run)  # noqa: B023
    return SimpleNamespace(story=story, done=story.finish(run))


def test_in_plan_order_they_land_as_the_plan_has_them(planned):
    assert planned.done.code == 0, planned.done.err
    assert planned.story.landed() == list(TASKS)
    queued = [event["task"] for event in planned.story.events("landing_queued")]
    assert queued == list(reversed(TASKS))


def test_what_waited_for_its_turn_lands_along_with_the_first(planned):
    assert [event["tasks"] for event in planned.story.events("tree_tested")] == [list(TASKS)]

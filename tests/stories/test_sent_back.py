"""A landing is red because of another task: that one mends it, and the branch lands as it is.

The manager crew names a task that has not even begun first, and is told so.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest

OTHERS_TEST = """
try:
    from calculator.top import top
except ImportError:  # not merged yet

    def top():
        return 6


def test_the_top_is_six():
    assert top() == 6
"""


@pytest.fixture(scope="module")
def told(stories, say):
    story = stories("sent_back")
    flags = story.flags()
    story.agents("author", parallel=2)
    story.plan(
        {"id": "top", "agent": "author"},
        {"id": "user", "agent": "author"},
        {"id": "last", "agent": "author", "depends_on": ["user"]},
    )
    story.talk("task/last", say.function("last", 1))
    six = [
        say.write("calculator/top.py", "def top():\n    return 6\n"),
        say.call("edit_file", path="tests/test_top.py", old="== 5", new="== 6"),
        say.submit("The top is 6 now."),
    ]
    story.talk("task/top", say.function("top", 5), six)
    wait = say.call("run_command", command=f"until test -e {flags}/go; do sleep 0.1; done")
    mine = say.write("tests/test_user.py", OTHERS_TEST)
    story.talk("task/user", [wait, mine, say.submit("Relies on the top.")])
    word = {"summary": "top() is 5.", "send_back": "top", "reason": "the plan says 6"}
    wrong = word | {"send_back": "last"}
    refused = say.call("report", **word) | {"expect": ["only a task that has landed", "'top'"]}
    story.talk("triage/user", [say.call("report", **wrong), refused])
    run = story.start()
    story.wait_for_event(run, "task_completed", task="top")
    (flags / "go").touch()
    return SimpleNamespace(story=story, done=story.finish(run))


def test_the_culprit_mends_it_and_the_waiting_branch_lands(told):
    assert told.done.code == 0, told.done.err
    assert told.story.landed() == ["top", "top", "user", "last"]
    (sent,) = told.story.events("sent_back")
    assert (sent["task"], sent["by"], sent["reason"]) == ("top", "keeper", "the plan says 6")


def test_the_waiting_task_was_not_worked_on_again(told):
    started = [(e["task"], e["attempt"]) for e in told.story.events("task_started")]
    assert sorted(started) == [("last", 1), ("top", 1), ("top", 2), ("user", 1)]


def test_both_landings_of_the_same_branch_are_in_the_log(told):
    ended = [e for e in told.story.events("merge_finished") if e["task"] == "user"]
    assert [(e["attempt"], e["outcome"]) for e in ended] == [(1, "red"), (1, "merged")]
    tip = told.story.git("rev-parse", f"{ended[1]['commit']}^{{tree}}")
    assert ended[0]["tree"] != ended[1]["tree"] == tip
    finished = told.story.events("run_finished")[0]
    assert (finished["merged"], finished["tasks"]) == (3, 3)

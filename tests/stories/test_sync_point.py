"""A sync point whose held-out tests are red stays closed; mended, it opens and the run goes on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

HELD_OUT = """
from calculator.base import base


def test_the_base_is_what_the_plan_says():
    assert base() == 10
"""


@pytest.fixture(scope="module")
def play(stories, say):
    """`play(name, second, *rounds)`: the second attempt's turns, and the keeper's word per round."""

    def played(name, second, *rounds):
        story = stories(name)
        story.agents("author")
        story.plan(
            {"id": "base", "agent": "author", "wave": "one"},
            {"id": "next", "agent": "author", "wave": "two"},
            sync_points=(
                {"id": "gate", "title": "The base", "after_waves": ["one"], "holds_waves": ["two"]},
            ),
        )
        story.hold_out(HELD_OUT)
        story.talk("task/base", say.function("base", 9), second)
        story.talk("task/next", say.function("next_one", 1))
        look = say.call("run_integration")
        story.talk("sync/gate", *([look, say.call("report", **word)] for word in rounds))
        return SimpleNamespace(story=story, done=story.run())

    return played


@pytest.fixture(scope="module")
def closed(play, say):
    still_wrong = [say.write("calculator/base.py", "def base():\n    return 9 + 0\n"), say.submit()]
    return play(
        "closed",
        still_wrong,
        {"summary": "base() is 9.", "send_back": "base", "reason": "base() must be 10, it is 9"},
        {"summary": "Still 9; a person must decide.", "raise_to_human": True},
    )


def test_it_ends_with_the_code_of_a_closed_sync_point(closed):
    assert closed.done.code == 4, closed.done.err
    assert closed.story.events("run_finished")[0]["outcome"] == "integration_red"


def test_the_log_says_what_was_sent_back_to_whom_on_what_evidence(closed):
    sent = closed.story.events("sent_back")
    assert [(s["task"], s["by"], s["reason"]) for s in sent] == [
        ("base", "keeper", "base() must be 10, it is 9")
    ]
    report = closed.story.folder / sent[0]["evidence"]
    assert "test_the_base_is_what_the_plan_says" in report.read_text()
    rounds = closed.story.events("sync_closed")
    assert [(r["round"], r["verdict"]) for r in rounds] == [(1, "fail"), (2, "fail")]


def test_the_keepers_report_lies_beside_the_evidence(closed):
    text = (closed.story.folder / "reports" / "sync-gate-1.md").read_text()
    assert "base() is 9." in text
    assert "Sent back to base: base() must be 10, it is 9" in text


def test_the_second_attempt_was_told_why(closed):
    opening = closed.story.journal("base", 2)
    told = next(r for r in opening if r.get("kind") == "model" and r["record"] == "intent")
    text = told["request"]["opening"][-1]["content"]
    assert "base() must be 10, it is 9" in text
    assert "test_the_base_is_what_the_plan_says" in text


def test_nothing_behind_it_was_started(closed):
    assert {e["task"] for e in closed.story.events("task_started")} == {"base"}
    assert "refs/heads/wavecrew/r1/next" not in closed.story.refs()
    assert closed.story.landed() == ["base", "base"]


def test_closed_on_the_screen_too(closed):
    assert "gate" in closed.done.out
    status = closed.story.wavecrew("status", f"--repo={closed.story.repo}").out
    assert "[ ] The base: closed - Still 9; a person must decide." in status
    assert "[ ] next Task next: waiting" in status


@pytest.fixture(scope="module")
def mended(play, say):
    right = [
        say.write("calculator/base.py", "def base():\n    return 10\n"),
        say.call("edit_file", path="tests/test_base.py", old="== 9", new="== 10"),
        say.submit("The base is 10 now."),
    ]
    return play(
        "mended",
        right,
        {"summary": "base() is 9.", "send_back": "base", "reason": "base() must be 10, it is 9"},
        {"summary": "Green."},
    )


def test_mended_it_opens_and_the_run_comes_to_its_end(mended):
    assert mended.done.code == 0, mended.done.err
    assert mended.story.landed() == ["base", "base", "next"]
    kinds = [e["kind"] for e in mended.story.events("sync_closed", "sync_opened", "task_completed")]
    landed = ["task_completed", "sync_closed", "task_completed", "sync_opened", "task_completed"]
    assert kinds == landed


def test_the_tree_that_opened_it_is_green_and_is_what_was_landed(mended):
    opened = mended.story.events("sync_opened")[0]
    second = mended.story.events("merge_finished")[1]
    assert (second["attempt"], second["outcome"]) == (2, "merged")
    assert (
        opened["tree"]
        == second["tree"]
        == mended.story.git("rev-parse", f"{second['commit']}^{{tree}}")
    )
    assert mended.story.git("show", "wavecrew/r1/integration:calculator/base.py").endswith(
        "return 10"
    )

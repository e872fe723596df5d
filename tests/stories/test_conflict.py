"""Two tasks change the same line: the second is told both intents, and mends it or is blocked."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

LINE = '"""The four operations everything else is made of."""'
HEADS = {"left": '"""Add, subtract, multiply, divide."""', "right": '"""Arithmetic, plainly."""'}


@pytest.fixture(scope="module")
def play(stories, say):
    """Two tasks at once, whose scripts are alike: whichever lands second meets the conflict."""

    def played(name, attempts):
        story = stories(name)
        story.agents("author", parallel=2, attempts=attempts)
        story.plan(*({"id": task, "agent": "author"} for task in HEADS))
        source = (story.repo / "calculator" / "basic.py").read_text()
        both = source.replace(LINE, '"""Add, subtract, multiply, divide: arithmetic, plainly."""')
        for task, head in HEADS.items():
            story.talk(
                f"task/{task}",
                [
                    say.call("edit_file", path="calculator/basic.py", old=LINE, new=head),
                    say.submit(f"The headline as {task} wants it."),
                ],
                [say.write("calculator/basic.py", both), say.submit("Both headlines in one.")],
            )
        return SimpleNamespace(story=story, done=story.run())

    return played


@pytest.fixture(scope="module")
def resolved(play):
    told = play("resolved", 3)
    ended = told.story.events("merge_finished")
    told.loser = next(e["task"] for e in ended if e["outcome"] == "conflict")
    told.winner = next(task for task in HEADS if task != told.loser)
    return told


def test_the_second_one_mends_it_and_both_land(resolved):
    assert resolved.done.code == 0, resolved.done.err
    assert resolved.story.landed() == [resolved.winner, resolved.loser]
    head = resolved.story.git("show", "wavecrew/r1/integration:calculator/basic.py").splitlines()[0]
    assert head == '"""Add, subtract, multiply, divide: arithmetic, plainly."""'


def test_it_was_told_both_intents_and_the_hunks(resolved):
    records = resolved.story.journal(resolved.loser, 2)
    first = next(r for r in records if r.get("kind") == "model" and r["record"] == "intent")
    text = first["request"]["opening"][-1]["content"]
    assert f"The headline as {resolved.winner} wants it." in text
    assert (
        f"{resolved.loser} Task {resolved.loser}: The headline as {resolved.loser} wants it."
        in text
    )
    base = resolved.story.events("task_started")[0]["base"]
    assert f"Both were made on {base[:12]}" in text
    assert "||||||| before both" in text
    assert HEADS["left"] in text
    assert HEADS["right"] in text
    assert "<<<<<<<" in text


def test_it_was_foreseen_before_it_came_to_land(resolved):
    foreseen = resolved.story.events("conflict_forecast")[0]
    (refused,) = [e for e in resolved.story.events("merge_finished") if e["outcome"] == "conflict"]
    assert foreseen["seq"] < refused["seq"]
    (collision,) = foreseen["collisions"]
    assert resolved.loser in (collision["one"], collision["other"])
    assert collision["paths"] == ["calculator/basic.py"]
    assert "Foreseen: " in resolved.done.out


def test_the_branch_that_did_not_land_is_kept(resolved):
    attic = f"refs/wavecrew/attic/r1/{resolved.loser}/1"
    assert HEADS[resolved.loser] in resolved.story.git("show", f"{attic}:calculator/basic.py")


def test_never_mended_it_ends_with_the_code_of_a_conflict(play):
    told = play("unresolved", 1)
    assert told.done.code == 5, told.done.err
    assert told.story.events("run_finished")[0]["outcome"] == "conflict"
    (blocked,) = told.story.events("task_blocked")
    assert "calculator/basic.py" in blocked["reason"]
    assert told.story.refs()[blocked["branch"]]
    assert len(told.story.landed()) == 1

"""Five agents say "done" and are not: each is found out by name, none lands, nothing is lost."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

RULES = {
    "nothing": "empty_diff",
    "red": "red_tests",
    "untested": "no_tests",
    "deleter": "test_deleted",
    "trespasser": "out_of_scope",
}


@pytest.fixture(scope="module")
def told(stories, say):
    story = stories("liars")
    story.agents("author", parallel=5, attempts=1)
    own = {"untested": {"done_when": ["python -m pytest -q tests/test_untested.py"]}}
    story.plan(*({"id": task, "agent": "author"} | own.get(task, {}) for task in RULES))
    lie = say.submit("All tests pass.")
    wrong = "from calculator.basic import add\n\n\ndef test_add():\n    assert add(1, 1) == 3\n"
    story.talk("task/nothing", [lie])
    story.talk("task/red", [say.write("tests/test_red.py", wrong), lie])
    story.talk("task/untested", [say.write("calculator/untested.py", "X = 1\n"), lie])
    story.talk("task/deleter", [say.call("delete_file", path="tests/test_basic.py"), lie])
    sneak = say.call("run_command", command="echo mine > README.md")
    story.talk("task/trespasser", [sneak, lie])
    before = story.checkout_state()
    return SimpleNamespace(story=story, before=before, done=story.run("--json", "--limit=5"))


@pytest.mark.parametrize("task", RULES)
def test_the_gate_names_what_is_wrong(told, task):
    (judged,) = [e for e in told.story.events("gate_finished") if e["task"] == task]
    assert judged["verdict"] in ("fail", "no_tests")
    assert RULES[task] in judged["rules"]
    report = json.loads((told.story.folder / judged["report"]).read_bytes())
    assert report["tree"] == judged["tree"]


def test_no_tests_is_a_verdict_of_its_own(told):
    verdicts = {e["task"]: e["verdict"] for e in told.story.events("gate_finished")}
    assert verdicts.pop("untested") == "no_tests"
    assert set(verdicts.values()) == {"fail"}


def test_none_lands_and_each_is_blocked_for_a_person(told):
    assert told.done.code == 3, told.done.err
    assert told.story.landed() == []
    blocked = {e["task"]: e["reason"] for e in told.story.events("task_blocked")}
    assert blocked.keys() == RULES.keys()
    for task, rule in RULES.items():
        assert rule in blocked[task]


def test_what_they_did_is_in_the_attic(told):
    refs = told.story.refs()
    for task in RULES.keys() - {"nothing"}:
        assert refs[f"refs/wavecrew/attic/r1/{task}/1"]
    assert told.story.git("show", "refs/wavecrew/attic/r1/trespasser/1:README.md") == "mine"
    assert "== 3" in told.story.git("show", "refs/wavecrew/attic/r1/red/1:tests/test_red.py")


def test_the_users_repository_is_unharmed(told):
    assert told.story.checkout_state() == told.before
    assert told.story.git("rev-parse", "wavecrew/r1/integration") == told.story.git(
        "rev-parse", "main"
    )
    assert told.story.git("fsck", "--no-dangling") == ""
    assert told.story.left_over() == []

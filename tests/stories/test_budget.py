"""A spent budget pauses the run with its work kept; raised, the same run goes on to its end."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


@pytest.fixture(scope="module")
def spent(stories, say):
    story = stories("budget")
    story.agents("author", parallel=2)
    story.plan(*({"id": one, "agent": "author"} for one in ("a", "b", "c")))
    for one, number in (("a", 1), ("b", 2), ("c", 3)):
        story.talk(f"task/{one}", say.function(one, number))
    story.settings("[budget]\nmodel_calls = 5")
    first = story.run("--limit=1")
    parked, calls = story.parked(), story.events("agent_step")
    story.settings("[budget]\nmodel_calls = 50")
    return SimpleNamespace(
        story=story, first=first, parked=parked, calls=calls, second=story.resume("--limit=2")
    )


def test_it_stops_at_the_budget_with_its_own_code(spent):
    assert spent.first.code == 6
    assert "the run's budget of 5 model calls is used up" in spent.first.err
    assert "raise [budget]" in spent.first.err
    assert sum(step["what"] == "model" for step in spent.calls) == 5


def test_the_unfinished_work_is_parked(spent):
    assert spent.parked == ["refs/wavecrew/attic/r1/b/1"]
    assert spent.story.git("show", "refs/wavecrew/attic/r1/b/1:calculator/b.py")


def test_a_raised_budget_and_another_limit_carry_the_same_run_to_its_end(spent):
    assert spent.second.code == 0, spent.second.err
    assert sorted(spent.story.landed()) == ["a", "b", "c"]


def test_no_call_is_paid_twice(spent):
    calls = [step for step in spent.story.events("agent_step") if step["what"] == "model"]
    assert len(calls) == 9
    for task in "abc":
        records = [r for r in spent.story.journal(task) if r.get("kind") == "model"]
        assert sum(r["record"] == "reply" for r in records) == 3

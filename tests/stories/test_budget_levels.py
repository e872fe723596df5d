"""Each level of the budget's tree: a task's ends the task, a wave's holds it, money pauses the run."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest


@contextmanager
def served(story):
    """The story's rehearsal as somebody else's endpoint: its answers cost what the settings say."""
    command = [sys.executable, "-P", "-m", "wavecrew.rehearsal", str(story.rehearsal)]
    with subprocess.Popen(
        command, env=story.environment(), stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            yield json.loads(server.stdout.readline())["base_url"]
        finally:
            server.terminate()


def paid(story):
    return [step for step in story.events("agent_step") if step["what"] == "model"]


@pytest.fixture(scope="module")
def one_task(stories, say):
    story = stories("task")
    story.agents("author", parallel=3)
    story.plan(*({"id": one, "agent": "author"} for one in ("a", "b", "c")))
    for one, number in (("a", 1), ("b", 2), ("c", 3)):
        story.talk(f"task/{one}", say.function(one, number))
    story.settings("[budget.tasks.b]\nmodel_calls = 2")
    return SimpleNamespace(story=story, done=story.run("--limit=3"))


def test_a_task_over_its_budget_is_blocked_while_the_rest_merges(one_task):
    story = one_task.story
    assert one_task.done.code == 3, one_task.done.err
    assert sorted(story.landed()) == ["a", "c"]
    (blocked,) = story.events("task_blocked")
    assert blocked["task"] == "b"
    assert "the budget of 2 model calls of task 'b' is used up" in blocked["reason"]
    (ended,) = [end for end in story.events("attempt_ended") if end["task"] == "b"]
    assert ended["outcome"] == "out_of_budget"


def test_its_work_is_kept_and_no_call_was_made_beyond(one_task):
    assert one_task.story.parked() == ["refs/wavecrew/attic/r1/b/1"]
    assert sum(step["task"] == "b" for step in paid(one_task.story)) == 2


def test_status_tells_what_every_task_took_and_that_a_rehearsal_costs_nothing(one_task):
    shown = one_task.story.wavecrew("status", f"--repo={one_task.story.repo}")
    assert "0 USD (rehearsal)" in shown.out
    as_json = one_task.story.wavecrew("status", f"--repo={one_task.story.repo}", "--json")
    spent = json.loads(as_json.out)["account"]["spent"]
    calls = {node: figures["model_calls"] for node, figures in spent.items()}
    assert calls == {"run": 8, "wave/w": 8, "task/a": 3, "task/b": 2, "task/c": 3}
    assert spent["run"]["tokens"] == sum(spent[f"task/{task}"]["tokens"] for task in "abc")


@pytest.fixture(scope="module")
def one_wave(stories, say):
    story = stories("wave")
    story.agents("author", parallel=2)
    story.plan(
        {"id": "a", "agent": "author", "wave": "one"},
        {"id": "b", "agent": "author", "wave": "two"},
    )
    for one, number in (("a", 1), ("b", 2)):
        story.talk(f"task/{one}", say.function(one, number))
    story.settings("[budget.waves.one]\nmodel_calls = 2")
    first = story.run("--limit=2")
    landed, unraised = story.landed(), story.resume()
    story.settings("[budget.waves.one]\nmodel_calls = 9")
    return SimpleNamespace(
        story=story, first=first, landed=landed, unraised=unraised, second=story.resume()
    )


def test_a_wave_over_its_budget_is_held_and_the_run_goes_on_with_what_is_left(one_wave):
    assert one_wave.first.code == 6, one_wave.first.err
    assert one_wave.landed == ["b"]
    assert "the budget of 2 model calls of wave 'one' is used up" in one_wave.first.err
    assert "raise [budget.wave]" in one_wave.first.err


def test_a_resume_without_more_budget_pauses_again_and_pays_nothing(one_wave):
    assert one_wave.unraised.code == 6, one_wave.unraised.err


def test_a_held_task_goes_on_with_the_same_attempt_once_the_budget_is_raised(one_wave):
    story = one_wave.story
    assert one_wave.second.code == 0, one_wave.second.err
    assert story.landed() == ["b", "a"]
    assert [event["hold"] for event in story.events("task_held", "task_freed")] == [1, 1]
    assert not (story.folder / "attempts" / "a" / "2").exists()
    assert len(paid(story)) == 6


PRICED = "[model]\ninput_price = 2.0\noutput_price = 10.0\n[budget]\nmoney = {}\n"


@pytest.fixture(scope="module")
def money(stories, say):
    story = stories("money")
    story.agents("author", parallel=2)
    story.plan(*({"id": one, "agent": "author"} for one in ("a", "b", "c")))
    for one, number in (("a", 1), ("b", 2), ("c", 3)):
        story.talk(f"task/{one}", say.function(one, number))
    with served(story) as base_url:
        given = [f"--base-url={base_url}", "--model=story-rehearsal"]
        story.settings("[budget]\nmoney = 1.0")
        unpriced = story.wavecrew("run", *story.files(), *given)
        refused = story.folder.exists()
        story.settings(PRICED.format(0.06))
        first = story.wavecrew("run", *story.files(), *given)
        before = paid(story)
        story.settings(PRICED.format(5))
        second = story.resume()
    return SimpleNamespace(
        story=story, unpriced=unpriced, refused=refused, first=first, before=before, second=second
    )


def test_money_without_a_price_is_refused_at_the_start_with_the_mend(money):
    assert money.unpriced.code == 2
    assert "nobody knows what the model 'story-rehearsal' costs" in money.unpriced.err
    assert "input_price" in money.unpriced.err
    assert not money.refused


def test_a_run_that_has_spent_its_money_pauses_before_it_overspends(money):
    assert money.first.code == 6, money.first.err
    assert "the run's budget of 0.06 USD is used up" in money.first.err
    assert 0 < sum(step["cost_usd"] for step in money.before) <= 0.06
    assert len(money.before) < 9


def test_raised_it_comes_to_its_end_and_the_account_is_whole(money):
    story = money.story
    assert money.second.code == 0, money.second.err
    assert sorted(story.landed()) == ["a", "b", "c"]
    assert len(paid(story)) == 9
    shown = json.loads(story.wavecrew("status", f"--repo={story.repo}", "--json").out)
    told = shown["account"]["spent"]["run"]["cost_usd"]
    assert told == pytest.approx(sum(step["cost_usd"] for step in paid(story)))
    in_lines = story.wavecrew("status", f"--repo={story.repo}").out
    assert all(f"{told:.4f} USD" in shown for shown in (money.second.out, in_lines))


@pytest.fixture(scope="module")
def storm(stories, say):
    story = stories("storm")
    story.agents("author", parallel=4)
    tasks = {"a": 1, "b": 2, "c": 3, "d": 4}
    story.plan(*({"id": one, "agent": "author"} for one in tasks))
    for one, number in tasks.items():
        turns = say.function(one, number)
        turns[0]["fault"] = {"status": 429, "times": 2}
        turns[1]["fault"] = {"status": 503, "times": 1}
        turns[2]["fault"] = {"status": 429, "retry_after_s": 0.2, "times": 1}
        story.talk(f"task/{one}", turns)
    return SimpleNamespace(story=story, done=story.run("--limit=4"))


def test_a_storm_of_429_and_503_slows_the_run_and_fails_nothing(storm):
    assert storm.done.code == 0, storm.done.err
    assert sorted(storm.story.landed()) == ["a", "b", "c", "d"]
    assert {end["outcome"] for end in storm.story.events("attempt_ended")} == {"passed"}


def test_every_http_request_of_the_storm_is_in_the_journal_of_the_run(storm):
    tries = [step["tries"] for step in paid(storm.story)]
    assert sum(tries) == 4 * (3 + 2 + 1 + 1)
    changes = storm.story.events("provider_changed")
    assert changes
    assert min(change["limit"] for change in changes) < 4
    assert changes[-1]["refused"] + changes[-1]["failed"] > 0
    assert "calls at once" in storm.done.out

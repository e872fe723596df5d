"""A budget holds over all workers: spent together, it pauses the run for all of them, once."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

TASKS = ("a", "b", "c")
CALLS = 5
"""Of the nine that the plan takes."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def spent(crews, say, plan_of):
    crew = crews("budget")
    plan_of(crew.story, say, *TASKS)
    crew.story.settings(f"[budget]\nmodel_calls = {CALLS}")
    for name in ("first", "second"):
        crew.worker(name, "--agents=1")
    run = crew.submit()
    paused = crew.story.finish(run)
    paid = sum(crew.replies(task) for task in TASKS)
    crew.story.settings("")
    resumed = crew.story.finish(crew.resume(f"--settings={crew.story.root / 'wavecrew.toml'}"))
    ended = [crew.leave(name) for name in ("first", "second")]
    return SimpleNamespace(crew=crew, paused=paused, paid=paid, resumed=resumed, ended=ended)


def test_no_call_goes_beyond_it_and_the_run_is_paused_for_all(spent):
    assert spent.paused.code == 6, (spent.paused, spent.ended)
    assert f"the run's budget of {CALLS} model calls is used up" in spent.paused.err
    assert spent.paid == CALLS
    assert len(spent.crew.events("run_paused")) == 1


def test_with_more_it_goes_on_and_pays_nothing_twice(spent):
    assert spent.resumed.code == 0, (spent.resumed, spent.ended)
    assert sorted(spent.crew.story.landed()) == list(TASKS)
    assert sum(spent.crew.replies(task) for task in TASKS) == 9
    steps = [step for step in spent.crew.events("agent_step") if step["what"] == "model"]
    assert len(steps) == 9


def test_nothing_stays_reserved(spent):
    rows = spent.crew.rows("select account, content from wavecrew.ledger where run = 'r1'")
    left = {account: json.loads(content) for account, content in rows}
    assert left["provider"]["calls"] == 0
    assert left["run"] == {"tokens": 0, "cost_usd": 0.0, "calls": 0}
    assert not [account for account in left if account.startswith("session/")]

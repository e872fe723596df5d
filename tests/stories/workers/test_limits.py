"""Limits of the run and of a role hold over workers that have more room, also when one is killed.

What the agents themselves did tells when they were at work: the first call of each writes the
time into a file of its branch, the last one before the submission adds it again.
"""

from __future__ import annotations

import json
from itertools import combinations
from types import SimpleNamespace

import pytest

ALONE, TOGETHER = ("a", "b"), ("c", "d", "e")
AGENTS = 3
BEATS = 3
"""Signs of life of a worker that had room and found nothing it may start."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def limited(crews, say):
    """Two workers with room for four; three may work, and of the role `alone` one."""
    crew = crews("limits")
    story, flags = crew.story, crew.story.flags()
    story.agents("alone", "together", parallel=1)
    allow(story, "together", 3)
    story.plan(
        *({"id": task, "agent": "alone"} for task in ALONE),
        *({"id": task, "agent": "together"} for task in TOGETHER),
    )
    for number, task in enumerate((*ALONE, *TOGETHER), 1):
        now = say.call("run_command", command=f"date +%s.%N >>tests/times_{task}.txt")
        wait = say.call("run_command", command=f"while ! test -e {flags}/go; do sleep 0.1; done")
        *work, submit = say.function(task, number)
        story.talk(f"task/{task}", [now, wait, *work, now, submit])
    run = crew.submit(f"--limit={AGENTS}")
    for name in ("first", "second"):
        crew.worker(name, "--agents=2")

    def at_work():
        return sorted(" ".join(crew.doing().values()).replace(",", "").split())

    story.wait_for(lambda: len(steps(crew)) == AGENTS and len(at_work()) >= AGENTS, run)
    seen = [(beats(crew), at_work())]
    while len(seen) <= BEATS:
        story.wait_for(lambda: all(beats(crew)[w] > seen[-1][0][w] for w in beats(crew)), run)
        seen.append((beats(crew), at_work()))
    crew.kill("first")
    (flags / "go").touch()
    done = story.finish(run)
    ended = crew.leave("second")
    return SimpleNamespace(crew=crew, done=done, ended=ended, seen=[work for _, work in seen])


def allow(story, role, parallel):
    file = story.root / "agents.yaml"
    told = json.loads(file.read_text())
    told[role]["parallel"] = parallel
    file.write_text(json.dumps(told))


def steps(crew):
    """Tasks whose agent has made its first call."""
    return {e["task"] for e in crew.events("agent_step") if e["what"] == "run_command"}


def beats(crew):
    """Worker -> its last sign of life."""
    return dict(crew.rows("select worker, seen from wavecrew.workers"))


@pytest.fixture(scope="module")
def spans(limited):
    """Task -> (first, last) moment of its agent, in seconds."""
    story = limited.crew.story
    found = {}
    for task in (*ALONE, *TOGETHER):
        text = story.git("show", f"wavecrew/r1/integration:tests/times_{task}.txt")
        times = [float(line) for line in text.splitlines()]
        found[task] = (min(times), max(times))
    return found


def test_every_task_landed_though_a_worker_was_killed(limited):
    assert limited.done.code == 0, (limited.done, limited.ended)
    assert sorted(limited.crew.story.landed()) == [*ALONE, *TOGETHER]


def test_a_place_stays_empty_while_the_run_has_all_it_may(limited):
    for at_work in limited.seen:
        assert len(at_work) == AGENTS
        assert len({f"{task}/1" for task in ALONE} & set(at_work)) == 1


def test_two_agents_of_a_role_that_works_alone_are_never_at_work_at_once(limited, spans):
    one, other = (spans[task] for task in ALONE)
    assert one[1] < other[0] or other[1] < one[0], spans


def test_never_more_agents_are_at_work_than_the_run_allows(limited, spans):
    assert any(overlap(spans, three) for three in combinations(spans, AGENTS))
    for four in combinations(spans, AGENTS + 1):
        assert not overlap(spans, four), spans


def overlap(spans, tasks):
    """True when there was a moment at which all of them were at work."""
    return max(spans[task][0] for task in tasks) < min(spans[task][1] for task in tasks)

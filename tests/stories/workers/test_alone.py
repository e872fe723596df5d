"""What is refused before a run is written down; and a run that no worker takes."""

from __future__ import annotations

import signal

import pytest


@pytest.fixture(scope="module")
def crew(crews, say, plan_of):
    made = crews("alone")
    plan_of(made.story, say, "a")
    return made


@pytest.mark.parametrize(
    ("options", "mend"),
    [
        ([], "--hub"),
        (["--hub=/no/such/place"], "no repository at this path"),
        (["--hub={hub}", "--detach"], "--base-url"),
    ],
)
def test_it_is_refused_and_nothing_is_made(crew, options, mend):
    named = [option.format(hub=crew.hub) for option in options]
    done = crew.story.run(*named, WAVECREW_DATABASE_URL=crew.url)
    assert done.code == 2, done
    assert mend in done.err
    assert crew.rows("select run from wavecrew.runs") == []


def test_hub_and_detach_need_a_database(crew):
    done = crew.story.run(f"--hub={crew.hub}")
    assert done.code == 2
    assert "--database-url" in done.err


def test_who_waits_alone_is_told_how_to_start_a_worker_and_can_pause(crew):
    run = crew.submit()
    told = ""
    while "start one with: wavecrew worker" not in told:
        told = run.stderr.readline()
        assert told
    run.send_signal(signal.SIGINT)
    done = crew.story.finish(run)
    assert done.code == 130
    assert crew.rows("select wanted, pauses from wavecrew.runs") == [("pause", 1)]
    assert [e["pause"] for e in crew.events("run_paused")] == [1]
    assert "paused" in crew.status().out

"""PostgreSQL itself is killed in the middle of a run: nobody has to do anything but start it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "servers"))
from postgres import PostgresServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def away(crews, say, plan_of):
    with PostgresServer() as server:
        crew = crews("away", server)
        flags = crew.story.flags()
        # So that the database is asked for documents before and after.
        crew.story.hold_out("def test_nothing():\n    assert True\n")
        plan_of(crew.story, say, "a", "b", slow=flags)
        run = crew.submit()
        for name in ("first", "second"):
            crew.worker(name, "--agents=1")
        for task in ("a", "b"):
            crew.wait_for_event(run, "agent_step", task=task, what="write_file")
        server.stop("immediate")
        remain = {run.pid, *(process.pid for process in crew.workers.values())}
        crew.story.wait_for(lambda: set(crew.story.processes()) <= remain, run)
        assert all(process.poll() is None for process in [run, *crew.workers.values()])
        server.start()
        (flags / "go").touch()
        done = crew.story.finish(run)
        replies = [crew.replies(task) for task in ("a", "b")]
        ended = [crew.leave(name) for name in ("first", "second")]
    return SimpleNamespace(crew=crew, done=done, replies=replies, ended=ended)


def test_the_run_comes_to_its_end_without_a_person(away):
    assert away.done.code == 0, (away.done, away.ended)
    assert sorted(away.crew.story.landed()) == ["a", "b"]
    assert "the workers wait for it" in away.done.err
    assert "psycopg" not in away.done.err  # the driver's own asides
    assert (away.crew.story.folder / "run.json").exists()


def test_no_agent_or_command_outlived_an_engine_that_lost_the_database(away):
    """The story waited for it: without that it would have failed."""
    assert all("lost" in done.err or "no answer" in done.err for done in away.ended)


def test_the_workers_replaced_their_engines_by_themselves(away):
    assert [done.code for done in away.ended] == [0, 0]
    assert all("replacing" in done.err for done in away.ended)


def test_nothing_is_paid_twice_or_left_over(away):
    assert away.replies == [4, 4]
    assert away.crew.story.left_over() == []

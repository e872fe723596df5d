"""An engine that is stopped but connected: others take its work, and it finds out when it wakes."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import pytest

from wavecrew.run.liveness import FROZEN_AFTER_S

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def frozen(crews, say, plan_of):
    crew = crews("frozen")
    flags = crew.story.flags()
    plan_of(crew.story, say, "a", slow=flags)
    run = crew.submit()
    crew.worker("first")
    crew.wait_for_event(run, "agent_step", task="a", what="write_file")
    crew.worker("second")
    crew.story.wait_for(lambda: crew.doing()["second"] == "waits for work", run)
    ((executor,),) = crew.rows("select executor from wavecrew.workers where doing = 'a/1'")
    engine = int(executor.split("-")[-2])
    os.kill(engine, signal.SIGSTOP)
    crew.story.wait_for(lambda: crew.doing()["second"] == "a/1", run)
    os.kill(engine, signal.SIGCONT)
    crew.story.wait_for(lambda: not os.path.exists(f"/proc/{engine}"), run)
    (flags / "go").touch()
    done = crew.story.finish(run)
    assert crew.rows("select stopped from wavecrew.runs") == [("",)]
    ended = {name: crew.leave(name) for name in ("first", "second")}
    return SimpleNamespace(crew=crew, done=done, ended=ended)


def test_the_run_comes_to_its_end(frozen):
    assert frozen.done.code == 0, (frozen.done, frozen.ended)
    assert frozen.crew.story.landed() == ["a"]


def test_nothing_was_paid_or_landed_twice(frozen):
    assert frozen.crew.replies("a") == 4
    assert frozen.crew.story.left_over() == []


def test_who_woke_up_gave_itself_up(frozen):
    assert "replacing" in frozen.ended["first"].err
    assert "took over" in frozen.ended["second"].err
    assert FROZEN_AFTER_S < 60

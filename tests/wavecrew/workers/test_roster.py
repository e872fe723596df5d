"""The tables that all machines share, on a real server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from wavecrew.errors import LimitReached, UsageError
from wavecrew.plan.model import Plan
from wavecrew.plan.settings import Settings
from wavecrew.run.liveness import Liveness
from wavecrew.run.spec import RunSpec
from wavecrew.workers.roster import Roster, sign_of_life

SPEC = RunSpec(
    run="",
    plan=Plan(title="p", waves=(), tasks=()),
    roles=(),
    settings=Settings(),
    base="0" * 40,
    only=(),
)


@pytest.fixture
def looker(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def roster(database_url):
    one = Roster(database_url)
    yield one
    one.close()


def test_names_are_unique_and_leave_out_what_has_branches(database_url, roster):
    assert roster.allot("hub", SPEC, ["r1", "r2"]).run == "r3"

    def allot(number):
        with closing(Roster(database_url)) as own:
            return own.allot("hub", SPEC, []).run

    with ThreadPoolExecutor(4) as pool:
        made = sorted(pool.map(allot, range(4)))
    assert made == ["r4", "r5", "r6", "r7"]


def test_a_run_is_worked_on_from_when_it_is_wanted_until_it_ended(roster):
    run = roster.allot("hub", SPEC, []).run
    assert roster.next_run("hub") == ""
    roster.work(run)
    assert (roster.next_run("hub"), roster.next_run("other")) == (run, "")
    roster.finish(run, "done", 0)
    roster.finish(run, "task_failed", 3)
    assert roster.next_run("hub") == ""
    assert (roster.run(run).outcome, roster.run(run).exit_code) == ("done", 0)
    roster.work(run)
    assert roster.next_run("hub") == ""


def test_the_oldest_run_comes_first(roster):
    first, second = (roster.allot("hub", SPEC, []).run for _ in range(2))
    roster.work(second)
    assert roster.next_run("hub") == second
    roster.work(first)
    assert roster.next_run("hub") == first


def test_of_all_who_pause_a_run_one_gets_the_number(roster):
    run = roster.allot("hub", SPEC, []).run
    roster.work(run)
    error = LimitReached("the tokens are used up", where="task 1", mend="raise the budget")
    assert (roster.pause(run, error), roster.pause(run)) == (1, 0)
    told = roster.run(run).error()
    assert told is not None
    assert (told.what, told.where, told.mend, told.exit_code) == (
        error.what,
        error.where,
        error.mend,
        6,
    )
    roster.work(run)
    assert roster.run(run).error() is None
    assert roster.pause(run) == 2


def test_an_executor_that_was_taken_for_dead_pauses_nothing(database_url, roster):
    run = roster.allot("hub", SPEC, []).run
    roster.work(run)
    assert roster.pause(run, None, "dead") == 0
    assert roster.run(run).wanted == "work"
    engine = Liveness(database_url, "alive", beat=print, lost=print)
    assert roster.pause(run, None, "alive") == 1
    engine.leave()


def test_a_worker_is_alive_as_long_as_it_holds_its_lock(database_url, roster, looker):
    roster.enlist("w1", "host", 7, "hub", 4)
    assert [(w.worker, w.is_alive) for w in roster.workers()] == [("w1", False)]
    engine = Liveness(database_url, "e1", beat=print, lost=print)
    run = roster.allot("hub", SPEC, []).run
    roster.work(run)
    assert sign_of_life(looker, "w1", "at 1/1", run, "e1") is False
    roster.pause(run)
    assert sign_of_life(looker, "w1", "at 1/1", run, "e1") is True
    (worker,) = roster.workers()
    assert (worker.is_alive, worker.doing, worker.agents) == (True, "at 1/1", 4)
    assert [w.worker for w in roster.at_work("r1")] == ["w1"]
    engine.leave()
    roster.left("w1", "idle")
    (worker,) = roster.workers()
    assert (worker.is_alive, worker.run, worker.doing) == (False, "", "idle")


def test_an_unknown_run_names_the_known(roster):
    roster.allot("hub", SPEC, [])
    with pytest.raises(UsageError, match="known: r1"):
        roster.run("r9")
    with pytest.raises(UsageError, match="known: r1"):
        roster.spec("r9")

"""One run, several engines, one PostgreSQL: budget, rate and concurrency hold over all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from wavecrew.journal import events as e
from wavecrew.journal.account import nodes_of
from wavecrew.journal.ledger import PostgresLedger
from wavecrew.journal.postgres import PostgresEventLog
from wavecrew.journal.schema import ensure_schema
from wavecrew.journal.state import apply, fold
from wavecrew.plan.settings import Allowance, Budget
from wavecrew.run.budget import Purse, Verdict, spending
from wavecrew.run.prices import Usage
from wavecrew.run.traffic import Pace

USAGE = Usage(90, 10)


class Engine:
    """What one worker has of the budget: its own fold of the log, and the shared ledger."""

    def __init__(self, url: str, budget: Budget, pace: Pace, stack: ExitStack) -> None:
        self.log = stack.enter_context(closing(PostgresEventLog(url, "r1")))
        self.state = fold(self.log.read())
        self.log.on_append = lambda event: apply(self.state, event)
        self.purse = Purse(
            budget,
            spent=spending(self.state.account, threading.RLock()),
            refresh=self.log.refresh,
            ledger=stack.enter_context(closing(PostgresLedger(url, "r1"))),
            pace=pace,
        )

    def reserve(self, task: str) -> Verdict:
        return self.purse.reserve(f"{task}/1", nodes_of(task, "w"), USAGE)

    def pay(self, task: str, step: int) -> None:
        self.purse.answered(f"{task}/1", USAGE)
        self.log.append(e.AgentStep(task, 1, step, "model", "", 100, 0.0, 1))
        self.purse.counted(f"{task}/1")


Start = Callable[..., Engine]


@pytest.fixture
def start(database_url: str) -> Iterator[Start]:
    ensure_schema(database_url)
    with ExitStack() as stack:
        log = stack.enter_context(closing(PostgresEventLog(database_url, "r1")))
        tasks = [{"id": t, "title": t, "role": "r", "wave": "w"} for t in "abcdefgh"]
        log.append(e.RunStarted("p", "b", "i", "m", False, "none", tasks, [], ["r"]))

        def engine(budget: Budget, pace: Pace | None = None) -> Engine:
            return Engine(database_url, budget, pace or Pace(agents=8), stack)

        yield engine


def test_what_one_engine_has_reserved_or_paid_the_other_cannot_spend(start: Start) -> None:
    budget = Budget(wave=Allowance(tokens=250))
    here, there = start(budget), start(budget)
    assert here.reserve("a").granted
    assert there.reserve("b").granted
    waits = here.reserve("c")
    assert (waits.granted, waits.reason) == (False, "")
    here.pay("a", 1)
    there.pay("b", 1)
    refused = there.reserve("d")
    assert refused.reason == "the budget of 250 tokens of wave 'w' is used up (200 spent)"


def test_three_engines_at_once_spend_no_more_than_there_is(start: Start) -> None:
    engines = [start(Budget(tokens=1000)) for _ in range(3)]

    def work(number: int) -> int:
        engine, task, paid = engines[number], "abc"[number], 0
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            verdict = engine.reserve(task)
            if verdict.reason:
                break
            if verdict.granted:
                paid += 1
                engine.pay(task, paid)
        return paid

    with ThreadPoolExecutor(3) as many:
        assert sum(many.map(work, range(3))) == 10
    engines[0].log.refresh()
    assert engines[0].state.account.of("run").tokens == 1000


def test_a_session_that_moved_to_another_engine_frees_what_it_held_there(start: Start) -> None:
    here, there = start(Budget(tokens=150)), start(Budget(tokens=150))
    assert here.reserve("a").granted
    assert not there.reserve("b").granted
    there.purse.begin("a/1")
    assert there.reserve("b").granted


def test_trouble_that_one_engine_meets_slows_all_of_them(start: Start) -> None:
    pace = Pace(agents=4, requests_per_minute=60)
    here, there = start(Budget(), pace), start(Budget(), pace)
    assert here.reserve("a").wait_s == 0
    assert 0 < there.reserve("b").wait_s <= 1  # one rate for both
    fact = here.purse.troubled("a/1", "busy", "HTTP 429", retry_after_s=30)
    assert fact
    assert fact.limit == 2
    waits = there.reserve("c")
    assert not waits.granted
    assert waits.wait_s > 20
    other = there.purse.troubled("b/1", "busy", "HTTP 429")
    assert other is None or other.change == fact.change + 1

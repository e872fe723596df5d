"""Numbers that many engines share: every change counts once, whoever makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from wavecrew.journal.ledger import PostgresLedger, Rows
from wavecrew.journal.schema import ensure_schema
from wavecrew.testing.event_log_contract import HOSTILE

Engine = Callable[[], PostgresLedger]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    ensure_schema(database_url)
    with ExitStack() as open_ones:
        yield lambda: open_ones.enter_context(closing(PostgresLedger(database_url, "r1")))


def add(amount: int) -> Callable[[Rows], int]:
    def work(rows: Rows) -> int:
        for row in rows.values():
            row["tokens"] = row.get("tokens", 0) + amount
        return max(row["tokens"] for row in rows.values())

    return work


def seen(ledger: PostgresLedger, *names: str) -> Rows:
    return ledger.change(names, dict)


def test_a_change_is_seen_by_every_engine(engine: Engine) -> None:
    assert engine().change(["run", "wave 1"], add(3)) == 3
    assert engine().change(["run"], add(4)) == 7
    assert seen(engine(), "run", "wave 1", "wave 2") == {
        "run": {"tokens": 7},
        "wave 1": {"tokens": 3},
        "wave 2": {},
    }


def test_engines_that_change_at_once_lose_nothing(engine: Engine) -> None:
    ledgers = [engine() for _ in range(4)]

    def spend(number: int) -> None:
        names = ["run", "wave 1"] if number % 2 else ["wave 1", "run"]
        for _ in range(25):
            ledgers[number].change(names, add(1))

    with ThreadPoolExecutor(4) as many:
        list(many.map(spend, range(4)))
    assert seen(engine(), "run", "wave 1") == {"run": {"tokens": 100}, "wave 1": {"tokens": 100}}


def test_what_raises_stores_nothing_and_holds_nobody_up(engine: Engine) -> None:
    here, there = engine(), engine()

    def fails(rows: Rows) -> None:
        rows["run"]["tokens"] = 9
        raise LookupError

    with pytest.raises(LookupError):
        here.change(["run"], fails)
    assert there.change(["run"], add(1)) == 1


def test_a_row_that_was_emptied_is_gone(engine: Engine) -> None:
    ledger = engine()
    ledger.change(["session"], add(1))
    ledger.change(["session"], lambda rows: rows["session"].clear())
    assert seen(engine(), "session") == {"session": {}}


def test_names_and_values_of_every_kind_come_back(engine: Engine) -> None:
    engine().change([HOSTILE], lambda rows: rows[HOSTILE].update(text=HOSTILE, half=0.5))
    assert seen(engine(), HOSTILE) == {HOSTILE: {"text": HOSTILE, "half": 0.5}}


def test_runs_have_ledgers_of_their_own(engine: Engine, database_url: str) -> None:
    engine().change(["run"], add(1))
    with closing(PostgresLedger(database_url, "r2")) as other:
        assert seen(other, "run") == {"run": {}}

"""What many workers share: how fast do events go into PostgreSQL, and tasks out of its queue?

    python bench/database.py [--quick]

A server of its own on loopback, flushing as one in earnest does; TMPDIR chooses the disk. Beside
each figure stands what bare inserts of the same server make, with as many connections, in the
same minute. Writers and workers are processes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path
from subprocess import PIPE

import psycopg
from rows import Row, file_system, show

from wavecrew.journal import events as e
from wavecrew.journal.postgres import PostgresEventLog, ensure_schema

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "servers"))
from postgres import PostgresServer  # noqa: E402

WRITERS = (1, 8, 32)
WORKERS = (1, 4)
AGENTS = 8
"""What one worker takes at once, as docs/scale.md advises."""
PATIENCE_S = 120.0
DONE = """
select count(*), coalesce(max(updated_at) - min(started_at_epoch_ms), 0)
from wavecrew_bench.workflow_status where status = 'SUCCESS'
"""
Write = Callable[[str, str, int], Callable[[int], object]]
"""(URL, run, writer) -> what writes its nth event."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="what CI has time for")
    options = parser.parse_args()
    show("PostgreSQL", shared(quick=options.quick))


def shared(*, quick: bool) -> Iterator[Row]:
    with PostgresServer(durable=True) as server:
        yield from appends(server, 200 if quick else 1600)
        if not quick:
            yield from claims(server, 400)


# events


def appends(server: PostgresServer, total: int) -> Iterator[Row]:
    """The same number of events from ever more writers, into one run's log and into many.

    Those of one run follow one another, each flushed before the next may be written.
    """
    where = f"PostgreSQL on {file_system(Path(tempfile.gettempdir()))}"
    url = server.create_database("events")
    ensure_schema(url)
    with psycopg.connect(url, autocommit=True) as here:
        here.execute("create table bare (writer int, number int, body text)")
    alone = 0.0
    for writers in WRITERS:
        each = max(total // writers, 5)
        one = rate(url, into_log, writers, each, [f"one-{writers}"] * writers)
        own = rate(url, into_log, writers, each, [f"own-{writers}-{n}" for n in range(writers)])
        bare = rate(url, into_table, writers, each, [""] * writers)
        alone = alone or one
        name = f"{where}, {writers} writer{'s' if writers > 1 else ''}"
        beside = f"bare inserts {bare:,.0f} a second, ratio {bare / one:.1f}"
        grown = f"{one / alone:.1f}x one writer; "
        yield Row(f"{name} to one run's log", f"{one:,.0f} events a second", grown + beside)
        if writers > 1:
            beside = f"bare inserts {bare:,.0f} a second, ratio {bare / own:.1f}"
            yield Row(f"{name}, each to its own run's", f"{own:,.0f} events a second", beside)


def rate(url: str, write: Write, writers: int, each: int, runs: list[str]) -> float:
    """Events a second, from when all are ready until the last has written its last."""
    fork = multiprocessing.get_context("fork")
    ready = fork.Barrier(writers + 1)
    processes = [
        fork.Process(target=writer, args=(url, write, runs[number], number, each, ready))
        for number in range(writers)
    ]
    for process in processes:
        process.start()
    ready.wait(60)
    began = time.perf_counter()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    return writers * each / (time.perf_counter() - began)


def writer(url: str, write: Write, run: str, number: int, each: int, ready: Barrier) -> None:
    once = write(url, run, number)
    ready.wait(60)
    for event in range(each):
        once(event)


def into_log(url: str, run: str, number: int) -> Callable[[int], object]:
    log = PostgresEventLog(url, run)
    return lambda event: log.append(
        e.AgentStep(str(number), 1, event, "model", "reads three files", 900)
    )


def into_table(url: str, run: str, number: int) -> Callable[[int], object]:
    here = psycopg.connect(url, autocommit=True)
    row = "insert into bare values (%s, %s, %s)"
    return lambda event: here.execute(row, (number, event, "x" * 200))


# the queue


def claims(server: PostgresServer, tasks: int) -> Iterator[Row]:
    """Tasks that do nothing, through the queue that workers share: how fast they are taken."""
    alone = 0.0
    for workers in WORKERS:
        url = server.create_database(f"queue_{workers}")
        put_in = float(at_queue(url, "feeder", "feed", tasks).communicate(timeout=PATIENCE_S)[0])
        taking = [at_queue(url, f"worker-{n}", "take", AGENTS) for n in range(workers)]
        took = taken(url, taking, tasks)
        alone = alone or tasks / took
        yield Row(
            f"empty tasks through the queue, {workers} worker{'s' if workers > 1 else ''} "
            f"of {AGENTS} agents",
            f"{tasks / took:,.0f} tasks a second",
            f"{tasks / took / alone:.1f}x one worker; one process put in {put_in:,.0f} a second",
        )


def at_queue(url: str, name: str, what: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / "queue_worker.py"), url, name, what, str(count)]
    return subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True)


def taken(url: str, workers: list[subprocess.Popen[str]], tasks: int) -> float:
    """Seconds by the database's rows, from the first task taken to the last one done."""
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    deadline = time.monotonic() + PATIENCE_S
    with psycopg.connect(url, autocommit=True) as here:
        done, took_ms = 0, 0
        while done < tasks:
            assert time.monotonic() < deadline, f"{done} of {tasks} tasks done"
            time.sleep(0.1)
            done, took_ms = here.execute(DONE).fetchall()[0]
    for worker in workers:
        worker.communicate(timeout=30)
    return took_ms / 1000


if __name__ == "__main__":
    main()

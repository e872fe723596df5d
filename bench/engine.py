"""What the engine itself costs: events, resuming, forecasting conflicts, deciding at scale.

    python bench/engine.py [--quick] [--folder DIR]

Each budget of DESIGN, section 9, beside what this machine needs for the bare thing in the
same minute: a flush of the disk, a git process, a plan half as large. `--folder` is where
files are written; a flush costs what that disk makes of it.
"""

from __future__ import annotations

import argparse
import heapq
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from plans import random_plan
from rich.console import Console
from rich.table import Table
from workspace import generate, git

from wavecrew.journal import events as e
from wavecrew.journal.log import SqliteEventLog
from wavecrew.journal.state import fold
from wavecrew.plan.settings import Limits, Settings
from wavecrew.run.progress import Progress, StartSync
from wavecrew.run.spec import RunSpec
from wavecrew.schedule.ready import Schedule, hours_of
from wavecrew.workspace.collisions import forecast
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import ENGINE
from wavecrew.workspace.user_repo import UserRepository

PAGE = 4096
WRITERS = 10
BRANCHES = 10
SIZES = (2500, 5000, 10_000)


class Row(NamedTuple):
    what: str
    took: str
    beside: str
    budget: str = ""
    is_met: bool = True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="what CI has time for")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    rounds = 60 if options.quick else 300
    sizes = (625, 1250) if options.quick else SIZES
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-") as scratch:
        folder = Path(scratch).resolve()
        rows += appends(folder, rounds)
        rows += resume(folder, 10_000)
        rows += forecasts(folder, 3 if options.quick else 7)
    rows += decisions(sizes)
    show(rows)
    return 0 if all(row.is_met for row in rows) else 1


def show(rows: list[Row]) -> None:
    table = Table(title="the engine")
    for heading in ("what", "took", "beside", "budget", ""):
        table.add_column(heading, overflow="fold")
    for row in rows:
        judged = ("met" if row.is_met else "missed") if row.budget else ""
        table.add_row(row.what, row.took, row.beside, row.budget, judged)
    Console(width=130).print(table)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def processor_s() -> float:
    """Of this process and of those it waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms" if seconds < 0.01 else f"{1000 * seconds:.0f} ms"


# events


def appends(folder: Path, rounds: int) -> Iterator[Row]:
    """One event, and many at once, in turns with a bare flush of as many bytes to the same disk."""
    log = SqliteEventLog(folder / "append.db", "r1")
    raw = os.open(folder / "raw", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    numbers = count(1)

    def once() -> None:
        log.append(e.AgentStep("1.1", 1, next(numbers), "model", "reads three files", 900))

    def flush() -> None:
        os.write(raw, b"x" * 3 * PAGE)
        os.fdatasync(raw)

    ours, bare, together = [], [], []
    for _ in range(rounds):
        ours.append(timed(once))
        bare.append(timed(flush))
    for _ in range(rounds // WRITERS):
        together.append(timed(lambda: at_once(once)) / WRITERS)
    os.close(raw)
    log.close()
    one, floor, shared = map(statistics.median, (ours, bare, together))
    beside = f"bare fdatasync {ms(floor)}, ratio {one / floor:.2f}"
    yield Row("event append, durable, median", ms(one), beside, "<= 0.5 ms", one <= 0.0005)
    yield Row(
        f"the same from {WRITERS} threads at once, per event", ms(shared), f"{one / shared:.1f}x"
    )


def at_once(work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def resume(folder: Path, size: int) -> Iterator[Row]:
    """Open the log of a run and fold it, beside reading its rows and nothing more."""
    path = folder / "resume.db"
    log = SqliteEventLog(path, "r1")
    log._db.execute("pragma synchronous=off")
    for fact in story(size):
        log.append(fact)
    log.close()

    def again() -> None:
        opened = SqliteEventLog(path, "r1")
        assert fold(opened.read()).seq == size
        opened.close()

    def rows_only() -> None:
        opened = SqliteEventLog(path, "r1")
        assert len(opened._db.execute("select * from events").fetchall()) == size
        opened.close()

    took, bare = (statistics.median(timed(work) for _ in range(5)) for work in (again, rows_only))
    beside = f"rows alone {ms(bare)}, ratio {took / bare:.1f}"
    yield Row(f"open and fold a log of {size:,} events", ms(took), beside, "<= 0.5 s", took <= 0.5)


def story(size: int) -> Iterator[e.Fact]:
    """Tasks of twenty events each, as a run writes them."""
    tasks = [
        {
            "id": str(number),
            "title": f"Task {number}",
            "role": "a",
            "wave": "1",
            "phase": "",
            "group": "",
            "estimate_h": 2.0,
            "depends_on": [],
        }
        for number in range(size // 20 + 1)
    ]
    yield e.RunStarted("p", "b0", "refs/heads/i", "m", False, "bubblewrap", tasks, [], ["a"])
    left = size - 1
    for task in tasks:
        name = str(task["id"])
        facts: list[e.Fact] = [
            e.TaskStarted(name, 1, "a", "b0", [], 2.0),
            *(e.AgentStep(name, 1, n, "model", "reads three files", 900) for n in range(15)),
            e.GateFinished(name, 1, 1, "pass", [], "t", "c", 9, 0, "done", "reports/x.json"),
            e.AttemptEnded(name, 1, "passed", "", 15, 13_500, f"refs/heads/{name}"),
            e.MergeFinished(name, 1, "merged", "t", "c", [], "", "reports/y.json"),
            e.TaskCompleted(name, "a", "Pass (9 passed)", [], "Awaiting Assignment", "c"),
        ]
        yield from facts[:left]
        left -= len(facts[:left])


# conflicts


def forecasts(folder: Path, rounds: int) -> Iterator[Row]:
    """Ten branches over 300 files: apart, all in one registry, and one that re-signs a function."""
    generate(folder / "user", 300)
    user = folder / "user"
    for name, text in START.items():
        (user / name).write_text(text)
    for words in (("add", "-A"), ("commit", "-q", "-m", "start")):
        git(user, *words)
    mirror = Mirror.open(folder / "mirror.git", UserRepository.open(user))
    tip = mirror.repository.head

    def branch(number: int, more: dict[str, bytes]) -> str:
        files = {f"p00{number % 6}/new{number}_{n}.py": MODULE for n in range(10)}
        tree = mirror.write_tree(mirror.tree_of(tip), files | more)
        return mirror.commit(tree, (tip,), "work", ENGINE, 1)

    apart = {str(n): branch(n, {}) for n in range(BRANCHES)}
    registry = {str(n): branch(n, {"registry.py": registered(n)}) for n in range(BRANCHES)}
    calls = {str(n): branch(n, {f"p001/m{50 + n}.py": CALL}) for n in range(1, BRANCHES)}
    resigned = {"0": branch(0, {"shop.py": RESIGNED})} | calls
    for what, branches, collisions in (
        ("that share no file", apart, 0),
        ("that all add to one registry", registry, 0),
        ("of which one re-signs what nine call", resigned, BRANCHES - 1),
    ):
        ours, plain, busy = [], [], 0.0
        for _ in range(rounds):
            found: list[Any] = []
            began = processor_s()
            ours.append(timed(lambda all=branches, to=found: to.extend(forecast(mirror, tip, all))))
            busy += processor_s() - began
            assert len(found) == collisions, found
            plain.append(timed(lambda all=branches: merge_tree(mirror, list(all.values()))))
        took, bare = statistics.median(ours), statistics.median(plain)
        beside = f"processor {ms(busy / rounds)}; git merge-tree of the pairs {ms(bare)}"
        name = f"forecast of {BRANCHES} branches {what}"
        yield Row(name, ms(took), beside, "<= 150 ms", took <= 0.15)


def merge_tree(mirror: Mirror, commits: list[str]) -> None:
    pairs = [(a, b) for at, a in enumerate(commits) for b in commits[at + 1 :]]
    asked = "".join(f"{a} {b}\n" for a, b in pairs).encode()
    mirror.git.run("merge-tree", "--write-tree", "--stdin", "-z", "--messages", stdin=asked)


MODULE = b"import json\n\n\ndef work(item):\n    return json.dumps(item)\n"
CALL = b"from shop import price\n\n\ndef work(item):\n    return price(item)\n"
RESIGNED = b"def price(item, count):\n    return count\n"
START = {
    "shop.py": "def price(item):\n    return 1\n",
    "registry.py": 'from .base import Base\n\n__all__ = ["Base"]\n',
}


def registered(number: int) -> bytes:
    return (
        f"from .base import Base\nfrom .m{number} import M{number}\n\n"
        f'__all__ = ["Base", "M{number}"]\n'
    ).encode()


# deciding


def decisions(sizes: tuple[int, ...]) -> Iterator[Row]:
    """A whole run in simulation, a tenth as many agents as tasks: only the deciding costs time."""
    taken = {size: played(size, size // 10) for size in sizes}
    before = {size: taken[half] for half, size in pairwise(sizes)}
    for size, (made, seconds, grown) in taken.items():
        each = seconds / made
        beside = f"{made / seconds:,.0f} decisions a second, {grown:.0f} MB more"
        if size in before:
            beside += f", x{each / (before[size][1] / before[size][0]):.1f} per decision"
        name = f"{size:,} tasks, {size // 10:,} agents: one decision"
        yield Row(name, ms(each), beside, "<= 5 ms", each <= 0.005)


def played(size: int, agents: int) -> tuple[int, float, float]:
    """(decisions, seconds of processor time in them, megabytes the process grew by)."""
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    loaded = random_plan(size)
    share = {"parallel": max(1, agents // len(loaded.roles))}
    roles = tuple(role.model_copy(update=share) for role in loaded.roles.values())
    spec = RunSpec(
        run="r1",
        plan=loaded.plan,
        roles=roles,
        settings=Settings(limits=Limits(agents=agents)),
        base="0" * 40,
        only=tuple(task.id for task in loaded.plan.tasks),
    )
    progress = Progress(spec, Schedule(spec.plan, {role.name: role for role in roles}))
    random, order = Random(size), count()
    pending: list[tuple[float, int, dict[str, Any]]] = []
    now, seconds, made = 0.0, 0.0, 0
    while True:
        began = time.process_time()
        steps = progress.next()
        seconds += time.process_time() - began
        made += 1
        for step in steps:
            ends = now + random.random()
            heapq.heappush(pending, (ends, next(order), answer(step, spec)))
        if not pending:
            break
        now, _, result = heapq.heappop(pending)
        began = time.process_time()
        progress.take(result)
        assert not progress.is_off_course
        seconds += time.process_time() - began
    assert progress.outcome() == ("done", 0)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held
    return made, seconds, grown / 1024


def answer(step: Any, spec: RunSpec) -> dict[str, Any]:
    """What a workflow returns when all goes as estimated."""
    if isinstance(step, StartSync):
        return {"kind": "sync", "id": step.sync, "status": "open", "send_back": "", "rework": None}
    spent = hours_of(spec.plan.tasks_by_id[step.task])
    done = {"kind": "task", "status": "merged", "lap": 0, "spent_s": spent}
    return done | {"id": step.task, "attempt": step.attempt}


if __name__ == "__main__":
    sys.exit(main())

"""What the engine itself costs: events, resuming, foreseeing conflicts, landing, deciding.

    python bench/engine.py [--quick] [--folder DIR]

Each budget beside what this machine needs for the bare thing in the same minute: a flush of the
disk, a git process, a batch of one, a plan half as large. A flush costs what the disk makes of
it: files are written to `--folder` and, where that is a disk and there is one, to a tmpfs.
`landing.py`, `deciding.py` and `database.py` can be run alone. A budget that is missed is said.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import database
import deciding
import landing
from rows import Row, file_system, ms, processor_s, show, timed
from workspace import generate, git

from wavecrew.journal import events as e
from wavecrew.journal.log import SqliteEventLog
from wavecrew.journal.state import fold
from wavecrew.workspace.collisions import forecast
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import ENGINE
from wavecrew.workspace.user_repo import UserRepository

PAGE = 4096
WRITERS = 10
BRANCHES = 10
MEMORY = Path("/dev/shm")
FLUSH_S = 0.0002
"""Below this a flush is no wait that many could share."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="what CI has time for")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    rounds = 60 if options.quick else 300
    rows: list[Row] = []
    for place in places(options.folder):
        with tempfile.TemporaryDirectory(dir=place, prefix="bench-") as scratch:
            folder = Path(scratch).resolve()
            rows += appends(folder, rounds)
            rows += forecasts(folder, 3 if options.quick else 7)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-") as scratch:
        folder = Path(scratch).resolve()
        rows += resume(folder, 10_000)
        checks = (
            (None, landing.NOTHING) if options.quick else (None, landing.NOTHING, landing.TESTS)
        )
        rows += landing.throughput(folder / "landing", 16, checks)
    rows += deciding.decisions(deciding.SIZES[:2] if options.quick else deciding.SIZES)
    rows += database.shared(quick=options.quick)
    show("the engine", rows)


def places(folder: Path) -> list[Path]:
    """Where to write: the folder, and the memory beside it when the folder is on a disk."""
    is_memory = file_system(folder) == "tmpfs" or not MEMORY.is_dir()
    return [folder] if is_memory else [folder, MEMORY]


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
    name = f"event append, durable, {file_system(folder)}"
    yield Row(f"{name}, median", ms(one), beside, "<= 0.5 ms", one <= 0.0005)
    faster = f"{one / shared:.1f}x as fast as one after the other"
    if floor > FLUSH_S:
        yield Row(f"{name}, {WRITERS} threads at once, per event", ms(shared), faster)


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
    repository = UserRepository.open(user)
    mirror = Mirror.open(folder / "mirror.git", repository)
    tip = repository.head

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
        name = f"forecast, {file_system(folder)}, of {BRANCHES} branches {what}"
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


if __name__ == "__main__":
    main()

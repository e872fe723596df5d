"""What must hold of a run's folder and repository after a storm; every breach is one sentence.

An empty list means: nothing doubled, nothing lost, nothing left over.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from wavecrew.journal.attempt import read_records
from wavecrew.sandbox.orphans import orphans

SCRATCH = ("incoming-", "outgoing-", "index-", "merge-", "checkout-", ".mirror-", "tmp")
Exchange = tuple[str, int, int]
"""Conversation, attempt, turn: one answer of the model."""


def git(repo: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(repo), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def final_tree(repo: Path) -> str:
    """Of the integration branch; empty when there is none."""
    shown = "--format=%(tree)"
    return git(repo, "for-each-ref", shown, "refs/heads/wavecrew/r1/integration")


def answered(run: Path) -> set[Exchange]:
    """Every exchange with the model whose reply stands in a journal of the run."""
    found: set[Exchange] = set()
    for folder in run.glob("attempts/*/*"):
        try:
            given = json.loads((folder / "assignment.json").read_bytes())
        except (OSError, ValueError):
            continue
        name, number = f"{given['kind']}/{given['subject']}", int(given["attempt"])
        found |= turns(name, number, read_records(folder / "journal.jsonl"))
    return found


def turns(conversation: str, attempt: int, records: Iterable[dict[str, Any]]) -> set[Exchange]:
    """The answers of the model among an attempt's records."""
    calls = [r for r in records if r["record"] == "reply" and r["kind"] == "model"]
    return {(conversation, attempt, turn) for turn in range(1, len(calls) + 1)}


def checkout(repo: Path) -> dict[str, bytes]:
    """Every byte that a run must leave alone."""
    kept = [path for path in repo.rglob("*") if path.is_file() and ".git" not in path.parts]
    kept += [repo / ".git" / name for name in ("HEAD", "index", "config")]
    state = {str(path.relative_to(repo)): path.read_bytes() for path in kept}
    return state | {"branch main": git(repo, "rev-parse", "main").encode()}


def doubled(repo: Path, base: str) -> list[str]:
    """Tasks that were merged more than once as the same attempt, since the commit `base`."""
    form = "--format=%(trailers:key=Task-Id,valueonly,separator=%x2C)/%(trailers:key=Attempt,valueonly,separator=%x2C)"
    merges = git(repo, "log", "--first-parent", form, f"{base}..wavecrew/r1/integration").split(
        "\n"
    )
    counted = Counter(line for line in merges if line.strip("/"))
    return [f"{name} was merged {times} times" for name, times in counted.items() if times > 1]


def passed(run: Path) -> list[str]:
    """The facts of all gates, as JSON."""
    with closing(sqlite3.connect(f"file:{run / 'events.db'}?mode=ro", uri=True)) as database:
        rows = database.execute("select fact from events where kind = 'gate_finished'").fetchall()
    return [fact for (fact,) in rows]


def lost(repo: Path, gates: Iterable[str]) -> list[str]:
    """Commits that a gate passed and that no ref reaches any more."""
    commits = {fact["commit"] for text in gates if (fact := json.loads(text))["commit"]}
    reached = set(git(repo, "rev-list", "--all").split())
    return [
        f"commit {commit[:12]} passed its gate and no ref reaches it"
        for commit in commits - reached
    ]


def left_over(repo: Path, run: Path, tmp: Path) -> list[str]:
    """Temporary files, locks and leases that should have gone with their owner."""
    found = [f"left in TMPDIR: {entry.name}" for entry in tmp.iterdir()]
    found += [f"half-made sandbox: {pid}" for pid in orphans()]
    found += half_made(repo / ".git")
    scratch = run / "scratch"
    if scratch.is_dir():
        found += [
            f"left in scratch: {p.relative_to(scratch)}" for p in scratch.rglob("*") if p.is_file()
        ]
    return found + held(repo / ".git" / "wavecrew" / "leases.db")


def half_made(root: Path) -> list[str]:
    """Locks, scratch folders and files that were being written, anywhere below `root`."""
    found = []
    for folder, names, files in os.walk(root):
        place = Path(folder)
        if place.name in ("ws", "home", "outputs") and place.parents[2].name == "attempts":
            names.clear()
            continue
        for name in [*names, *files]:
            if _is_half_written(name, place) or name.startswith(SCRATCH):
                found.append(f"left in {root.name}: {(place / name).relative_to(root)}")
    return found


def held(leases: Path) -> list[str]:
    """Leases that nobody gave back."""
    if not leases.exists():
        return []
    with closing(sqlite3.connect(leases)) as database:
        rows = database.execute("select kind, name, holder from leases").fetchall()
    return [f"lease never given back: {' '.join(row)}" for row in rows]


def _is_half_written(name: str, place: Path) -> bool:
    return name.endswith((".lock", ".partial", ".new")) and "baseline" not in place.parts


def settled(look: Callable[[], list[str]], within_s: float = 5.0) -> list[str]:
    """What `look` finds once a moment to go away has passed."""
    deadline = time.monotonic() + within_s
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found

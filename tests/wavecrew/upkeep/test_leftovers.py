"""What a killed engine left half-written goes; whatever counts stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

from wavecrew.run.leases import Leases, Thing
from wavecrew.run.owner import Owner
from wavecrew.run.spec import RunFolder
from wavecrew.upkeep.leftovers import sweep_leases, sweep_run

HALF = (
    *("run.partial", "reports/1.1-1-1.partial", "baseline/tmpab12", ".mirror-x/new/HEAD"),
    *("scratch/1.1-1-1/unit/tree/a.py", "attempts/1.1/1/outcome.json.new"),
    *("mirror.git/incoming-a/pack", "mirror.git/outgoing-b/pack", "mirror.git/merge-c/ours"),
    *("mirror.git/index-d/index", "mirror.git/checkout-e/snap/HEAD", "mirror.git/tmpq1"),
    *("mirror.git/objects/ab/tmp_obj_x", "mirror.git/objects/pack/tmp_pack_y"),
    "mirror.git/packed-refs.lock",
)
WHOLE = (
    *("run.json", "events.db", "reports/1.1-1-1.json", "baseline/ab.json", "baseline/ab.lock"),
    *("attempts/1.1/1/outcome.json", "attempts/1.1/1/journal.jsonl", "attempts/1.1/1/ws/tmp"),
    *("mirror.git/HEAD", "mirror.git/objects/ab/cdef"),
)


def written(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_half_written_files_go_and_whole_ones_stay(tmp_path: Path) -> None:
    written(tmp_path / "r1", *HALF, *WHOLE)
    assert sweep_run(RunFolder(tmp_path / "r1"), tmp_path / "git") > 0
    assert files(tmp_path / "r1") == set(WHOLE)


def test_only_old_locks_of_this_runs_refs_go(tmp_path: Path) -> None:
    git = tmp_path / "git"
    names = [
        "refs/heads/wavecrew/r1/1.1.lock",
        "refs/wavecrew/attic/r1/1.1/1.lock",
        "refs/heads/wavecrew/r10/1.1.lock",
        "refs/heads/main.lock",
        "refs/heads/wavecrew/r1/new.lock",
    ]
    written(git, *names)
    for name in names[:-1]:
        os.utime(git / name, (time.time() - 60, time.time() - 60))
    sweep_run(RunFolder(tmp_path / "r1"), git)
    assert files(git) == set(names[2:])


def test_leases_of_a_dead_engine_are_given_back(tmp_path: Path) -> None:
    table = tmp_path / "wavecrew" / "leases.db"
    assert sweep_leases(tmp_path) == 0
    this = Owner.this()
    dead = Leases(table, owner=Owner(this.place, this.pid, "1"))
    assert dead.claim("r1/1.1/1", (Thing("database", "app"),))
    assert Leases(table).claim("r2/1.1/1", (Thing("database", "other"),))
    assert sweep_leases(tmp_path) == 1
    assert [held.thing.name for held in Leases(table).held()] == ["other"]


def test_a_table_that_cannot_be_read_is_left_to_who_needs_it(tmp_path: Path) -> None:
    written(tmp_path, "wavecrew/leases.db")
    assert sweep_leases(tmp_path) == 0

"""What private trees cost, beside plain git doing the same work in the same minute.

    python bench/workspace.py [--files 5000] [--rounds 5] [--json]

Each line: median of ours, median of plain git's way to the same end, and the
ratio. The sandbox is the one `open_sandbox` chooses here. Writing 5,000 files is
the file system's work more than anyone's; set TMPDIR to compare disks.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from wavecrew.plan.settings import SandboxSettings
from wavecrew.sandbox import open_sandbox
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import ENGINE
from wavecrew.workspace.user_repo import UserRepository
from wavecrew.workspace.workspace import Workspace

BUDGET_S = {"workspace": 1.0}
Taken = dict[str, tuple[list[float], list[float]]]
"""name -> seconds of each round, ours and plain git's."""


def git(folder: Path, *args: str) -> None:
    who = ("-c", "user.name=b", "-c", "user.email=b@b", "-c", "gc.auto=0")
    env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", *who, *args], cwd=folder, env=env, check=True, capture_output=True)


def generate(folder: Path, files: int) -> None:
    """A repository with `files` modules of about 2 KB in folders of fifty."""
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for number in range(files):
        path = folder / f"p{number // 50:03}" / f"m{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"value_{line} = {number * line}\n" for line in range(100)))
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "generated")


def edit(tree: Path, files: int, turn: int) -> None:
    """Twenty files, or as many as there are folders."""
    for number in range(0, min(files, 1000), 50):
        (tree / f"p{number // 50:03}" / f"m{number}.py").write_text(f"turn = {turn}\n")


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure_trees(
    folder: Path, mirror: Mirror, base: str, files: int, rounds: int, taken: Taken
) -> None:
    user, plain, root = folder / "user", folder / "plain", folder / "ws"
    sandbox = open_sandbox(SandboxSettings())
    place = (root, mirror.objects, base, sandbox)
    worktree = ("worktree", "add", "-q", "--detach", str(plain))
    for turn in range(rounds):
        shutil.rmtree(root, ignore_errors=True)
        if plain.exists():
            git(user, "worktree", "remove", "--force", str(plain))
        taken["workspace"][0].append(timed(lambda: Workspace.create(*place)))
        taken["workspace"][1].append(timed(lambda: git(user, *worktree)))
        workspace = Workspace.open(*place)
        taken["first snapshot"][0].append(timed(workspace.snapshot))
        taken["first snapshot"][1].append(timed(lambda: stage(plain)))
        edit(workspace.tree_dir, files, turn)
        edit(plain, files, turn)
        taken["snapshot"][0].append(timed(workspace.snapshot))
        taken["snapshot"][1].append(timed(lambda: stage(plain)))


def stage(tree: Path) -> None:
    git(tree, "add", "-A")
    git(tree, "write-tree")


def measure_merges(mirror: Mirror, base: str, rounds: int, taken: Taken) -> None:
    def side(name: str) -> str:
        made = {f"{name}/n{n}.py": f"{name} = {n}\n".encode() for n in range(20)}
        tree = mirror.write_tree(mirror.tree_of(base), made)
        return mirror.commit(tree, (base,), name, ENGINE, 1)

    ours, theirs = side("ours"), side("theirs")
    for _ in range(rounds):
        plain = ("merge-tree", "--write-tree", ours, theirs)
        taken["merge"][0].append(timed(lambda: mirror.merge(ours, theirs)))
        taken["merge"][1].append(timed(lambda words=plain: mirror.git.run(*words)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = ("workspace", "first snapshot", "snapshot", "merge")
    taken: Taken = {name: ([], []) for name in names}
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        folder = Path(scratch).resolve()
        generate(folder / "user", options.files)
        repository = UserRepository.open(folder / "user")
        mirror = Mirror.open(folder / "mirror.git", repository)
        base = repository.head
        measure_trees(folder, mirror, base, options.files, options.rounds, taken)
        measure_merges(mirror, base, options.rounds, taken)
    found = {name: tuple(map(statistics.median, taken[name])) for name in names}
    if options.json:
        print(json.dumps({name: {"s": a, "plain_s": b} for name, (a, b) in found.items()}))
        return
    for name, (mine, plain) in found.items():
        budget = f"   budget {BUDGET_S[name]:.1f} s" if name in BUDGET_S else ""
        ratio = f"ratio {mine / plain:4.1f}"
        print(f"{name:15}{mine * 1000:6.0f} ms   git {plain * 1000:6.0f} ms   {ratio}{budget}")


if __name__ == "__main__":
    main()

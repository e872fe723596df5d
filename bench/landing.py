"""How many branches a minute does the merge queue land, by the size of its batches?

    python bench/landing.py [--branches 16] [--tests] [--folder DIR]

The example target and branches that share no file, landed as a run lands them: the lane chooses
a batch, git merges it, the last tree is verified in the sandbox, one swap of the ref. Each size
lands the same branches on a branch of its own, in the same minutes. `--tests` verifies with the
target's own tests; otherwise with nothing, and with a command that does nothing.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rows import Row, file_system, show
from workspace import git

from wavecrew.gates.gate import VerifyInput, verify_tree
from wavecrew.journal.shelf import FolderShelf
from wavecrew.plan.load import load_settings
from wavecrew.plan.settings import Check, Settings
from wavecrew.run.lane import Pairs, Waiting, next_batch
from wavecrew.sandbox import open_sandbox
from wavecrew.sandbox.model import Sandbox
from wavecrew.workspace.merge_queue import Branch, Chain, land_batch
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import ENGINE
from wavecrew.workspace.refs import integration_ref
from wavecrew.workspace.user_repo import UserRepository

TARGET = Path(__file__).resolve().parent.parent / "examples/discovery/target"
SIZES = (1, 4, 16)
NOTHING = Check(name="nothing", run="true")
TESTS = Check(name="unit", run="python -m pytest -q", kind="pytest")
MODULE = '"""Part {0}."""\n\n\ndef part_{0}() -> int:\n    return {0}\n'


class Green(NamedTuple):
    """What the queue asks of a report, for a queue without checks."""

    tree: str
    verdict: str = "pass"


@dataclass(frozen=True)
class Shop:
    """A repository whose branches wait to land."""

    folder: Path
    mirror: Mirror
    base: str
    settings: Settings
    sandbox: Sandbox
    work: dict[str, str]
    """Task -> the commit of its branch."""

    @classmethod
    def open(cls, folder: Path, branches: int) -> Shop:
        folder.mkdir(exist_ok=True)
        user = folder / "user"
        shutil.copytree(TARGET, user)
        for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "start")):
            git(user, *words)
        repository = UserRepository.open(user)
        mirror = Mirror.open(folder / "mirror.git", repository)
        base, settings = repository.head, load_settings(user / "wavecrew.toml")
        work = {str(number): branch(mirror, base, number) for number in range(branches)}
        return cls(folder, mirror, base, settings, open_sandbox(settings.sandbox), work)

    def land_all(self, size: int, check: Check | None) -> int:
        """Land every branch on a new integration branch, `size` at a time; how many tests."""
        run = f"{check.name if check else 'none'}-{size}"
        ref = integration_ref(run)
        assert self.mirror.publish(ref, self.base, None)
        waiting = [Waiting(task, 1, commit) for task, commit in self.work.items()]
        tested = 0

        def verify(chain: Chain) -> Any:
            nonlocal tested
            tested += 1
            return verify_tree(self.wanted(chain, run, check)) if check else Green(chain.tree)

        while waiting:
            batch = next_batch(waiting, waiting[0].task, Pairs(), size)
            done = land_batch(
                self.mirror,
                [queued(run, one) for one in batch],
                integration_ref=ref,
                verify=verify,
                evidence=lambda report: f"{report.verdict} at tree {report.tree}",
                since=self.base,
            )
            assert {landing.outcome for landing in done.values()} == {"merged"}, done
            waiting = [one for one in waiting if one.task not in done]
        return tested

    def wanted(self, chain: Chain, run: str, check: Check) -> VerifyInput:
        # A folder for each size, so that none finds what another's check said of the same tree.
        folder = self.folder / run
        return VerifyInput(
            mirror=self.mirror,
            sandbox=self.sandbox,
            base=chain.base,
            tree=chain.tree,
            checks=(check,),
            settings=self.settings,
            run_dir=folder,
            shelf=FolderShelf(folder),
            name=f"integration-{chain.tree[:16]}",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--branches", type=int, default=16)
    parser.add_argument("--tests", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    checks = (TESTS,) if options.tests else (None, NOTHING)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-") as scratch:
        rows = [*throughput(Path(scratch).resolve(), options.branches, checks)]
    show("the merge queue", rows)


def throughput(folder: Path, branches: int, checks: Sequence[Check | None]) -> Iterator[Row]:
    shop = Shop.open(folder, branches)
    where = file_system(folder)
    for check in checks:
        alone = 0.0
        for size in SIZES:
            began = time.perf_counter()
            tested = shop.land_all(size, check)
            took = time.perf_counter() - began
            alone = alone or took
            what = f"`{check.run}` in the sandbox" if check else "no check"
            yield Row(
                f"merge queue, {where}, {what}, batch {size}",
                f"{60 * branches / took:,.0f} merges a minute",
                f"{alone / took:.1f}x batch 1; trees tested: {tested}; {took:.1f} s in all",
            )


def branch(mirror: Mirror, base: str, number: int) -> str:
    files = {f"discovery/services/part_{number}.py": MODULE.format(number).encode()}
    return mirror.commit(mirror.write_tree(mirror.tree_of(base), files), (base,), "w", ENGINE, 1)


def queued(run: str, one: Waiting) -> Branch:
    return Branch(run, one.task, f"Part {one.task}", "Did it.", one.commit, 1, "role", 1)


if __name__ == "__main__":
    main()

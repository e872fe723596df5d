"""Is the work of a run's attempts safe elsewhere? What must be known before anything is deleted.

Work is safe when a commit that a ref of the user's repository reaches has its
tree: the integration branch, any branch, the attic. Where a workspace stands
is looked at afresh, in the sandbox; what its journal remembers counts as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from wavecrew.errors import EnvironmentBroken, ToolError
from wavecrew.journal.attempt import newest_snapshot
from wavecrew.journal.events import Event, GateFinished
from wavecrew.run.spec import RunSpec
from wavecrew.sandbox import open_sandbox
from wavecrew.workspace import attic
from wavecrew.workspace.git import object_id
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import Author
from wavecrew.workspace.workspace import Workspace


def unmerged(what: str) -> str:
    """Why `what` must stay."""
    return f"unmerged: {what} is on no branch nor in the attic"


@dataclass(frozen=True)
class Attempted:
    """The folder of one attempt, as its assignment describes it."""

    folder: Path
    task: str
    number: int
    base: str
    given: dict[str, Any]
    is_task: bool
    """False for the manager crew, which writes nothing."""

    @classmethod
    def read(cls, folder: Path) -> Attempted:
        """EnvironmentBroken when nothing says what the folder is."""
        try:
            given = json.loads((folder / "assignment.json").read_bytes())
            is_task = given["kind"] == "task"
            base = str(given["workspace"]["base"])
            return cls(folder, str(given["subject"]), int(given["attempt"]), base, given, is_task)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise EnvironmentBroken(
                f"its assignment cannot be read ({type(error).__name__})", where=str(folder)
            ) from error


@dataclass(frozen=True)
class Kept:
    """One run's work, against what the refs of the repository hold."""

    spec: RunSpec
    mirror: Mirror
    tips: tuple[str, ...] = ()
    """Commits at hand that refs of another repository, the hub, reach: kept as well."""

    @cached_property
    def _reached(self) -> tuple[frozenset[str], frozenset[str]]:
        """(commits, trees) that any ref reaches, since the run's base."""
        git = self.mirror.repository.git
        limit = (f"^{self.spec.base}",) if self.mirror.git.has_commit(self.spec.base) else ()
        asked = "".join(f"{object_id(tip)}\n" for tip in self.tips) + "".join(limit)
        args = ("log", "--format=%H %T", "--all", "--stdin")
        listed = git.run(*args, stdin=asked.encode()).decode().split()
        base = {self.mirror.tree_of(self.spec.base)} if limit else set()
        return frozenset(listed[0::2]), frozenset(listed[1::2]) | base

    def has_commit(self, commit: str) -> bool:
        return commit in self._reached[0]

    def has_tree(self, commit: str) -> bool:
        """True when the tree of a commit, which is at hand, is that of one that is kept."""
        return self.mirror.tree_of(commit) in self._reached[1]

    def unreached(self, events: Iterable[Event]) -> GateFinished | None:
        """The first verdict that let a commit pass which no ref reaches; None when all are kept."""
        facts = (event.fact for event in events)
        passed = (fact for fact in facts if isinstance(fact, GateFinished) and fact.commit)
        return next((fact for fact in passed if not self.has_commit(fact.commit)), None)

    def why_not(self, tried: Attempted) -> str:
        """Why the attempt's workspace must stay; empty when all its work is kept."""
        if not tried.is_task:
            return ""
        newest = newest_snapshot(tried.folder / "journal.jsonl")
        if newest and not self._is_kept(newest, tried):
            return unmerged(f"its newest snapshot {newest[:12]}")
        if not (tried.folder / "ws" / "workspace.json").exists():
            return ""
        try:
            tree = self._workspace(tried).snapshot()
        except ToolError as error:
            return f"dirty: it cannot be recorded ({attic.one_line(str(error), 200)})"
        if not self._is_kept(tree, tried):
            return "dirty: its files differ from all that is parked or merged"
        return ""

    def park(self, tried: Attempted, *, when: int) -> str:
        """Put the workspace's tree into the attic, and before it the newest of its journal.

        Gives the ref. ToolError when the tree cannot be recorded.
        """
        workspace = self._workspace(tried)
        now = workspace.snapshot()
        newest = newest_snapshot(tried.folder / "journal.jsonl") or now
        ref = ""
        for tree in dict.fromkeys((newest, now)):
            self.mirror.import_pack(workspace.pack(tree), tree, tried.base)
            ref = self._parked(tree, tried, when)
        return ref

    def _parked(self, tree: str, tried: Attempted, when: int) -> str:
        note = attic.Note(
            run=self.spec.run,
            task=tried.task,
            attempt=tried.number,
            base=tried.base,
            title=str((tried.given.get("task") or {}).get("title", "")),
            outcome="cleaned",
            detail="parked by `wavecrew clean --park`",
        )
        name = str((tried.given.get("role") or {}).get("name", "agent"))
        author = Author(name, f"{name}@wavecrew.localhost")
        return attic.park(self.mirror, tree, note, author=author, when=when)

    def _is_kept(self, tree: str, tried: Attempted) -> bool:
        return tree in self._reached[1] or (
            self.mirror.git.has_commit(tried.base) and tree == self.mirror.tree_of(tried.base)
        )

    def _workspace(self, tried: Attempted) -> Workspace:
        sandbox = self._sandbox
        return Workspace.open(tried.folder / "ws", self.mirror.objects, tried.base, sandbox)

    @cached_property
    def _sandbox(self) -> Any:
        """As the run had it: a tree that agents wrote is never looked at outside of one."""
        allowed = self.spec.allow_unsandboxed
        return open_sandbox(self.spec.settings.sandbox, allow_unsandboxed=allowed)

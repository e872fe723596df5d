"""The private tree of an attempt, and what integration makes of it, as data and protocols."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar

from wavecrew.errors import ToolError
from wavecrew.workspace.git import Git


@dataclass(frozen=True, slots=True)
class Author:
    """Who a commit is by. The engine commits; the role is named as the author."""

    name: str
    email: str


ENGINE = Author("Wavecrew", "wavecrew@localhost")


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs between two trees. A rename is a deletion and an addition."""

    path: str
    """Bytes that are no UTF-8 stand as surrogate escapes."""
    status: Literal["A", "M", "D", "T"]
    """Added, modified, deleted, or of another type (a file that became a link)."""
    mode: str
    """Six octal digits as git writes them; `000000` when deleted."""
    old_mode: str


@dataclass(frozen=True, slots=True)
class Conflict:
    path: str
    kind: str
    """As git names it: `content`, `modify/delete`, `add/add` ..."""
    hunks: str
    """The conflicting text with markers, cut to a budget."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A tree that merges a branch with the tip; nothing has landed yet."""

    tree: str
    drivers: tuple[str, ...] = ()
    """Convergence drivers that changed it beyond git's own merge."""


@dataclass(frozen=True, slots=True)
class Conflicted:
    """A merge that a person or an agent must finish."""

    tree: str
    """The merge as far as it went; conflicting files hold markers."""
    conflicts: tuple[Conflict, ...]
    drivers: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(conflict.path for conflict in self.conflicts)


class Repository(Protocol):
    """Where the branches of a run stand: the user's own repository, or the hub of many workers.

    Reading and moving refs asks the one place that counts; everything else is
    about the git directory on this machine. Thread-safe, safe across processes
    and against being killed: a ref is old or new, and what it names is whole.
    """

    @property
    def git_dir(self) -> Path:
        """Git directory on this machine; what is kept for all runs lies below it."""
        ...

    @property
    def objects(self) -> tuple[Path, ...]:
        """Object stores to read from. Agents can read all of them."""
        ...

    @property
    def object_format(self) -> str:
        """`sha1` or `sha256`."""
        ...

    @property
    def machine(self) -> str:
        """Tells this machine from others that work for the same repository; empty when none do."""
        ...

    @property
    def git(self) -> Git:
        """Plumbing on `git_dir`. What it says of refs may be older than what `read_ref` says."""
        ...

    def read_ref(self, name: str) -> str | None:
        """The commit a full ref name stands for now, its objects at hand; None: no such ref."""
        ...

    def bring(self, commit: str) -> bool:
        """Fetch a commit that another machine made, with all it needs; False when nobody has it."""
        ...

    def tips(self) -> tuple[str, ...]:
        """Commits whose whole history is in `git_dir`: what need not be copied there again."""
        ...

    def update_ref(self, name: str, new: str, old: str | None) -> bool:
        """Let `name` point at `new`, which `git_dir` has, if it still is at `old` (None: absent).

        False when someone else moved it, then nothing has changed. UsageError
        for a ref that is no run's.
        """
        ...


class Report(Protocol):
    """What `verify` gives back; only a verdict of `pass` lets a tree land."""

    @property
    def verdict(self) -> str: ...


R = TypeVar("R", bound=Report)


@dataclass(frozen=True, slots=True)
class Landing(Generic[R]):
    """How an attempt to land a branch ended; exactly one outcome, the rest stays empty."""

    outcome: Literal["merged", "already_merged", "conflict", "red", "moved"]
    """moved: the tip changed under every try; nothing was changed, try again later."""
    commit: str = ""
    """Of the merge, for `merged` and `already_merged`."""
    tree: str = ""
    """The tree that was verified."""
    drivers: tuple[str, ...] = ()
    report: R | None = None
    conflict: Conflicted | None = None


@dataclass(frozen=True, slots=True)
class EntryFinding:
    """A tree entry that may not enter (`forbidden`), or that a reviewer should look at."""

    path: str
    message: str
    """One sentence with the reason and the mend; an agent reads it."""
    forbidden: bool = True


class TreeRejected(ToolError):
    """A tree from a workspace holds entries that no branch may have; nothing was imported."""

    def __init__(self, findings: tuple[EntryFinding, ...]) -> None:
        super().__init__(findings)
        self.findings = findings

    def __str__(self) -> str:
        return "\n".join(f"{finding.path!r}: {finding.message}" for finding in self.findings)


class SnapshotRefused(ToolError):
    """The working tree cannot be recorded as it stands; the message says what to mend."""


class NestedRepository(SnapshotRefused):
    """A folder below the top holds a repository of its own (`.git`, folder or file)."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        super().__init__(paths)
        self.paths = paths

    def __str__(self) -> str:
        shown = ", ".join(repr(path) for path in self.paths[:5])
        return (
            f"a repository inside the repository cannot be recorded: {shown}. "
            "Delete the inner '.git', or ignore its folder in .gitignore."
        )


@dataclass(frozen=True, slots=True)
class MergeView:
    """What a convergence driver is shown: four treeish ids and what git could not merge."""

    base: str
    """The newest common ancestor; the empty tree when there is none."""
    ours: str
    """The tip of the integration branch."""
    theirs: str
    """The branch that wants to land."""
    tree: str
    """Git's merge of both, with markers where it conflicts."""
    conflicts: tuple[Conflict, ...] = ()


class Trees(Protocol):
    """The reading side of the mirror, as far as drivers need it."""

    def read(self, treeish: str, path: str) -> bytes | None: ...

    def read_all(self, treeish: str, paths: Iterable[str]) -> dict[str, bytes]: ...

    def ls(self, treeish: str, prefix: str = "") -> tuple[str, ...]: ...

    def changes(self, base: str, tree: str) -> tuple[Change, ...]: ...

    def merge_text(self, base: bytes, ours: bytes, theirs: bytes, marker: int) -> bytes:
        """The three-way merge of one file, conflicts with diff3 markers of `marker` letters."""
        ...


@dataclass(frozen=True, slots=True)
class Converged:
    """What a driver makes of a merge."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    """path -> whole new content. A conflicting path named here counts as resolved."""
    conflicts: tuple[Conflict, ...] = ()
    """Conflicts git does not see, such as two migrations with one revision id."""


class ConvergenceDriver(Protocol):
    """Mends what many branches always do to the same file, by rule and never by guess.

    `converge` returns None when the merge is none of its business or when it is
    not certain; it never raises on hostile content, and the same view always
    gives the same answer. What it returns is still verified like any merge.
    """

    @property
    def name(self) -> str:
        """One word for events and messages."""
        ...

    def converge(self, trees: Trees, view: MergeView) -> Converged | None: ...

"""What the engine reads from the user's repository, and the two things it adds: objects and refs.

The checkout, HEAD, the index, the configuration and every other ref are only
ever read. GitPython does the reading that needs the user's own settings (is
the checkout clean?); it is trusted with this repository and with no other.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wavecrew.errors import RepositoryError
from wavecrew.workspace import git as plumbing
from wavecrew.workspace.refs import BRANCHES, checked

if TYPE_CHECKING:
    import git as gitpython

_UNFINISHED = {
    "MERGE_HEAD": "merge",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisection",
}
STALE_LOCK_S = 10.0
"""No living git holds the lock of a ref so long."""
_LOCK_PATIENCE_S = 15.0
_DEEPEST_ALTERNATES = 5


@dataclass(frozen=True, slots=True)
class UserRepository:
    """The repository a run works for, as it stood when it was opened."""

    root: Path
    """Top of the checkout that was named; a linked worktree is as good as the main one."""
    git_dir: Path
    """The common git directory, shared by all worktrees."""
    objects: tuple[Path, ...]
    """Its object store, then the stores it borrows from."""
    head: str
    """Commit that HEAD names."""
    untracked: tuple[str, ...] = ()
    """Files git does not know; a note for the user, no error. A folder ends with `/`."""

    @classmethod
    def open(cls, path: Path, *, clean: bool = True) -> UserRepository:
        """Read the repository that `path` lies in.

        RepositoryError when the path is missing, is no repository, is bare, has
        no commit or is a partial clone; with `clean` also when tracked files
        differ from HEAD or a merge, rebase or the like is unfinished. GitFailed
        when git itself is missing.
        """
        plumbing.executable()
        import git as gitpython  # costs 0.2 s, which only a run should pay

        if not path.exists():
            raise RepositoryError("there is no such path", where=str(path))
        try:
            found = gitpython.Repo(path, search_parent_directories=True)
        except (gitpython.InvalidGitRepositoryError, gitpython.NoSuchPathError) as error:
            raise RepositoryError(
                "this is not a git repository",
                where=str(path),
                mend="Run `git init` and commit something, or name another folder.",
            ) from error
        try:
            with found as repository:
                return _read(repository, clean)
        except gitpython.GitCommandError as error:
            said = str(error.stderr).strip()
            raise RepositoryError(f"git cannot read it: {said}", where=str(path)) from error

    @property
    def object_format(self) -> str:
        """`sha1` or `sha256`."""
        return plumbing.object_format(self.head)

    @property
    def machine(self) -> str:
        """Empty: only processes of one machine work on a repository with a checkout."""
        return ""

    @property
    def git(self) -> plumbing.Git:
        """Plumbing on the common git directory, hooks off."""
        return plumbing.Git(self.git_dir)

    def read_ref(self, name: str) -> str | None:
        """The commit a full ref name stands for; None when there is no such ref."""
        ended = self.git.call("show-ref", "--verify", "--hash", "--", name)
        return ended.stdout.decode().strip() if ended.code == 0 else None

    def bring(self, commit: str) -> bool:
        """Nothing can be brought here: all work for this repository is done beside it."""
        return False

    def tips(self) -> tuple[str, ...]:
        """HEAD and the branches of all runs: what need not be copied here again."""
        listed = self.git.run("for-each-ref", "--format=%(objectname)", f"{BRANCHES}/")
        return tuple(dict.fromkeys((self.head, *listed.decode().split())))

    def update_ref(self, name: str, new: str, old: str | None) -> bool:
        """Let `name` point at `new` if it still is at `old` (None: if it does not exist yet).

        False when someone else moved it. Only refs of a run may be named
        (UsageError); RepositoryError when a checkout has the branch open, since
        its files would seem changed under the user's hands.
        """
        refuse_open_checkout(self.git_dir, checked(name))
        expected = plumbing.object_id(old) if old else "0" * len(new)
        args = ("update-ref", "--no-deref", "--", name, plumbing.object_id(new), expected)
        deadline = time.monotonic() + _LOCK_PATIENCE_S
        while True:
            ended = self.git.call(*args)
            if ended.code == 0:
                return True
            if b".lock': File exists" not in ended.stderr:
                break
            if time.monotonic() > deadline:
                raise self.git.failed(args, ended)
            self._drop_stale_lock(name)
            time.sleep(0.02)
        if self.read_ref(name) != old:
            return False
        raise self.git.failed(args, ended)

    def _drop_stale_lock(self, name: str) -> None:
        """Remove the lock of a git that was killed; a living one holds it for milliseconds."""
        lock = self.git_dir / f"{name}.lock"
        try:
            if time.time() - lock.stat().st_mtime > STALE_LOCK_S:
                lock.unlink()
        except FileNotFoundError:
            return


def refuse_open_checkout(git_dir: Path, name: str) -> None:
    """RepositoryError when a checkout has this branch open, born or unborn."""
    heads = [git_dir / "HEAD", *git_dir.glob("worktrees/*/HEAD")]
    for head in heads:
        if head.is_file() and head.read_text(errors="replace").strip() == f"ref: {name}":
            raise RepositoryError(
                f"the branch {name!r} is checked out",
                where=str(head.parent),
                mend="Switch that checkout to another branch (or `git switch --detach`).",
            )


def _read(repository: gitpython.Repo, clean: bool) -> UserRepository:
    if repository.bare or repository.working_tree_dir is None:
        raise RepositoryError(
            "a bare repository has no checkout to start from",
            where=str(repository.git_dir),
            mend="Clone it and name the clone.",
        )
    root, common = Path(repository.working_tree_dir), Path(repository.common_dir).resolve()
    private = Path(repository.git_dir)
    # A wavecrew started from a hook inherits variables that name another repository.
    repository.git.update_environment(
        GIT_DIR=str(private),
        GIT_WORK_TREE=str(root),
        GIT_INDEX_FILE=str(private / "index"),
        GIT_OPTIONAL_LOCKS="0",
        LC_ALL="C",
    )
    head = _head(repository, root)
    _refuse_unusable(repository, common)
    untracked = _untracked(repository, root, private, clean)
    store = (common / "objects").resolve()
    return UserRepository(root, common, _stores(store), head, untracked)


def _head(repository: gitpython.Repo, root: Path) -> str:
    argv = ["git", "rev-parse", "--verify", "--quiet", "HEAD^{commit}"]
    status, said, _ = repository.git.execute(argv, with_extended_output=True, with_exceptions=False)
    if status != 0:
        raise RepositoryError(
            "the repository has no commit yet", where=str(root), mend="Commit something first."
        )
    return str(said)


def _refuse_unusable(repository: gitpython.Repo, common: Path) -> None:
    with repository.config_reader("repository") as config:
        partial = config.has_option("extensions", "partialClone")
    if partial:
        raise RepositoryError(
            "a partial clone lacks files the agents need",
            where=str(common),
            mend="Make a full clone: `git clone` without --filter.",
        )
    if plumbing.Git(common).call("show-ref", "--verify", "--", BRANCHES).code == 0:
        raise RepositoryError(
            "a branch named 'wavecrew' stands where the runs keep their branches",
            where=str(common),
            mend="Rename it: `git branch -m wavecrew another-name`.",
        )


def _untracked(
    repository: gitpython.Repo, root: Path, private: Path, clean: bool
) -> tuple[str, ...]:
    listed = repository.git.execute(
        ["git", "-c", "core.fsmonitor=false", "status", "--porcelain=v1", "-z", "--no-renames"],
        strip_newline_in_stdout=False,
    )
    entries = [entry for entry in str(listed).split("\0") if entry]
    changed = [entry[3:] for entry in entries if not entry.startswith("?? ")]
    unfinished = [word for name, word in _UNFINISHED.items() if (private / name).exists()]
    if clean and unfinished:
        raise RepositoryError(
            f"a {unfinished[0]} is unfinished",
            where=str(root),
            mend=f"Finish the {unfinished[0]} or abort it.",
        )
    if clean and changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        raise RepositoryError(
            f"tracked files have changes that no commit holds: {', '.join(changed[:3])}{more}",
            where=str(root),
            mend="Commit or stash them; agents start from HEAD.",
        )
    return tuple(entry[3:] for entry in entries if entry.startswith("?? "))


def _stores(store: Path) -> tuple[Path, ...]:
    """The store and all it borrows from, each once, nearest first."""
    found: list[Path] = []
    waiting = [(store, 0)]
    while waiting:
        path, depth = waiting.pop(0)
        if path in found or not path.is_dir():
            continue
        found.append(path)
        if depth < _DEEPEST_ALTERNATES:
            waiting += [((path / line).resolve(), depth + 1) for line in alternates_of(path)]
    return tuple(found)


def alternates_of(store: Path) -> tuple[str, ...]:
    """The stores an object store names, as written: absolute, or relative to it."""
    try:
        lines = (store / "info" / "alternates").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ()
    quoted = (line for line in lines if line and not line.startswith("#"))
    return tuple(_unquote(line) for line in quoted)


def shallow_of(stores: tuple[Path, ...]) -> str:
    """The cut-off commits of a shallow clone, one a line, for a git directory that borrows."""
    lines: list[str] = []
    for store in stores:
        file = store.parent / "shallow"
        if file.is_file():
            lines += file.read_text().split()
    return "".join(f"{line}\n" for line in dict.fromkeys(lines))


def _unquote(line: str) -> str:
    if not (line.startswith('"') and line.endswith('"') and len(line) > 1):
        return line
    return line[1:-1].replace('\\"', '"').replace("\\\\", "\\")

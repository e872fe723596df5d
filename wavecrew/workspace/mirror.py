"""The run's bare repository: where trees are imported, merged and committed.

It borrows the objects of the run's repository (the user's own, or a worker's copy
of the hub) and adds its own, so nothing reaches that before it is published. Bare
on purpose: git never reads attributes, filters or merge drivers of an agent's tree
here.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wavecrew.errors import GitFailed
from wavecrew.sandbox.model import TREE, Command, Mount, Sandbox
from wavecrew.workspace import importing, merging
from wavecrew.workspace.git import Git, object_format, object_id, refuse_full_disk
from wavecrew.workspace.model import (
    ENGINE,
    Author,
    Change,
    Conflicted,
    EntryFinding,
    Merged,
    Repository,
)
from wavecrew.workspace.skeleton import (
    SNAP_DIR,
    Inside,
    object_mounts,
    write_skeleton,
)
from wavecrew.workspace.user_repo import shallow_of

ENGINE_ENVIRONMENT = {
    "GIT_DIR": SNAP_DIR,
    "GIT_WORK_TREE": TREE,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "LC_ALL": "C",
}
"""What git of the engine, not of an agent, is told inside the sandbox."""
_REGULAR = {"100644", "100755"}


@dataclass(frozen=True, slots=True)
class Mirror:
    """All ids taken and given are full object ids. Thread-safe and safe across processes."""

    path: Path
    repository: Repository
    git: Git
    _here: set[str] = field(default_factory=set, compare=False, repr=False)
    """Ids that were found; only asked for where other machines make commits too."""

    @classmethod
    def open(cls, path: Path, repository: Repository) -> Mirror:
        """The mirror at `path`, made when it is not there yet."""
        path = path.resolve()
        if not path.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".mirror-") as scratch:
                fresh = Path(scratch) / "new"
                write_skeleton(fresh, object_format=repository.object_format)
                try:
                    fresh.rename(path)
                except OSError:
                    if not path.is_dir():
                        raise
        if cut := shallow_of(repository.objects):
            _replace(path / "shallow", cut.encode())
        return cls(path, repository, Git(path, alternates=repository.objects))

    @property
    def objects(self) -> tuple[Path, ...]:
        """All stores a workspace needs, the mirror's own first."""
        return (self.path / "objects", *self.repository.objects)

    def need(self, *treeishes: str) -> None:
        """Bring what another machine made and this one has not seen yet.

        The readers below do it for what they are given. GitFailed when the hub
        does not have it either.
        """
        unsure = [name for name in treeishes if name not in self._here]
        if not unsure or not self.repository.machine:
            return
        asked = "".join(f"{object_id(name)}\n" for name in unsure)
        said = self.git.run("cat-file", "--batch-check", stdin=asked.encode()).decode()
        for line in said.splitlines():
            name, _, rest = line.partition(" ")
            if rest == "missing" and not self.repository.bring(name):
                raise GitFailed(
                    f"the commit {name} is on no machine that can be reached",
                    where=str(self.repository.git_dir),
                )
            self._here.add(name)

    # reading

    def tree_of(self, treeish: str) -> str:
        """The tree of a commit; a tree is its own."""
        self.need(treeish)
        text = self.git.run("rev-parse", "--verify", f"{object_id(treeish)}^{{tree}}")
        return text.decode().strip()

    def has(self, name: str) -> bool:
        """True when the mirror or a store it borrows from holds this object."""
        return self.git.call("cat-file", "-e", object_id(name)).code == 0

    def empty_tree(self) -> str:
        return self.git.run("mktree").decode().strip()

    def is_ancestor(self, ancestor: str, commit: str) -> bool:
        self.need(ancestor, commit)
        args = ("merge-base", "--is-ancestor", object_id(ancestor), object_id(commit))
        ended = self.git.call(*args)
        if ended.code > 1:
            raise self.git.failed(args, ended)
        return ended.code == 0

    def merge_base(self, one: str, other: str) -> str | None:
        """The newest common ancestor; None for histories that share nothing."""
        self.need(one, other)
        args = ("merge-base", object_id(one), object_id(other))
        ended = self.git.call(*args)
        if ended.code > 1:
            raise self.git.failed(args, ended)
        return ended.stdout.decode().split("\n")[0] or None

    def changes(self, base: str, tree: str) -> tuple[Change, ...]:
        """Every path that differs, ordered by path bytes."""
        self.need(base, tree)
        return tuple(change for change, _ in importing.raw_changes(self.git, base, tree))

    def diff(self, base: str, tree: str, path: str = "") -> str:
        """The unified diff, of everything or of one path or folder."""
        self.need(base, tree)
        limit = ("--", path) if path else ()
        return self.git.run(
            "diff-tree",
            "-p",
            "-r",
            "--no-ext-diff",
            "--no-textconv",
            "--find-renames",
            object_id(base),
            object_id(tree),
            *limit,
        ).decode("utf-8", "replace")

    def ls(self, treeish: str, prefix: str = "") -> tuple[str, ...]:
        """Paths of all files and links, beneath a folder when one is named."""
        return tuple(path for path, _, _ in self._entries(treeish, (prefix,) if prefix else ()))

    def read(self, treeish: str, path: str) -> bytes | None:
        """Content of a regular file; None when there is none (a link is none)."""
        return self.read_all(treeish, (path,)).get(path)

    def read_all(self, treeish: str, paths: Iterable[str]) -> dict[str, bytes]:
        """Contents of the regular files among `paths`, in two processes for any number."""
        wanted = dict.fromkeys(paths)
        limit = tuple(wanted) if len(wanted) <= 50 else ()
        entries = self._entries(treeish, limit) if wanted else ()
        ids = {path: blob for path, mode, blob in entries if path in wanted and mode in _REGULAR}
        return dict(zip(ids, importing.blobs(self.git, ids.values()), strict=True))

    def merge_text(self, base: bytes, ours: bytes, theirs: bytes, marker: int) -> bytes:
        """The three-way merge of one file, conflicts with diff3 markers of `marker` letters."""
        with tempfile.TemporaryDirectory(dir=self.path, prefix="merge-") as scratch:
            files = [Path(scratch) / name for name in ("ours", "base", "theirs")]
            for file, content in zip(files, (ours, base, theirs), strict=True):
                file.write_bytes(content)
            args = ("merge-file", "-p", "-q", "--diff3", f"--marker-size={marker}")
            ended = self.git.call(*args, *map(str, files))
        if ended.code > 127:
            raise self.git.failed(args, ended)
        return ended.stdout

    # writing

    def import_pack(
        self, pack: Path, tree: str, base: str | None = None
    ) -> tuple[EntryFinding, ...]:
        """Take in a tree that a workspace packed. Objects enter only when all is in order.

        Every entry that differs from `base` is judged (all of them without a
        base). Gives back what a reviewer should look at; TreeRejected when an
        entry is forbidden, when the pack is broken or too large, or when it
        does not hold the tree.
        """
        return importing.import_pack(self.git, pack, object_id(tree), base)

    def write_tree(self, base_tree: str, files: Mapping[str, bytes | None]) -> str:
        """`base_tree` with these files; None removes one. A file keeps its mode."""
        modes = {path: mode for path, mode, _ in self._entries(base_tree, tuple(files))}
        lines: list[bytes] = []
        for path, content in files.items():
            name = path.encode("utf-8", "surrogateescape")
            if content is None:
                lines.append(b"0 " + b"0" * len(base_tree) + b"\t" + name + b"\0")
                continue
            blob = self.git.run("hash-object", "-w", "--stdin", stdin=content).strip()
            mode = modes.get(path, "100644") if modes.get(path) in _REGULAR else "100644"
            lines.append(mode.encode() + b" " + blob + b"\t" + name + b"\0")
        with tempfile.TemporaryDirectory(dir=self.path, prefix="index-") as scratch:
            env = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
            self.git.run("read-tree", object_id(base_tree), env=env)
            self.git.run("update-index", "-z", "--index-info", stdin=b"".join(lines), env=env)
            return self.git.run("write-tree", env=env).decode().strip()

    def commit(
        self, tree: str, parents: tuple[str, ...], message: str, author: Author, when: int
    ) -> str:
        """A commit by the engine. The same arguments (`when`: seconds UTC) give the same id."""
        named = [word for parent in parents for word in ("-p", object_id(parent))]
        env = {
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.email,
            "GIT_AUTHOR_DATE": f"@{when} +0000",
            "GIT_COMMITTER_NAME": ENGINE.name,
            "GIT_COMMITTER_EMAIL": ENGINE.email,
            "GIT_COMMITTER_DATE": f"@{when} +0000",
        }
        text = message.encode("utf-8", "replace").replace(b"\0", b" ")
        made = self.git.run("commit-tree", object_id(tree), *named, stdin=text, env=env)
        return made.decode().strip()

    def merge(self, ours: str, theirs: str) -> Merged | Conflicted:
        """Merge two commits without a working tree, convergence drivers included."""
        self.need(ours, theirs)
        return merging.merge(self, object_id(ours), object_id(theirs))

    # to and from elsewhere

    def tip(self, ref: str) -> str | None:
        """Where a ref of the repository stands now."""
        return self.repository.read_ref(ref)

    def publish(self, ref: str, commit: str, expected_old: str | None) -> bool:
        """Copy a commit to the repository and let `ref` point at it.

        False when `ref` is not at `expected_old` (None: must not exist). Objects
        go first, so a kill in between leaves a ref that is old, never broken.
        """
        known = self.repository.tips()
        wanted = f"{object_id(commit)}\n" + "".join(f"^{tip}\n" for tip in known)
        with tempfile.TemporaryDirectory(dir=self.path, prefix="outgoing-") as scratch:
            pack = Path(scratch) / "pack"
            args = ("pack-objects", "--revs", "--stdout", "-q")
            ended = self.git.call(*args, stdin=wanted.encode(), stdout=pack)
            if ended.code != 0:
                raise self.git.failed(args, ended)
            self.repository.git.run("unpack-objects", "-q", stdin=pack, timeout_s=600)
        return self.repository.update_ref(ref, commit, expected_old)

    def checkout(self, tree: str, into: Path, sandbox: Sandbox) -> None:
        """Write a tree's files into the empty folder `into`; no `.git` comes with it.

        Runs in the sandbox: the tree may be an agent's. GitFailed when it fails.
        """
        with tempfile.TemporaryDirectory(dir=self.path, prefix="checkout-") as scratch:
            snap, kind = Path(scratch) / "snap", object_format(tree)
            seen = Inside.of(sandbox.mode, snap, self.objects)
            write_skeleton(snap, object_format=kind, alternates=seen.objects)
            script = 'git read-tree "$1" && exec git checkout-index --all --force --quiet'
            command = Command(
                argv=("/bin/sh", "-c", script, "checkout", object_id(tree)),
                mounts=(
                    Mount(into.resolve(), TREE, writable=True),
                    Mount(snap, SNAP_DIR, writable=True),
                    *object_mounts(self.objects),
                ),
                env=ENGINE_ENVIRONMENT,
            )
            ended = sandbox.run(command)
        if ended.exit_code != 0:
            refuse_full_disk(ended.stdout, into)
            said = ended.stdout.decode("utf-8", "replace").strip()[-600:]
            raise GitFailed(f"the checkout of {tree} failed: {said}", where=str(into))

    def _entries(self, treeish: str, paths: tuple[str, ...]) -> list[tuple[str, str, str]]:
        """(path, mode, blob) of files and links; `paths` limits to files or folders."""
        self.need(treeish)
        limit = ("--", *paths) if paths else ()
        listed = self.git.run("ls-tree", "-r", "-z", "--full-tree", object_id(treeish), *limit)
        found = []
        for entry in listed.split(b"\0")[:-1]:
            head, name = entry.split(b"\t", 1)
            mode, _, blob = head.decode().split(" ")
            found.append((name.decode("utf-8", "surrogateescape"), mode, blob))
        return found


def _replace(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    handle, fresh = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.replace(fresh, path)

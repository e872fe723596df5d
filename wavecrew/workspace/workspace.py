"""An attempt's private tree: the files an agent works on, and how its state is recorded.

Three folders under one root: `tree` (the files), `git` (the agent's own git
directory, where it may commit as it likes) and `snap` (the engine's, never
mounted while an agent's command runs). Git on the tree runs in the sandbox,
without exception; the host only moves finished packs.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from wavecrew.errors import EnvironmentBroken, ToolError
from wavecrew.sandbox.model import TREE, Caps, Command, Finished, Mount, Sandbox
from wavecrew.workspace import scripts
from wavecrew.workspace.git import object_format, object_id, refuse_full_disk
from wavecrew.workspace.mirror import ENGINE_ENVIRONMENT
from wavecrew.workspace.model import ENGINE, Author, NestedRepository, SnapshotRefused
from wavecrew.workspace.refs import encode
from wavecrew.workspace.skeleton import (
    GIT_DIR,
    SNAP_DIR,
    Inside,
    object_mounts,
    write_skeleton,
)

SHELL = "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh"
ENGINE_CAPS = Caps(wall_s=300, file_mb=2048, output_bytes=64_000_000)
_BORROWED = ("error: object directory /", "error: unable to normalize alternate object path: /")
"""Git's complaint when a store names another by its path on the host; both are mounted."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """One per attempt. Its methods block; snapshots of one object never overlap."""

    root: Path
    objects: tuple[Path, ...]
    """Object stores that are mounted read-only."""
    base: str
    """Commit the tree was cut from."""
    sandbox: Sandbox
    setup: tuple[str, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    @classmethod
    def create(
        cls,
        root: Path,
        objects: tuple[Path, ...],
        base: str,
        sandbox: Sandbox,
        setup: tuple[str, ...] = (),
        tree: str | None = None,
        *,
        branch: str = "work",
        author: Author = ENGINE,
    ) -> Workspace:
        """Cut a fresh tree at `root`; whatever stood there, left by a killed try, is removed.

        `tree` is what the files start as when that differs from the base's own.
        `branch` and `author` are what the agent's own commits carry. `setup`
        commands run in the sandbox, in order; EnvironmentBroken with the output
        of the one that fails.
        """
        root = root.resolve()
        made = cls(root, objects, object_id(base), sandbox, setup)
        made.remove()
        seen = Inside.of(sandbox.mode, root / "git", objects)
        for name in ("tree", "git", "snap"):
            (root / name).mkdir(parents=True)
        skeleton = partial(
            write_skeleton,
            object_format=object_format(base),
            alternates=seen.objects,
            shallow=objects,
        )
        skeleton(root / "snap")
        skeleton(root / "git", bare=False, branch=encode(branch), commit=base, author=author)
        (made.tree_dir / ".git").write_text(f"gitdir: {seen.git}\n")
        start = object_id(tree) if tree else base
        made._engine(scripts.CREATE, start, base, agent_git=True, what="the checkout")
        made._run_setup()
        state = {"mode": sandbox.mode, "setup": list(setup)}
        (root / "workspace.json").write_text(json.dumps(state))
        return made

    @classmethod
    def open(cls, root: Path, objects: tuple[Path, ...], base: str, sandbox: Sandbox) -> Workspace:
        """A workspace that `create` finished earlier. EnvironmentBroken when it did not."""
        root = root.resolve()
        try:
            state = json.loads((root / "workspace.json").read_text())
        except (OSError, ValueError) as error:
            raise EnvironmentBroken("the workspace is not complete", where=str(root)) from error
        if state["mode"] != sandbox.mode:
            raise EnvironmentBroken(
                f"the workspace was made for sandbox {state['mode']!r}, not {sandbox.mode!r}",
                where=str(root),
                mend="Start the attempt again, or use the sandbox it was made for.",
            )
        return cls(root, objects, object_id(base), sandbox, tuple(state["setup"]))

    @property
    def tree_dir(self) -> Path:
        return self.root / "tree"

    def mounts(self) -> tuple[Mount, ...]:
        """What an agent's command sees: its tree, its git directory, and objects to read."""
        return (
            Mount(self.tree_dir, TREE, writable=True),
            Mount(self.root / "git", GIT_DIR, writable=True),
            *object_mounts(self.objects),
        )

    def command(self, shell: str, caps: Caps, env: Mapping[str, str] | None = None) -> Command:
        """A shell command of the agent at the top of its tree, to be given to the sandbox."""
        quiet = {"GIT_PAGER": "cat", "GIT_EDITOR": "true", "GIT_TERMINAL_PROMPT": "0"}
        return Command(
            argv=(SHELL, "-c", shell),
            mounts=self.mounts(),
            env=quiet | dict(env or {}),
            caps=caps,
        )

    def snapshot(self) -> str:
        """Record the working tree; gives its tree id. What .gitignore names stays out.

        NestedRepository or SnapshotRefused when it cannot be recorded.
        """
        with self._lock:
            ended = self._engine(scripts.SNAPSHOT, self.base, read_only=True, check=False)
        return self._snapped(ended).decode().strip()

    def holds(self, tree: str) -> bool:
        """True when every object of a snapshot can still be read."""
        with self._lock:
            ended = self._engine(
                scripts.HOLDS, object_id(tree), self.base, read_only=True, check=False
            )
        return ended.exit_code == 0

    def restore(self, tree: str) -> None:
        """Make the working tree exactly `tree`: everything else goes, ignored files too.

        Then the set-up commands run again. The agent's own commits stay.
        """
        with self._lock:
            self._engine(
                scripts.RESTORE, object_id(tree), agent_git=True, what="restoring the tree"
            )
        self._run_setup()

    def pack(self, tree: str) -> Path:
        """A pack of what a snapshot has and the base has not, for `Mirror.import_pack`."""
        with self._lock:
            self._engine(scripts.PACK, object_id(tree), self.base, what="packing", read_only=True)
            target = self.root / f"{tree}.pack"
            os.replace(self.root / "snap" / "outgoing.pack", target)
        return target

    def diff(self, path: str = "") -> str:
        """All that differs from the base, new files included; of one path or folder if named."""
        limit = ("--", path) if path else ()
        with self._lock:
            ended = self._engine(scripts.DIFF, self.base, *limit, read_only=True, check=False)
        return self._snapped(ended).decode("utf-8", "replace")

    def status(self) -> str:
        """What the agent's own git says: its branch, and files against its last commit."""
        return self._agents_git("status", "--short", "--branch", "--ignore-submodules=all")

    def log(self, count: int = 10) -> str:
        """The newest commits as the agent sees them, one a line."""
        return self._agents_git("log", f"--max-count={count}", "--format=%h %as %an: %s")

    def remove(self) -> None:
        """Delete everything; nothing of the attempt's tree is left."""
        if not self.root.exists():
            return
        try:
            shutil.rmtree(self.root)
        except PermissionError:  # folders an agent made unreadable
            undo = ("/bin/sh", "-c", "chmod -R u+rwX .")
            mounts = (Mount(self.tree_dir, TREE, writable=True),)
            self.sandbox.run(Command(argv=undo, mounts=mounts))
            shutil.rmtree(self.root)

    def _agents_git(self, *args: str) -> str:
        ended = self.sandbox.run(
            Command(
                argv=("git", "--no-pager", *args),
                mounts=self.mounts(),
                env={"LC_ALL": "C.UTF-8"},
            )
        )
        lines = ended.stdout.decode("utf-8", "replace").splitlines(keepends=True)
        text = "".join(line for line in lines if not line.startswith(_BORROWED))
        if ended.exit_code != 0:
            raise ToolError(f"git {args[0]} failed: {text.strip()[-600:]}")
        return text

    def _engine(
        self,
        script: str,
        *args: str,
        agent_git: bool = False,
        read_only: bool = False,
        check: bool = True,
        what: str = "",
    ) -> Finished:
        """Run a script of ours with the snapshot git directory."""
        mounts = [
            Mount(self.tree_dir, TREE, writable=not read_only),
            Mount(self.root / "snap", SNAP_DIR, writable=True),
            *object_mounts(self.objects),
        ]
        env = dict(ENGINE_ENVIRONMENT)
        if agent_git:
            mounts.append(Mount(self.root / "git", GIT_DIR, writable=True))
            env["AGENT_GIT"] = GIT_DIR
        ended = self.sandbox.run(
            Command(
                argv=("/bin/sh", "-c", script, "wavecrew", *args),
                mounts=tuple(mounts),
                env=env,
                caps=ENGINE_CAPS,
                merge_stderr=False,
            )
        )
        if ended.exit_code != 0:
            refuse_full_disk(ended.stderr, self.root)
            if check:
                raise EnvironmentBroken(f"{what} failed: {_said(ended)}", where=str(self.root))
        return ended

    def _snapped(self, ended: Finished) -> bytes:
        if ended.exit_code == scripts.NESTED and not ended.killed_by:
            raise NestedRepository(_not_ignored(ended.stdout))
        if ended.exit_code != 0 or ended.killed_by:
            raise SnapshotRefused(f"the files cannot be recorded: {_said(ended)}")
        return ended.stdout

    def _run_setup(self) -> None:
        for shell in self.setup:
            ended = self.sandbox.run(self.command(shell, ENGINE_CAPS))
            if ended.exit_code != 0:
                said = ended.stdout.decode("utf-8", "replace").strip()[-1500:]
                raise EnvironmentBroken(
                    f"the set-up command {shell!r} failed: {said}",
                    where=str(self.root),
                    mend="Mend [workspace] setup in wavecrew.toml.",
                )


def _said(ended: Finished) -> str:
    if ended.killed_by:
        return f"it was stopped ({ended.killed_by}) after {ended.duration_s:.0f} s"
    return ended.stderr.decode("utf-8", "replace").strip()[-600:] or f"exit code {ended.exit_code}"


def _not_ignored(output: bytes) -> tuple[str, ...]:
    """Folders from `check-ignore -z -v -n` that no pattern ignores, as their `.git`."""
    fields = [field.decode("utf-8", "replace") for field in output.split(b"\0")[:-1]]
    rows = zip(fields[0::4], fields[2::4], fields[3::4], strict=True)
    found = [path for source, pattern, path in rows if not source or pattern.startswith("!")]
    return tuple(f"{path.removeprefix('./')}/.git" for path in sorted(found))

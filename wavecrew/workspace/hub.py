"""The repository of a worker: refs stand at the hub, a bare repository all workers push to.

`folder/repo.git` keeps the objects on this machine, and for every ref the
commit it was last seen at; what counts is only ever the hub's own word. A ref
moves by a push with lease, which is the hub's compare-and-swap. Nothing here
waits for a lock of another process, so one that was killed leaves litter, never
a hindrance.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from wavecrew.errors import GitFailed, UsageError
from wavecrew.workspace.git import Ended, Git, object_format, object_id
from wavecrew.workspace.refs import ATTIC, BRANCHES, SNAPSHOTS, checked
from wavecrew.workspace.remote import Patience, Remote, lines_of
from wavecrew.workspace.skeleton import write_skeleton

REPOSITORY = "repo.git"
"""The clone's name in its folder."""
_INCOMING = "refs/incoming"
_BROUGHT = "refs/brought"
"""Commits that were asked for by id."""
_NOT_THERE = re.compile(
    rb"couldn't find remote ref|not our ref|does not allow request for unadvertised object"
)
_LITTER_S = 3600.0
_FORMAT = re.compile(rb"object-format=(sha1|sha256)")
FETCH = (
    "fetch",
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    "--no-recurse-submodules",
)
PUSH = ("push", "--porcelain", "--no-verify", "--no-signed", "--recurse-submodules=no")
"""Of one ref at a time, which is atomic by itself."""


@dataclass(frozen=True, slots=True)
class HubRepository:
    """Fulfils `Repository`. Thread-safe; any number of processes may share a folder."""

    remote: Remote
    git_dir: Path
    object_format: str
    machine: str
    """Of this folder alone; made when it is first opened."""

    @classmethod
    def open(cls, url: str, folder: Path, patience: Patience | None = None) -> HubRepository:
        """Ask the hub whether it is there, and make `folder` ready.

        UsageError for an address that cannot be one, HubUnreachable or
        HubRefused when the hub does not answer or does not let us in.
        """
        remote = Remote.at(url, patience)
        folder.mkdir(parents=True, exist_ok=True)
        folder = folder.resolve()
        git_dir = folder / REPOSITORY
        if git_dir.is_dir():
            listed(remote, Git(git_dir), ("{url}", "HEAD"))
        else:
            _make(git_dir, _format_of(remote, folder))
        kind = Git(git_dir).run("rev-parse", "--show-object-format").decode().strip()
        made = cls(remote, git_dir, kind, _machine(folder))
        made._sweep()
        return made

    @property
    def objects(self) -> tuple[Path, ...]:
        return (self.git_dir / "objects",)

    @property
    def git(self) -> Git:
        return Git(self.git_dir)

    def read_ref(self, name: str) -> str | None:
        """One call to the hub; a second one when it names what is not here yet."""
        now = self._at_hub(checked(name))
        if now is None:
            (self.git_dir / name).unlink(missing_ok=True)
        elif now not in self.tips():
            return self._fetched(name)
        elif now != self._known(name):
            self._remember(name, now)
        return now

    def tips(self) -> tuple[str, ...]:
        known = (BRANCHES, "refs/wavecrew", _BROUGHT)
        said = self.git.run("for-each-ref", "--format=%(objectname)", *known)
        return tuple(dict.fromkeys(said.decode().split()))

    def update_ref(self, name: str, new: str, old: str | None) -> bool:
        """One push. When its reply was lost, the hub is asked before another is made.

        A ref that has moved on from `new` by then counts as moved: ours was there.
        """
        self._refuse_unknown(new)
        done = self._push(checked(name), object_id(new), old)
        if done:
            self._remember(name, new)
        return done

    def drop_snapshot(self, name: str, old: str) -> bool:
        """Remove a ref below refs/wavecrew/snapshots/ if it still is at `old`; no other can be."""
        if not checked(name).startswith(f"{SNAPSHOTS}/"):
            raise UsageError(f"{name!r} is no snapshot; nothing else is ever removed")
        done = self._push(name, None, object_id(old))
        if done:
            (self.git_dir / name).unlink(missing_ok=True)
        return done

    # pushing

    def _push(self, name: str, new: str | None, old: str | None) -> bool:
        lease = f"--force-with-lease={name}:{object_id(old) if old else ''}"
        spec = f"{new or ''}:{name}"

        def push(again: bool) -> bool:
            if again and (now := self._at_hub(name)) != old:
                return now == new or self._went_on_from(name, new)
            limit_s = self.remote.patience.transfer_s
            ended = self.remote.call(self.git, *PUSH, lease, "{url}", spec, limit_s=limit_s)
            return self._pushed(name, new, old, ended)

        return self.remote.insist(push)

    def _pushed(self, name: str, new: str | None, old: str | None, ended: Ended) -> bool:
        """What git says of the one ref that was pushed."""
        lines = [line for line in ended.stdout.split(b"\n") if b":" + name.encode() in line]
        flag = lines[0][:1] if lines else b""
        if ended.code == 0 and flag:
            return flag != b"=" or new == old
        if flag == b"!":
            if b"(stale info)" in ended.stdout:
                return False
            if (now := self._at_hub(name)) != old:
                return now == new
            self.remote.drop_stale_lock(name)
        raise self.remote.meaning(self.git, "push", ended, pushing=True)

    def _went_on_from(self, name: str, new: str | None) -> bool:
        """True when `new` landed at the hub and others have built on it since."""
        now = self.read_ref(name)
        if now is None or new is None:
            return now == new
        return self.git.call("merge-base", "--is-ancestor", new, now).code == 0

    def _refuse_unknown(self, commit: str) -> None:
        if not self.git.has_commit(commit):
            raise GitFailed(f"the commit {commit} is not here", where=str(self.git_dir))

    # asking and fetching

    def _at_hub(self, name: str) -> str | None:
        kind = ("--heads",) if name.startswith("refs/heads/") else ()
        said = listed(self.remote, self.git, (*kind, "{url}", name))
        return next((commit for commit, there in lines_of(said) if there == name), None)

    def _fetched(self, name: str) -> str | None:
        """The commit `name` stands for at the hub, brought here with all it needs."""
        with self._landing() as landing:
            if not self._fetch(f"+{name}:{landing}/one"):
                return None
            commit = self._known(f"{landing}/one")
            if commit is None:  # so git leaves out what a shallow repository cuts off
                silent = Ended(0, b"", b"shallow update not allowed")
                raise self.remote.meaning(self.git, "fetch", silent)
            self._remember(name, commit)
            return commit

    def bring(self, commit: str) -> bool:
        """By its id; from a hub that only serves the tips of refs, with all refs of all runs."""
        with self._landing() as landing:
            everything = (f"+{BRANCHES}/*:{landing}/heads/*", f"+{ATTIC}/*:{landing}/attic/*")
            if not self._fetch(f"+{object_id(commit)}:{landing}/one"):
                self._fetch(*everything)
            if not self.git.has_commit(commit):
                return False
            self._remember(f"{_BROUGHT}/{commit}", commit)
            return True

    def _fetch(self, *specs: str) -> bool:
        """False when the hub has no such ref, or does not give out such a commit."""

        def fetch(_again: bool) -> bool:
            limit_s = self.remote.patience.transfer_s
            ended = self.remote.call(self.git, *FETCH, "{url}", *specs, limit_s=limit_s)
            if ended.code == 0:
                return True
            if _NOT_THERE.search(ended.stderr):
                return False
            raise self.remote.meaning(self.git, "fetch", ended)

        return self.remote.insist(fetch)

    @contextmanager
    def _landing(self) -> Iterator[str]:
        """Where a fetch puts what it brings: a name of its own each time, so two never meet."""
        landing = f"{_INCOMING}/{secrets.token_hex(8)}"
        try:
            yield landing
        finally:
            shutil.rmtree(self.git_dir / landing, ignore_errors=True)

    # what is known here

    def _known(self, name: str) -> str | None:
        ended = self.git.call("show-ref", "--verify", "--hash", "--", name)
        return ended.stdout.decode().strip() if ended.code == 0 else None

    def _remember(self, name: str, commit: str) -> None:
        """Note where a ref was seen. By renaming a file: git's own way waits for locks."""
        place = self.git_dir / name
        place.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(place, f"{commit}\n", self.git_dir)

    def _sweep(self) -> None:
        """Remove what calls that were killed have left, once nobody can be at it any more."""
        before, folder = time.time() - _LITTER_S, self.git_dir.parent
        litter = (
            *self.git_dir.glob("objects/pack/tmp_*"),
            *self.git_dir.glob("objects/??/tmp_obj_*"),
            *self.git_dir.glob(f"{_INCOMING}/*"),
            *self.git_dir.glob("new-*"),
            *(path for name in ("asking-*", "making-*", "new-*") for path in folder.glob(name)),
        )
        for path in litter:
            with suppress(OSError):
                if path.lstat().st_mtime > before:
                    continue
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def listed(remote: Remote, git: Git, args: tuple[str, ...]) -> bytes:
    """What `git ls-remote` with these arguments says, `{url}` among them."""

    def ask(_again: bool) -> bytes:
        ended = remote.call(git, "ls-remote", *args, limit_s=remote.patience.quick_s)
        if ended.code == 0:
            return ended.stdout
        raise remote.meaning(git, "ls-remote", ended)

    return remote.insist(ask)


def _format_of(remote: Remote, folder: Path) -> str:
    """By the length of any id; an empty hub only tells in the words of the protocol."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="asking-") as scratch:
        git = Git(Path(scratch) / "none.git")
        write_skeleton(git.git_dir, object_format="sha1")
        for commit, _ in lines_of(listed(remote, git, ("{url}",))):
            return object_format(commit)
        said = remote.insist(
            lambda _again: (
                remote.call(
                    git,
                    "ls-remote",
                    "{url}",
                    limit_s=remote.patience.quick_s,
                    env={"GIT_TRACE_PACKET": "1"},
                ).stderr
            )
        )
    found = _FORMAT.search(said)
    return found[1].decode() if found else "sha1"


def _make(git_dir: Path, kind: str) -> None:
    with tempfile.TemporaryDirectory(dir=git_dir.parent, prefix="making-") as scratch:
        fresh = Path(scratch) / "new"
        write_skeleton(fresh, object_format=kind)
        try:
            fresh.rename(git_dir)
        except OSError:
            if not git_dir.is_dir():  # else another process was faster
                raise


def _machine(folder: Path) -> str:
    """Eight letters that stay with the folder, whatever the machine is called."""
    place = folder / "machine"
    with suppress(FileNotFoundError):
        return place.read_text().strip()
    handle, fresh = tempfile.mkstemp(dir=folder, prefix="new-")
    with os.fdopen(handle, "w") as file:
        file.write(f"{secrets.token_hex(4)}\n")
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(fresh, place)
    os.unlink(fresh)
    return place.read_text().strip()


def _write_whole(place: Path, text: str, scratch: Path) -> None:
    handle, fresh = tempfile.mkstemp(dir=scratch, prefix="new-")
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, place)

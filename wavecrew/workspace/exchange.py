"""What passes between a user's repository and the hub: the base first, the branches in the end.

Nothing else of the user's repository changes: no remote, no configuration, no
FETCH_HEAD, no checkout. A branch of the run that the user has worked on since
is never moved away from that work.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from wavecrew.errors import RepositoryError, UsageError
from wavecrew.workspace.git import Git, object_id
from wavecrew.workspace.hub import FETCH, PUSH, listed
from wavecrew.workspace.refs import (
    ATTIC,
    BRANCHES,
    SNAPSHOTS,
    checked,
    decode,
    encode,
    integration_ref,
)
from wavecrew.workspace.remote import Patience, Remote, lines_of
from wavecrew.workspace.skeleton import write_skeleton
from wavecrew.workspace.user_repo import UserRepository

_AT_ONCE = 500
"""Refs fetched in one call: their names are arguments."""


@dataclass(frozen=True, slots=True)
class FetchedRun:
    """What came of fetching a run."""

    moved: tuple[str, ...] = ()
    """Refs that are new here, or went on."""
    left: tuple[tuple[str, str], ...] = ()
    """(ref, why) of those that stay where they are in the user's repository."""


def push_base(
    user: UserRepository, url: str, base: str, run: str, patience: Patience | None = None
) -> bool:
    """Let the run's integration branch at the hub begin at `base`, a commit of the user's.

    False when the hub has that branch already, at another commit. UsageError,
    HubUnreachable or HubRefused (a shallow clone, another object format).
    """
    remote, name = Remote.at(url, patience), checked(integration_ref(run))
    spec = (f"--force-with-lease={name}:", "{url}", f"{object_id(base)}:{name}")

    def push(again: bool) -> bool:
        if again and (there := _refs(remote, user.git, name).get(name)):
            return there == base
        ended = remote.call(user.git, *PUSH, *spec, limit_s=remote.patience.transfer_s)
        if ended.code == 0:
            return True
        if there := _refs(remote, user.git, name).get(name):
            return there == base
        raise remote.meaning(user.git, "push", ended, pushing=True)

    return remote.insist(push)


def runs_at(url: str, patience: Patience | None = None) -> frozenset[str]:
    """Names of the runs that have branches, or anything in the attic, at the hub."""
    remote = Remote.at(url, patience)
    with tempfile.TemporaryDirectory(prefix="wavecrew-") as scratch:
        git = Git(Path(scratch) / "none.git")
        write_skeleton(git.git_dir, object_format="sha1")
        there = _refs(remote, git, f"{BRANCHES}/*", f"{ATTIC}/*")
    return frozenset(decode(name.split("/")[3]) for name in there)


def fetch_run(
    user: UserRepository, url: str, run: str, patience: Patience | None = None
) -> FetchedRun:
    """Bring the branches and the attic of a run into the user's repository.

    May be called as often as one likes, also while the run is at work. A ref
    that the user moved elsewhere, or has checked out, stays and is told of.
    """
    remote = Remote.at(url, patience)
    there = _brought(remote, user.git, run)
    moved, left = [], []
    for name, commit in there.items():
        old = user.read_ref(name)
        if old == commit:
            continue
        if why := _stays(user, name, commit, old, tuple(there.values())):
            left.append((name, why))
        else:
            moved.append(name)
    return FetchedRun(tuple(moved), tuple(left))


def bring_all(
    user: UserRepository, url: str, run: str, patience: Patience | None = None
) -> dict[str, str]:
    """Every ref of the run at the hub, states of attempts too -> its commit.

    The commits are in the user's repository then, as objects alone: no ref is made.
    """
    return _brought(Remote.at(url, patience), user.git, run, (BRANCHES, ATTIC, SNAPSHOTS))


def drop_states(
    user: UserRepository, url: str, states: dict[str, str], patience: Patience | None = None
) -> None:
    """Remove refs below refs/wavecrew/snapshots/ at the hub that still are where `states` says.

    One that moved on stays; it is told by asking again. UsageError for any other ref.
    """
    if odd := [name for name in states if not checked(name).startswith(f"{SNAPSHOTS}/")]:
        raise UsageError(f"{odd[0]!r} is no snapshot; nothing else is ever removed")
    remote = Remote.at(url, patience)
    names = sorted(states)
    for start in range(0, len(names), _AT_ONCE):
        _drop(remote, user.git, {name: states[name] for name in names[start : start + _AT_ONCE]})


def _drop(remote: Remote, git: Git, states: dict[str, str]) -> None:
    def push(_again: bool) -> None:
        there = _refs(remote, git, *states)
        left = [name for name, commit in states.items() if there.get(name) == commit]
        if not left:
            return
        leases = [f"--force-with-lease={name}:{object_id(states[name])}" for name in left]
        specs = [f":{name}" for name in left]
        limit_s = remote.patience.transfer_s
        ended = remote.call(git, *PUSH, *leases, "{url}", *specs, limit_s=limit_s)
        if ended.code != 0 and b"(stale info)" not in ended.stdout:
            raise remote.meaning(git, "push", ended, pushing=True)

    remote.insist(push)


def _brought(
    remote: Remote, git: Git, run: str, kinds: tuple[str, ...] = (BRANCHES, ATTIC)
) -> dict[str, str]:
    """Refs of the run at the hub -> commits, whose objects are here now.

    A branch that moves meanwhile is fetched at its new place: then it is looked up again.
    """
    prefixes = tuple(f"{kind}/{encode(run)}/" for kind in kinds)
    while True:
        there = _refs(remote, git, *(f"{prefix}*" for prefix in prefixes))
        there = {name: commit for name, commit in there.items() if name.startswith(prefixes)}
        lacking = tuple(name for name, commit in there.items() if not git.has_commit(commit))
        if not lacking:
            return there
        for start in range(0, len(lacking), _AT_ONCE):
            _fetch(remote, git, lacking[start : start + _AT_ONCE])


def _refs(remote: Remote, git: Git, *names: str) -> dict[str, str]:
    said = listed(remote, git, ("--refs", "{url}", *names))
    return {name: commit for commit, name in lines_of(said)}


def _fetch(remote: Remote, git: Git, names: tuple[str, ...]) -> None:
    """Bring what these refs stand for, as objects alone; git writes no ref."""

    def fetch(_again: bool) -> None:
        limit_s = remote.patience.transfer_s
        ended = remote.call(git, *FETCH, "{url}", *names, limit_s=limit_s)
        if ended.code != 0:
            raise remote.meaning(git, "fetch", ended)

    remote.insist(fetch)


def _stays(
    user: UserRepository, name: str, new: str, old: str | None, fetched: tuple[str, ...]
) -> str:
    """Move a ref of the user's to `new`; the reason, if it must stay where it is."""
    if old and not _is_reached(user.git, old, fetched):
        return "it holds commits that the run does not have"
    try:
        moved = user.update_ref(name, new, old)
    except RepositoryError as error:
        return error.what
    return "" if moved else "it moved in this moment"


def _is_reached(git: Git, commit: str, tips: tuple[str, ...]) -> bool:
    """True when one of `tips` has `commit` in its history: leaving it loses nothing."""
    asked = "".join(f"^{tip}\n" for tip in tips) + f"{object_id(commit)}\n"
    return not git.run("rev-list", "--max-count=1", "--stdin", stdin=asked.encode())

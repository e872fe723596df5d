"""The states of an attempt at work, kept at the hub so that another machine can go on with it.

Each state is a commit on top of the one before, below one ref per attempt: a
worker that was taken for dead and still writes adds to the line and takes
nothing away. Commits are made of the tree and the line alone, so a repeated
step makes the same one.
"""

from __future__ import annotations

from dataclasses import dataclass

from wavecrew.errors import GitFailed
from wavecrew.workspace.git import object_id
from wavecrew.workspace.hub import HubRepository
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import ENGINE
from wavecrew.workspace.refs import attic_ref, integration_ref, ref_for, snapshots_ref

MOST_TRIES = 5
"""How often the line may grow under a writer: two machines at one attempt are rare already."""


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The line of one attempt. Thread-safe."""

    mirror: Mirror
    run: str
    task: str
    attempt: int
    base: str
    """Commit the attempt was cut from; the line begins there."""

    @property
    def ref(self) -> str:
        return snapshots_ref(self.run, self.task, self.attempt)

    def keep(self, tree: str) -> None:
        """Have `tree`, which the mirror imported, at the hub before this returns.

        One call to the hub, none when it is the newest state already.
        HubUnreachable, HubRefused.
        """
        if self.is_newest(tree):
            return
        end = self._seen()
        for _ in range(MOST_TRIES):
            if end and self.mirror.tree_of(end) == tree:
                return
            message = f"{self.task}: attempt {self.attempt} at work\n"
            commit = self.mirror.commit(tree, (end or self.base,), message, ENGINE, 0)
            if self.mirror.publish(self.ref, commit, end):
                return
            end = self.mirror.tip(self.ref)
        raise GitFailed("another process keeps states of this attempt too", where=self.ref)

    def is_newest(self, tree: str) -> bool:
        """True when `tree` needs no keeping: it is the base's, or this machine put it last."""
        end = self._seen()
        return tree == self.mirror.tree_of(end or self.base)

    def fetch(self, tree: str) -> bool:
        """Bring a state here, whole. False when the hub never got it."""
        if self._is_whole(tree):
            return True
        self.mirror.need(self.base)
        self.mirror.tip(self.ref)
        return self._is_whole(tree)

    def newest(self) -> str | None:
        """The commit at the end of the line, at hand; None when nothing was kept."""
        return self.mirror.tip(self.ref)

    def drop(self, hub: HubRepository) -> bool:
        """Take the line away once the attempt is over and its newest state is safe.

        Safe is a state whose tree is the base's, or that of a commit of the task's
        branch, the integration branch or the attempt's place in the attic. False: nothing was
        removed, something of it is nowhere else.
        """
        end = self.newest()
        if end is None:
            return True
        places = (
            attic_ref(self.run, self.task, self.attempt),
            ref_for(self.run, self.task),
            integration_ref(self.run),
        )
        tree = self.mirror.tree_of(end)
        is_base = tree == self.mirror.tree_of(self.base)
        if not is_base and not any(self._holds(place, tree) for place in places):
            return False
        return hub.drop_snapshot(self.ref, end)

    def _seen(self) -> str | None:
        """The end of the line as this machine saw it last; a push finds out if that is old."""
        ended = self.mirror.repository.git.call("show-ref", "--verify", "--hash", "--", self.ref)
        return ended.stdout.decode().strip() if ended.code == 0 else None

    def _holds(self, ref: str, tree: str) -> bool:
        commit = self.mirror.tip(ref)
        if commit is None:
            return False
        self.mirror.need(self.base)
        listed = self.mirror.git.run("log", "--format=%T", commit, "--not", object_id(self.base))
        return tree in listed.decode().split()

    def _is_whole(self, tree: str) -> bool:
        """True when every object of the tree is here; an import that was killed leaves a part."""
        args = ("rev-list", "--objects", "--quiet", object_id(tree))
        return self.mirror.git.call(*args).code == 0

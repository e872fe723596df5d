"""Where the histories of many commits part, from two git processes for all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from wavecrew.workspace.git import Git, object_id


@dataclass(frozen=True, slots=True)
class Ancestry:
    """What some commits have in their histories beyond what they all share."""

    parents: dict[str, tuple[str, ...]]
    """Commit -> its parents, as far down as the newest commit that all share."""
    _known: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, git: Git, commits: Iterable[str]) -> Ancestry:
        """GitFailed when git cannot read one of them."""
        names = [object_id(commit) for commit in dict.fromkeys(commits)]
        args = ("merge-base", "--octopus", *names)
        ended = git.call(*args)
        if ended.code > 1:
            raise git.failed(args, ended)
        shared = ended.stdout.decode().split()[:1]
        limit = [f"^{commit}" for commit in shared]
        lines = git.run("rev-list", "--parents", *names, *limit).decode().splitlines()
        rows = [line.split(" ") for line in lines]
        inside = {row[0] for row in rows} | set(shared)
        parents = {row[0]: tuple(name for name in row[1:] if name in inside) for row in rows}
        return cls(parents)

    def base(self, ours: Iterable[str], theirs: str) -> str | None:
        """The newest commit that `theirs` shares with a merge of `ours`.

        None when there is none or no single one.
        """
        mine = frozenset[str]().union(*map(self._reach, ours))
        common = mine & self._reach(theirs)
        older = {parent for commit in common for parent in self.parents.get(commit, ())}
        newest = list(common - older)
        return newest[0] if len(newest) == 1 else None

    def _reach(self, commit: str) -> frozenset[str]:
        """The commit and its ancestors."""
        if commit not in self._known:
            found, pending = {commit}, [commit]
            while pending:
                for parent in self.parents.get(pending.pop(), ()):
                    if parent not in found:
                        found.add(parent)
                        pending.append(parent)
            self._known[commit] = frozenset(found)
        return self._known[commit]

"""Branches merged one behind the other onto a tip: the trees first, the commits once tested.

Each merge is a commit of its own, with its own trailers. What its evidence is
gets known only when the tree of the last one was tested, so the trees are made
with commits that are thrown away, and made again with what they have to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wavecrew.workspace import trailers
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import ENGINE, Conflicted, Merged

TASK_ID = "Task-Id"
ATTEMPT = "Attempt"
EVIDENCE = "Evidence"


@dataclass(frozen=True, slots=True)
class Branch:
    """A task's finished work, and what its merge commit will say."""

    run: str
    task: str
    title: str
    summary: str
    """The agent's own words; the body of the message."""
    commit: str
    attempt: int
    role: str
    when: int
    """Seconds UTC; the same landing with the same time makes the same commit."""

    @property
    def trailer(self) -> str:
        return f"{self.run}/{self.task}"


@dataclass(frozen=True, slots=True)
class Link:
    """One branch of a chain, merged with everything before it."""

    branch: Branch
    tree: str
    drivers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    base: str
    """The commit it stands on: the tip as it was looked at."""
    links: tuple[Link, ...]

    @property
    def tree(self) -> str:
        """Of the last merge: what is tested, and what lands."""
        return self.links[-1].tree

    @property
    def tasks(self) -> list[str]:
        return [link.branch.task for link in self.links]


def merge_chain(
    mirror: Mirror, base: str, branches: Sequence[Branch], *, stop: bool = False
) -> tuple[Chain, tuple[Branch, Conflicted] | None]:
    """Merge what goes together, in this order; also the first that conflicts with `base` alone.

    A branch that conflicts with one before it in the chain is left out; with
    `stop` so is everything behind the first conflict.
    """
    links: list[Link] = []
    refused: tuple[Branch, Conflicted] | None = None
    ours = base
    for branch in branches:
        merged = mirror.merge(ours, branch.commit)
        if isinstance(merged, Merged):
            links.append(Link(branch, merged.tree, merged.drivers))
            ours = mirror.commit(merged.tree, (ours, branch.commit), "", ENGINE, branch.when)
            continue
        if not links and refused is None:
            refused = (branch, merged)
        if stop:
            break
    return Chain(base, tuple(links)), refused


def commit_chain(mirror: Mirror, chain: Chain, evidence: str) -> tuple[str, ...]:
    """The merge commits of a chain, each on the one before it; the last is the new tip."""
    commits: list[str] = []
    ours = chain.base
    for link in chain.links:
        message = message_of(link.branch, evidence)
        parents = (ours, link.branch.commit)
        ours = mirror.commit(link.tree, parents, message, ENGINE, link.branch.when)
        commits.append(ours)
    return tuple(commits)


def message_of(branch: Branch, evidence: str) -> str:
    """The merge commit's message: task, summary, and the facts as trailers."""
    facts = {
        TASK_ID: branch.trailer,
        ATTEMPT: str(branch.attempt),
        "Role": branch.role,
        EVIDENCE: evidence,
    }
    return trailers.build(f"{branch.task}: {branch.title}", branch.summary, facts)

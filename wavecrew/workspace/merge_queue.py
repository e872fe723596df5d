"""How branches land: merged with the tip, verified as exactly that tree, swapped in.

A batch is merged one behind the other, its last tree verified once, and the
whole chain swapped in at once; a red batch is halved until each culprit is
known. Steps before a kill may run again, so landing asks history first: an
attempt whose `Task-Id` and `Attempt` stand on the first-parent line of the
integration branch has landed, and the swap succeeds only for a merge with the
tip that was looked at. A task that was sent back after it landed lands again,
as a later attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from wavecrew.errors import GitFailed
from wavecrew.workspace import trailers
from wavecrew.workspace.chain import (
    ATTEMPT,
    EVIDENCE,
    TASK_ID,
    Branch,
    Chain,
    Link,
    commit_chain,
    merge_chain,
    message_of,
)
from wavecrew.workspace.git import object_id
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import Landing, R

__all__ = [
    "MOST_TRIES",
    "Branch",
    "Chain",
    "Link",
    "divide",
    "land",
    "land_batch",
    "landed",
    "landings",
    "message_of",
]

MOST_TRIES = 5
"""How often the tip may move under a landing before it gives way."""
T = TypeVar("T")


def land(
    mirror: Mirror,
    branch: Branch,
    *,
    integration_ref: str,
    verify: Callable[[str], R],
    evidence: Callable[[R], str],
    since: str | None = None,
) -> Landing[R]:
    """Land an attempt's branch at most once, however often and from wherever this is called.

    `verify` judges the merged tree (its id); only a report with the verdict
    `pass` lands it. `evidence` names that report in one line, for the commit.
    `since` is a commit of the integration branch before the run, so that older
    history is not searched. GitFailed when the integration branch is missing.
    """
    done = land_batch(
        mirror,
        (branch,),
        integration_ref=integration_ref,
        verify=lambda chain: verify(chain.tree),
        evidence=evidence,
        since=since,
    )
    return done[branch.task]


def land_batch(
    mirror: Mirror,
    branches: Sequence[Branch],
    *,
    integration_ref: str,
    verify: Callable[[Chain], R],
    evidence: Callable[[R], str],
    since: str | None = None,
    in_order: bool = False,
) -> dict[str, Landing[R]]:
    """Task -> how its landing ended, for each branch about which that is certain.

    `verify` judges the last tree of a chain that stands on the tip. What is
    green lands, each green part of a red batch by one swap of its own; a branch
    that is red alone behind all that landed before it is `red`, one that
    conflicts with the tip itself is `conflict`. A branch that conflicts with
    another of the batch is not in the answer: it is tried again later. With
    `in_order` no branch lands before one that stands in front of it here, so
    what follows the first that does not land is not in the answer either.
    """
    lane = _Lane(mirror, integration_ref, verify, evidence, since, in_order)
    divide(branches, lane.take, in_order=in_order)
    return lane.done


def divide(
    items: Sequence[T], take: Callable[[tuple[T, ...]], bool], *, in_order: bool = False
) -> tuple[T, ...]:
    """Offer all of `items`, and halves of what is refused; gives what is refused alone.

    `take` is asked from the front to the back, so that each part is offered
    when everything before it was taken or is known to be refused. With
    `in_order` nothing is offered after the first that is refused alone.
    """
    refused: list[T] = []
    parts = [tuple(items)] if items else []
    while parts:
        part = parts.pop(0)
        if take(part):
            continue
        if len(part) > 1:
            middle = len(part) // 2
            parts[:0] = [part[:middle], part[middle:]]
            continue
        refused += part
        if in_order:
            break
    return tuple(refused)


@dataclass
class _Lane(Generic[R]):
    """One batch on its way in, part by part."""

    mirror: Mirror
    integration_ref: str
    verify: Callable[[Chain], R]
    evidence: Callable[[R], str]
    since: str | None
    in_order: bool
    done: dict[str, Landing[R]] = field(default_factory=dict)
    is_closed: bool = False
    """Nothing may follow: in order, and something did not land."""

    def take(self, part: tuple[Branch, ...]) -> bool:
        """Land a part whole; False when its tree is red."""
        for _ in range(MOST_TRIES):
            tip, left = self._not_landed(part)
            if not left or self.is_closed:
                return True
            chain, refused = merge_chain(self.mirror, tip, left, stop=self.in_order)
            if refused is not None:
                branch, conflict = refused
                self.done[branch.task] = Landing(
                    "conflict", drivers=conflict.drivers, conflict=conflict
                )
            if len(chain.links) < len(left) and self.in_order:
                self.is_closed = True
            if not chain.links:
                return True
            report = self.verify(chain)
            if report.verdict != "pass":
                return self._red(chain, report, len(part))
            if self._publish(chain, report):
                return True
        self.is_closed = True
        self.done |= {branch.task: Landing("moved") for branch in part}
        return True

    def _not_landed(self, part: tuple[Branch, ...]) -> tuple[str, list[Branch]]:
        """The tip, and what of `part` is not in its history yet."""
        tip = self.mirror.tip(self.integration_ref)
        if tip is None:
            raise GitFailed(f"the branch {self.integration_ref!r} does not exist")
        before = landed(self.mirror, tip, since=self.since)
        left: list[Branch] = []
        for branch in part:
            done = before.get(branch.trailer)
            if done is None or done.attempt < branch.attempt:
                left.append(branch)
            elif branch.task not in self.done:
                self.done[branch.task] = Landing("already_merged", commit=done.commit)
        return tip, left

    def _red(self, chain: Chain, report: R, size: int) -> bool:
        """False: halve it. One that is red alone is known."""
        link, *more = chain.links
        if more:
            self.is_closed = False
            return False
        self.done[link.branch.task] = Landing(
            "red", tree=link.tree, drivers=link.drivers, report=report
        )
        self.is_closed = self.in_order
        return size > 1

    def _publish(self, chain: Chain, report: R) -> bool:
        commits = commit_chain(self.mirror, chain, self.evidence(report))
        if not self.mirror.publish(self.integration_ref, commits[-1], chain.base):
            return False
        for link, commit in zip(chain.links, commits, strict=True):
            self.done[link.branch.task] = Landing(
                "merged", commit, chain.tree, link.drivers, report
            )
        return True


@dataclass(frozen=True, slots=True)
class LandedBefore:
    """A landing of a task, as history has it."""

    commit: str
    attempt: int
    evidence: str = ""


def landed(mirror: Mirror, tip: str, *, since: str | None = None) -> Mapping[str, LandedBefore]:
    """`<run>/<task>` -> its newest landing, on the first-parent line of `tip`."""
    found: dict[str, LandedBefore] = {}
    for task, landing in landings(mirror, tip, since=since):
        found.setdefault(task, landing)
    return found


def landings(
    mirror: Mirror, tip: str, *, since: str | None = None
) -> Iterator[tuple[str, LandedBefore]]:
    """(`<run>/<task>`, landing) of the first-parent line of `tip`, the newest first.

    Parsed, never searched for: `run/1.1` is not `run/1.10`, and a summary that
    quotes a trailer is no trailer.
    """
    limit = (f"^{object_id(since)}",) if since else ()
    args = ("log", "--first-parent", "-z", "--format=%H%n%B", f"--grep=^{TASK_ID}: ")
    listed = mirror.git.run(*args, object_id(tip), *limit).decode("utf-8", "replace")
    for entry in listed.split("\0"):
        commit, _, message = entry.partition("\n")
        facts = trailers.parse(message)
        task, attempt = facts.get(TASK_ID), facts.get(ATTEMPT, "")
        if task and attempt.isdecimal():
            yield task, LandedBefore(commit, int(attempt), facts.get(EVIDENCE, ""))

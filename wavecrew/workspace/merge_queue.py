"""How a branch lands: merged with the tip, verified as exactly that tree, swapped in.

Steps before a kill may run again, so landing asks history first: an attempt
whose `Task-Id` and `Attempt` stand on the first-parent line of the integration
branch has landed, and the swap succeeds only for a merge with the tip that was
looked at. A task that was sent back after it landed lands again, as a later attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wavecrew.errors import GitFailed
from wavecrew.workspace import trailers
from wavecrew.workspace.git import object_id
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import ENGINE, Conflicted, Landing, R

MOST_TRIES = 5
"""How often the tip may move under a landing before it gives way."""
TASK_ID = "Task-Id"
ATTEMPT = "Attempt"


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
    for _ in range(MOST_TRIES):
        tip = mirror.tip(integration_ref)
        if tip is None:
            raise GitFailed(f"the branch {integration_ref!r} does not exist")
        done = landed(mirror, tip, since=since).get(branch.trailer)
        if done and done.attempt >= branch.attempt:
            return Landing("already_merged", commit=done.commit)
        merged = mirror.merge(tip, branch.commit)
        if isinstance(merged, Conflicted):
            return Landing("conflict", drivers=merged.drivers, conflict=merged)
        report = verify(merged.tree)
        if report.verdict != "pass":
            return Landing("red", tree=merged.tree, drivers=merged.drivers, report=report)
        parents, message = (tip, branch.commit), message_of(branch, evidence(report))
        commit = mirror.commit(merged.tree, parents, message, ENGINE, branch.when)
        if mirror.publish(integration_ref, commit, tip):
            return Landing("merged", commit, merged.tree, merged.drivers, report)
    return Landing("moved")


def message_of(branch: Branch, evidence: str) -> str:
    """The merge commit's message: task, summary, and the facts as trailers."""
    facts = {
        TASK_ID: branch.trailer,
        ATTEMPT: str(branch.attempt),
        "Role": branch.role,
        "Evidence": evidence,
    }
    return trailers.build(f"{branch.task}: {branch.title}", branch.summary, facts)


@dataclass(frozen=True, slots=True)
class LandedBefore:
    """The newest landing of a task, as history has it."""

    commit: str
    attempt: int


def landed(mirror: Mirror, tip: str, *, since: str | None = None) -> Mapping[str, LandedBefore]:
    """`<run>/<task>` -> its newest landing, on the first-parent line of `tip`.

    Parsed, never searched for: `run/1.1` is not `run/1.10`, and a summary that
    quotes a trailer is no trailer.
    """
    limit = (f"^{object_id(since)}",) if since else ()
    args = ("log", "--first-parent", "-z", "--format=%H%n%B", f"--grep=^{TASK_ID}: ")
    listed = mirror.git.run(*args, object_id(tip), *limit).decode("utf-8", "replace")
    found: dict[str, LandedBefore] = {}
    for entry in listed.split("\0"):
        commit, _, message = entry.partition("\n")
        facts = trailers.parse(message)
        task, attempt = facts.get(TASK_ID), facts.get(ATTEMPT, "")
        if task and attempt.isdecimal():
            found.setdefault(task, LandedBefore(commit, int(attempt)))
    return found

"""What a gate says: verdicts, findings, and the evidence they rest on.

Four verdicts and no fifth: `could_not_run` and `no_tests` never pass. A
verdict without evidence at an exact tree does not exist.
"""

from __future__ import annotations

from typing import Literal

from wavecrew.plan.model import Record

Verdict = Literal["pass", "fail", "could_not_run", "no_tests"]

Rule = Literal[
    "empty_diff",  # done, it says, and nothing changed
    "out_of_scope",  # a path outside may_write
    "forbidden_entry",  # a gitlink, a .gitmodules, a link out of the tree, a changed policy file
    "test_deleted",  # a test that the base had is gone
    "test_skipped",  # a test is skipped or expected to fail that was not before
    "test_weakened",  # a test asserts less than it did
    "red_tests",  # a test fails that the base passes
    "red_check",  # another command of the repository fails
    "no_tests",  # a test command collected nothing
    "could_not_run",  # a command could not be started, was killed, or left no result
    "contract_broken",  # a promised symbol is missing or has another signature
]


class Evidence(Record):
    """One command run at one tree."""

    check: str
    tree: str
    """Git tree id of exactly what was checked out."""
    command: str
    verdict: Verdict
    exit_code: int | None = None
    duration_s: float = 0.0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: tuple[str, ...] = ()
    """Ids of the failing tests, `path::name`, at most 200."""
    log: str = ""
    """What the command printed, cut to head and tail."""
    log_file: str = ""
    """The whole of it, relative to the run's folder."""


class Finding(Record):
    rule: Rule
    message: str
    """One sentence with what, where and how to mend it; an agent reads it."""
    path: str = ""
    line: int = 0


class GateReport(Record):
    tree: str
    base: str
    """Commit the branch was cut from."""
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    changed: tuple[str, ...] = ()
    """Paths that differ from the base."""

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of what was found, without repetition, worst first."""
        return tuple(dict.fromkeys(finding.rule for finding in self.findings))

"""What does a finished command prove? Exit code and test report, which must agree.

For pytest (its documented exit codes), in this order:

    killed, 126, 127, 128 and more      could_not_run
    4 and a conftest does not import    fail (red_tests): the agent's source is broken
    4 and a named path does not exist   no_tests: the tests are not written
    3, 4                                could_not_run (internal error, usage)
    5                                   no_tests
    no sealed report                    could_not_run
    failures reported and exit 0        could_not_run: one of the two lies
    failures or collection errors       fail (red_tests)
    2                                   could_not_run (interrupted)
    any other but 0                     fail (red_check): another part of the command failed
    0 and nothing ran, or all skipped   no_tests
    0                                   pass

For any other command: 0 passes, the first line above could not run, the rest is fail (red_check).
"""

from __future__ import annotations

import re

from wavecrew.gates.junit import Report
from wavecrew.gates.model import Rule, Verdict
from wavecrew.plan.model import Record
from wavecrew.sandbox.model import Finished

_KILLED = {
    "time": "it ran longer than its time limit and was ended",
    "output": "it printed more than its output limit and was ended",
    "memory": "it used more than its memory limit and was ended",
    "processes": "it started more processes than its limit and was ended",
    "cancel": "the run was stopped",
}
_BROKEN_CONFTEST = re.compile(r"^ImportError while loading conftest '([^']+)'", re.MULTILINE)
_NO_SUCH_PATH = re.compile(r"^ERROR: (?:file or directory )?not found: (.+)$", re.MULTILINE)


class Result(Record):
    """One command at one tree, before it is held against the base."""

    verdict: Verdict
    rule: Rule | None = None
    """What a finding about it is called; None when it passed."""
    why: str = ""
    exit_code: int | None = None
    duration_s: float = 0.0
    passed: tuple[str, ...] = ()
    failed: dict[str, str] = {}
    """Test id -> the failure's text."""
    skipped: tuple[str, ...] = ()
    output: str = ""
    """What was printed, set-up included."""

    @property
    def has_counts(self) -> bool:
        return bool(self.passed or self.failed or self.skipped)


def started(finished: Finished) -> str:
    """Why the command gave no result of its own; empty when it did."""
    if finished.killed_by:
        return _KILLED[finished.killed_by]
    if finished.exit_code == 127:
        return "a command in it was not found (exit 127)"
    if finished.exit_code == 126:
        return "a command in it is not executable (exit 126)"
    if finished.exit_code >= 128:
        return f"it was killed (exit {finished.exit_code})"
    return ""


def of_command(finished: Finished) -> tuple[Verdict, Rule | None, str]:
    if why := started(finished):
        return "could_not_run", "could_not_run", why
    if finished.exit_code != 0:
        return "fail", "red_check", f"it ends with exit code {finished.exit_code}"
    return "pass", None, ""


def of_pytest(
    finished: Finished, report: Report | str, output: str
) -> tuple[Verdict, Rule | None, str]:
    """`report` is the reason, in a clause, when there is none."""
    code = finished.exit_code
    if why := started(finished):
        return "could_not_run", "could_not_run", why
    if code == 4 and (conftest := _BROKEN_CONFTEST.search(output)):
        return "fail", "red_tests", f"{conftest[1]!r} cannot be imported"
    if code == 4 and (path := _NO_SUCH_PATH.search(output)):
        return "no_tests", "no_tests", f"{path[1].strip()!r} is not in the tree"
    if code == 4 and "wavecrew_receipt" in output:
        why = "the engine's pytest plugin is hidden; keep $PYTHONPATH where PYTHONPATH is set"
        return "could_not_run", "could_not_run", why
    if code in (3, 4):
        what = "an internal error" if code == 3 else "a usage error"
        return "could_not_run", "could_not_run", f"pytest met {what} (exit {code})"
    if code == 5:
        return "no_tests", "no_tests", "pytest collected no test (exit 5)"
    if isinstance(report, str):
        return "could_not_run", "could_not_run", f"{report} (exit {code})"
    if report.failed and code == 0:
        why = f"the report has {len(report.failed)} failures and the exit code is 0"
        return "could_not_run", "could_not_run", why
    if report.failed:
        return "fail", "red_tests", f"{len(report.failed)} tests fail"
    if code == 2:
        return "could_not_run", "could_not_run", "pytest was interrupted (exit 2)"
    if code != 0:
        return "fail", "red_check", f"no test fails, and the command ends with exit code {code}"
    if not report.passed:
        what = f"all {len(report.skipped)} tests were skipped" if report.skipped else "no test ran"
        return "no_tests", "no_tests", what
    return "pass", None, ""

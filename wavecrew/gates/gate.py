"""Does this tree pass? The two places where the engine decides, from evidence it makes itself.

`gate` judges a submitted branch against the base it was cut from;
`verify_tree` judges a merged tree against the tip it would follow. Worst wins:
`fail`, then `could_not_run`, then `no_tests`, then `pass`. A failure that is
known stands before one that is only possible, because someone can mend it; a
gate with nothing to run proves nothing and is `no_tests`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from wavecrew.gates.baseline import Baseline, new_failures, says_nothing_new
from wavecrew.gates.checks import Runner, counts_tests, invokes_pytest, slug
from wavecrew.gates.contracts import contract_findings
from wavecrew.gates.model import Evidence, Finding, GateReport, Rule, Verdict
from wavecrew.gates.policy import policy_findings
from wavecrew.gates.scope import Scope, scope_findings
from wavecrew.gates.source import Source, shown
from wavecrew.gates.tamper import Tampering, tampering
from wavecrew.gates.text import cut
from wavecrew.gates.vanished import vanished
from wavecrew.gates.verdict import Result
from wavecrew.journal.shelf import Shelf
from wavecrew.plan.model import Contract
from wavecrew.plan.settings import Check, Settings
from wavecrew.sandbox.model import Sandbox

WORST_FIRST: tuple[Verdict, ...] = ("fail", "could_not_run", "no_tests", "pass")
RULES_WORST_FIRST: tuple[Rule, ...] = (
    "forbidden_entry",
    "out_of_scope",
    "test_deleted",
    "test_skipped",
    "test_weakened",
    "empty_diff",
    "red_tests",
    "contract_broken",
    "red_check",
    "could_not_run",
    "no_tests",
)
VERDICT_OF: dict[Rule, Verdict] = {"could_not_run": "could_not_run", "no_tests": "no_tests"}
"""Every other rule means `fail`."""
MOST_FAILURES = 200
MOST_TOLD = 10
FAILURE_LINES = 12


@dataclass(frozen=True, kw_only=True)
class VerifyInput:
    """A tree, and how it is to be checked."""

    mirror: Source
    sandbox: Sandbox
    base: str
    """What failures are held against: for a merged tree, the tip it would follow."""
    tree: str
    checks: tuple[Check, ...]
    provides: tuple[Contract, ...] = ()
    """For a merged tree, what all merged tasks promised."""
    settings: Settings
    run_dir: Path
    """A folder on this machine for scratch and for what the base's checks said."""
    shelf: Shelf
    """Where the logs of the checks are kept."""
    name: str
    """File stem for logs and scratch; no two gates at work at once may share it."""
    held_out_root: Path | None = None
    may_reuse: bool = False
    """True: what a check said before of exactly this tree is not asked again."""


@dataclass(frozen=True, kw_only=True)
class GateInput(VerifyInput):
    """A submitted branch: the rules about what it changed apply as well."""

    scope: Scope = ()
    done_when: tuple[str, ...] = ()
    allow_test_changes: bool = False
    """True when a person allowed this task to delete, skip or loosen tests."""


def gate(input: GateInput) -> GateReport:
    """Judge a branch. GitFailed or SandboxUnavailable when the environment is broken."""
    changes = input.mirror.changes(input.base, input.tree)
    paths = tuple(change.path for change in changes)
    if not changes:
        nothing = Finding(
            rule="empty_diff",
            message="Nothing differs from the base; do the work, or say why there is none to do.",
        )
        return _report(input, paths, [nothing], [])
    found = Tampering()
    if not input.allow_test_changes:
        found = tampering(input.mirror, input.base, input.tree, changes)
    findings = [
        *policy_findings(changes, input.scope),
        *scope_findings(paths, input.scope),
        *found.findings,
    ]
    work = _Work(input, findings)
    for check in input.checks:
        work.check(check, against=None if input.allow_test_changes else found)
    for number, command in enumerate(input.done_when, start=1):
        work.done_when(number, command)
    return work.report(paths)


def verify_tree(input: VerifyInput) -> GateReport:
    """Judge a merged tree: checks and contracts, without the rules about a branch's changes."""
    paths = tuple(change.path for change in input.mirror.changes(input.base, input.tree))
    work = _Work(input, [])
    for check in input.checks:
        work.check(check, against=None)
    return work.report(paths)


@dataclass
class _Work:
    """One gate at work: evidence and findings as they come."""

    input: VerifyInput
    findings: list[Finding]
    evidence: list[Evidence] = field(default_factory=list)

    def __post_init__(self) -> None:
        given = self.input
        self.scratch = given.run_dir / "scratch" / slug(given.name)
        self.runner = Runner(
            given.mirror, given.sandbox, given.settings, self.scratch, given.held_out_root
        )
        self.baseline = Baseline(given.run_dir / "baseline")
        self.base_tree = given.mirror.tree_of(given.base)

    def check(self, check: Check, against: Tampering | None) -> None:
        """Run a check of the repository; what was red at the base does not count."""
        result = self._result(check)
        watched = against is not None and counts_tests(check) and result.verdict == "pass"
        note = ""
        has_base = self.base_tree != self.input.tree
        if has_base and (watched or result.verdict == "fail"):
            base = self.baseline.result(
                self.base_tree,
                check,
                self.input.settings,
                lambda: self.runner.run(check, self.base_tree, "-base"),
            )
            note, told = excused(check, result, base)
            if note:
                result = result.model_copy(update={"verdict": "pass", "rule": None})
            if against is not None and counts_tests(check) and result.verdict == "pass":
                self.findings += vanished(check.name, base, result, against)
        else:
            told = tuple(result.failed)
        self._record(check, result, told, note)

    def _result(self, check: Check) -> Result:
        tree, settings = self.input.tree, self.input.settings
        if self.input.may_reuse:
            return self.baseline.result(tree, check, settings, lambda: self.runner.run(check, tree))
        result = self.runner.run(check, tree)
        self.baseline.keep(tree, check, settings, result)
        return result

    def done_when(self, number: int, command: str) -> None:
        """Run one of the task's own conditions; the base is no excuse."""
        check = Check(
            name=f"done_when {number}",
            run=command,
            kind="pytest" if invokes_pytest(command) else "command",
            timeout_s=self.input.settings.limits.command_s,
        )
        result = self.runner.run(check, self.input.tree)
        self._record(check, result, tuple(result.failed), "")

    def report(self, paths: tuple[str, ...]) -> GateReport:
        given = self.input
        self.findings += contract_findings(
            given.mirror,
            given.tree,
            given.provides,
            given.sandbox,
            self.scratch / "contracts-plain",
        )
        shutil.rmtree(self.scratch, ignore_errors=True)
        if not self.evidence:
            why = "No check is set for this stage, so nothing is proven; add one to wavecrew.toml."
            self.findings.append(Finding(rule="no_tests", message=why))
        return _report(given, paths, self.findings, self.evidence)

    def _record(self, check: Check, result: Result, told: tuple[str, ...], note: str) -> None:
        self.findings += result_findings(check, result, told)
        log = result.output + (f"\n{note}\n" if note else "")
        file = f"reports/{slug(self.input.name)}-{slug(check.name)}.log"
        self.input.shelf.save(file, f"tree {self.input.tree}\n{log}".encode())
        self.evidence.append(
            Evidence(
                check=check.name,
                tree=self.input.tree,
                command=check.run,
                verdict=result.verdict,
                exit_code=result.exit_code,
                duration_s=round(result.duration_s, 3),
                passed=len(result.passed),
                failed=len(result.failed),
                skipped=len(result.skipped),
                failures=tuple(sorted(result.failed))[:MOST_FAILURES],
                log=cut(log),
                log_file=file,
            )
        )


def excused(check: Check, result: Result, base: Result) -> tuple[str, tuple[str, ...]]:
    """(why a red result does not count, or empty; the failing tests that do count)."""
    if result.verdict != "fail":
        return "", ()
    if result.rule == "red_tests" and result.has_counts:
        fresh = new_failures(result, base)
        old = sorted(set(result.failed) - set(fresh))
        if fresh or result.exit_code != 1:
            return "", fresh or tuple(result.failed)
        return f"Red on the base too, so it does not count: {', '.join(old)}", ()
    if result.rule == "red_check" and not counts_tests(check) and says_nothing_new(result, base):
        return "The base is red in the same way, so it does not count.", ()
    return "", ()


def result_findings(check: Check, result: Result, told: tuple[str, ...]) -> list[Finding]:
    """What a check that did not pass says to the one who must mend it."""
    if result.rule is None:
        return []
    if result.rule != "red_tests" or not told:
        excerpt = "" if result.rule == "no_tests" else f"\n{cut(result.output, 1200)}"
        message = (
            f"The check {check.name!r} ({check.run}): {result.why}. {_MEND[result.rule]}{excerpt}"
        )
        return [Finding(rule=result.rule, message=message)]
    findings = []
    for name in told[:MOST_TOLD]:
        text = "\n".join(_telling(result.failed[name]))
        message = f"{name} fails in {check.name!r}; make it pass:\n{text}"
        findings.append(Finding(rule="red_tests", path=name.split("::", 1)[0], message=message))
    if len(told) > MOST_TOLD:
        more = f"{len(told) - MOST_TOLD} more tests fail in {check.name!r}; the log names them."
        findings.append(Finding(rule="red_tests", message=more))
    return findings


_MEND: dict[Rule, str] = {
    "red_tests": "Mend the source so that the tests can run.",
    "red_check": "Mend what it reports.",
    "no_tests": "Write the tests it is meant to run, where it looks for them.",
    "could_not_run": "See its output; nothing passes until it runs.",
}


def _telling(text: str) -> list[str]:
    """The lines of a failure that say what is wrong: the error first, then where."""
    lines = [line for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E ")]
    chosen = [*errors, *lines[-1:]] if errors else lines
    return list(dict.fromkeys(line[:300] for line in chosen))[:FAILURE_LINES]


def _report(
    given: VerifyInput,
    paths: tuple[str, ...],
    findings: Iterable[Finding],
    evidence: Iterable[Evidence],
) -> GateReport:
    told = sorted(findings, key=lambda finding: RULES_WORST_FIRST.index(finding.rule))
    verdicts: set[Verdict] = {one.verdict for one in evidence}
    verdicts |= {VERDICT_OF.get(finding.rule, "fail") for finding in told}
    worst: Verdict = "no_tests"  # nothing ran
    for one in reversed(WORST_FIRST):
        worst = one if one in verdicts else worst
    return GateReport(
        tree=given.tree,
        base=given.base,
        verdict=worst,
        findings=tuple(told),
        evidence=tuple(evidence),
        changed=tuple(map(shown, paths)),
    )

"""What becomes of an agent's `submit`: the tree is imported, judged by the gate, committed.

The verdict is the engine's own, at exactly the submitted tree; the same
submission asked again after a crash gets the report it got before.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from wavecrew.gates.gate import GateInput, gate
from wavecrew.gates.model import Finding, GateReport
from wavecrew.journal import events as e
from wavecrew.journal.account import nodes_of
from wavecrew.plan.model import Role, Task
from wavecrew.run import wire
from wavecrew.run.branches import publish
from wavecrew.run.desk import Desk
from wavecrew.run.parts import Parts
from wavecrew.run.reports import save_report, saved_report
from wavecrew.run.session import session_name
from wavecrew.run.spec import file_name
from wavecrew.workspace.model import Author, TreeRejected


class AttemptDesk(Desk):
    """Adds `submit`: import the tree, run the gate, commit what passed."""

    def __init__(self, parts: Parts, task: Task, role: Role, attempt: int, base: str) -> None:
        super().__init__(
            parts,
            task.id,
            attempt,
            session=session_name(task.id, attempt),
            nodes=nodes_of(task.id, task.wave or ""),
            model=role.llm or parts.spec.settings.model.name,
        )
        self._task = task
        self._role = role
        self._base = base
        self._answers[wire.Submit] = self._submit

    def _submit(self, request: wire.Submit) -> wire.Reply:
        stem = f"{file_name(self.task)}-{self.attempt}-{request.submission}"
        known = self._recorded(stem, request.tree)
        with self.parts.gates:
            report = known or self.parts.unless_stopping(self._judge(request, stem))
        accepted = report.verdict == "pass"
        commit = self._commit(request, report) if accepted else ""
        if commit:  # before the log names it: this machine may be gone when another reads that
            publish(self.parts, self._task, commit)
        self._record(request, report, commit, stem)
        left = max(0, self._role.attempts - self._refused())
        return wire.Gated(report=report, accepted=accepted, attempts_left=left)

    def _refused(self) -> int:
        """Submissions of this attempt that did not pass, before a resume too."""
        facts = [event.fact for event in self.parts.log.read()]
        return sum(
            isinstance(fact, e.GateFinished)
            and (fact.task, fact.attempt) == (self.task, self.attempt)
            and fact.verdict != "pass"
            for fact in facts
        )

    def _judge(self, request: wire.Submit, stem: str) -> GateReport:
        try:
            self.parts.mirror.import_pack(request.pack, request.tree, self._base)
        except TreeRejected as rejected:
            return self._rejected(request.tree, rejected)
        given = gate_input(self.parts, self._task, self._role, self._base, request.tree, stem)
        sandbox = self.parts.lessor.gate(f"{session_name(self.task, self.attempt)}/gate")
        return gate(replace(given, sandbox=sandbox))

    def _rejected(self, tree: str, rejected: TreeRejected) -> GateReport:
        findings = tuple(
            Finding(rule="forbidden_entry", message=found.message, path=found.path)
            for found in rejected.findings
        )
        return GateReport(tree=tree, base=self._base, verdict="fail", findings=findings)

    def _recorded(self, stem: str, tree: str) -> GateReport | None:
        """The report of this very submission, when an earlier engine wrote it and then died."""
        report = saved_report(self.parts, stem)
        return report if report and report.tree == tree else None

    def _commit(self, request: wire.Submit, report: GateReport) -> str:
        message = f"{self._task.id}: {self._task.title}\n\n{request.summary}\n"
        return self.parts.mirror.commit(
            report.tree, (self._base,), message, author_of(self._role), self.parts.clock()
        )

    def _record(self, request: wire.Submit, report: GateReport, commit: str, stem: str) -> None:
        path = save_report(self.parts, stem, report)
        self.parts.log.append(
            e.GateFinished(
                task=self.task,
                attempt=self.attempt,
                submission=request.submission,
                verdict=report.verdict,
                rules=list(report.rules),
                tree=report.tree,
                commit=commit,
                passed=sum(evidence.passed for evidence in report.evidence),
                failed=sum(evidence.failed for evidence in report.evidence),
                summary=request.summary,
                report=path,
            )
        )


def gate_input(parts: Parts, task: Task, role: Role, base: str, tree: str, stem: str) -> GateInput:
    """What the gate needs to judge one submitted tree."""
    spec = parts.spec
    return GateInput(
        mirror=parts.mirror,
        sandbox=parts.sandbox,
        base=base,
        tree=tree,
        scope=scope_of(role, task),
        checks=spec.settings.at("gate"),
        done_when=task.done_when,
        provides=task.provides,
        settings=spec.settings,
        run_dir=parts.folder.root,
        shelf=parts.shelf,
        name=stem,
        held_out_root=Path(spec.held_out_root) if spec.held_out_root else None,
    )


def author_of(role: Role) -> Author:
    return Author(role.role, f"{role.name}@wavecrew.localhost")


def scope_of(role: Role, task: Task) -> tuple[tuple[str, ...], ...]:
    """Groups of globs; a path must match one of each. Where neither says anything, none does."""
    return tuple(group for group in (role.may_write, task.may_write) if group) or ((),)

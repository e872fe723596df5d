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
from wavecrew.run.again import again
from wavecrew.run.branches import first_parent, publish
from wavecrew.run.desk import Desk
from wavecrew.run.parts import Parts
from wavecrew.run.reports import save_report, saved_report
from wavecrew.run.session import session_name
from wavecrew.run.spec import file_name
from wavecrew.workspace.model import Author, TreeRejected
from wavecrew.workspace.refs import ref_for


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
        commit = ""
        if accepted:
            commit = accepted_commit(
                self.parts, self._task, self._role, self._base, report.tree, request.summary
            )
            # Before the log names it: this machine may be gone when another reads that.
            publish(self.parts, self._task, commit)
        self._record(request, report, commit, stem)
        left = max(0, self._role.attempts - self._refused())
        return wire.Gated(report=report, accepted=accepted, attempts_left=left)

    def _refused(self) -> int:
        """Submissions of this attempt that did not pass, before a resume too."""
        with self.parts.reading:
            known = self.parts.state.attempt(self.task, self.attempt)
        return known.refused if known else 0

    def _judge(self, request: wire.Submit, stem: str) -> GateReport:
        try:
            self.parts.mirror.import_pack(request.pack, request.tree, self._base)
        except TreeRejected as rejected:
            return self._rejected(request.tree, rejected)
        given = gate_input(self.parts, self._task, self._role, self._base, request.tree, stem)
        sandbox = self.parts.lessor.gate(f"{session_name(self.task, self.attempt)}/gate")
        return again(lambda: gate(replace(given, sandbox=sandbox)))

    def _rejected(self, tree: str, rejected: TreeRejected) -> GateReport:
        findings = tuple(
            Finding(rule="forbidden_entry", message=found.message, path=found.path)
            for found in rejected.findings
        )
        return GateReport(tree=tree, base=self._base, verdict="fail", findings=findings)

    def _recorded(self, stem: str, tree: str) -> GateReport | None:
        """The report of this very submission, when an earlier engine wrote it and then died."""
        report = saved_report(self.parts, stem)
        if report is None or report.tree != tree:
            return None
        return report if report.verdict != "pass" or self.parts.mirror.has(tree) else None

    def _record(self, request: wire.Submit, report: GateReport, commit: str, stem: str) -> None:
        path = save_report(self.parts, stem, report)
        about = (self.task, self.attempt, request.submission)
        self.parts.log.append(gate_finished(about, report, commit, request.summary, path))


def accepted_commit(
    parts: Parts, task: Task, role: Role, base: str, tree: str, summary: str
) -> str:
    """The commit of an accepted tree: what the task's branch names already, or a new one."""
    there = parts.repository.read_ref(ref_for(parts.spec.run, task.id))
    if there and parts.mirror.has(there) and _is(parts, there, tree, base):
        return there
    message = f"{task.id}: {task.title}\n\n{summary}\n"
    return parts.mirror.commit(tree, (base,), message, author_of(role), parts.clock())


def _is(parts: Parts, commit: str, tree: str, base: str) -> bool:
    return parts.mirror.tree_of(commit) == tree and first_parent(parts, commit) == base


def gate_finished(
    about: tuple[str, int, int], report: GateReport, commit: str, summary: str, path: str
) -> e.GateFinished:
    """The fact. `about`: task, attempt, submission; `path`: the report's, in the run's folder."""
    task, attempt, submission = about
    return e.GateFinished(
        task=task,
        attempt=attempt,
        submission=submission,
        verdict=report.verdict,
        rules=list(report.rules),
        tree=report.tree,
        commit=commit,
        passed=sum(evidence.passed for evidence in report.evidence),
        failed=sum(evidence.failed for evidence in report.evidence),
        summary=summary,
        report=path,
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

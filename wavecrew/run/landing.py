"""A passed branch on its way into the integration branch, and what a refusal turns into.

The merge queue lands exactly the tree that was verified. What it will not land
becomes rework: with the conflicting hunks and the other side's intent, or with
the failing evidence and the manager crew's word on who mends it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from wavecrew.errors import GitFailed
from wavecrew.gates.gate import VerifyInput, verify_tree
from wavecrew.gates.model import GateReport
from wavecrew.gates.text import as_text
from wavecrew.journal import events as e
from wavecrew.journal.state import TaskState
from wavecrew.plan.model import Contract, Task
from wavecrew.plan.settings import Stage
from wavecrew.run import wire
from wavecrew.run.again import again
from wavecrew.run.branches import first_parent
from wavecrew.run.parts import Parts
from wavecrew.run.reports import save_report, saved_report
from wavecrew.run.spec import file_name
from wavecrew.schedule.ready import Schedule
from wavecrew.workspace.merge_queue import Branch, land
from wavecrew.workspace.model import Conflict, Landing


@dataclass(frozen=True, slots=True)
class Landed:
    outcome: str
    """merged, conflict, red."""
    commit: str = ""
    tree: str = ""
    rework: wire.Rework | None = None
    report: GateReport | None = None


def land_branch(parts: Parts, task: Task, attempt: int, commit: str) -> Landed:
    """Try to land one branch, once; the facts are in the log when this returns."""
    stem = f"{file_name(task.id)}-{attempt}-integration"
    with parts.reading:
        state = replace(parts.state.tasks[task.id])

    def verify(tree: str) -> GateReport:
        wanted = verify_input(parts, "integration", tree, parts.tip(), stem, extra=task.provides)
        report = again(lambda: verify_tree(wanted))
        save_report(parts, stem, parts.unless_stopping(report))
        return report

    branch = Branch(
        run=parts.spec.run,
        task=task.id,
        title=task.title,
        summary=state.summary,
        commit=commit,
        attempt=attempt,
        role=task.agent,
        when=parts.clock(),
    )
    landing = land(
        parts.mirror,
        branch,
        integration_ref=parts.spec.integration_ref,
        verify=verify,
        evidence=lambda report: f"{report.verdict} at tree {report.tree}",
        since=parts.spec.base,
    )
    landed = _as_landed(parts, task, landing, stem)
    _record(parts, task, attempt, landing, landed, f"reports/{stem}.json")
    return landed


def complete(parts: Parts, schedule: Schedule, task: Task, landed: Landed) -> None:
    """The plan's completion message."""
    with parts.reading:
        state = parts.state
        commit = state.tasks[task.id].commit
        merged, open_syncs = state.merged, state.open_syncs
        busy = {t.id for t in state.tasks.values() if t.status in ("running", "gating")}
        blocked = state.blocked
    only = set(parts.spec.only)
    unblocks = schedule.unblocks(merged - {task.id}, task.id, open_syncs)
    coming = schedule.next_for(
        task.agent, merged=merged, running=busy, blocked=blocked, open_syncs=open_syncs, only=only
    )
    parts.log.append(
        e.TaskCompleted(
            task=task.id,
            role=task.agent,
            tests=_tests_text(landed.report),
            unblocks=[one for one in unblocks if one in only],
            next_task=coming or "Awaiting Assignment",
            commit=commit,
        )
    )


def verify_input(
    parts: Parts,
    stage: Stage,
    tree: str,
    base: str,
    stem: str,
    *,
    extra: tuple[Contract, ...] = (),
    only_checks: tuple[str, ...] = (),
) -> VerifyInput:
    """What it takes to judge a merged tree: the stage's checks, the contracts of all merged."""
    spec = parts.spec
    checks = spec.settings.at(stage)
    with parts.reading:
        merged = parts.state.merged
    provided = tuple(c for t in spec.tasks if t.id in merged for c in t.provides)
    return VerifyInput(
        mirror=parts.mirror,
        sandbox=parts.lessor.gate("integration"),
        base=base,
        tree=tree,
        checks=tuple(c for c in checks if not only_checks or c.name in only_checks),
        provides=provided + extra,
        settings=spec.settings,
        run_dir=parts.folder.root,
        shelf=parts.shelf,
        name=stem,
        held_out_root=Path(spec.held_out_root) if spec.held_out_root else None,
    )


def _as_landed(parts: Parts, task: Task, landing: Landing[GateReport], stem: str) -> Landed:
    if landing.outcome == "moved":
        raise GitFailed(
            "the integration branch moved under every try to land",
            where=parts.spec.integration_ref,
            mend="leave that branch to the run, then --resume",
        )
    if landing.conflict is not None:
        rework = _conflict_rework(parts, task, landing.conflict.conflicts)
        return Landed("conflict", rework=rework)
    if landing.outcome == "red":
        assert landing.report is not None
        rework = wire.Rework(
            kind="red_integration",
            reason=f"merged with the integration branch, {_red_text(landing.report)}",
            log=as_text(landing.report),
        )
        return Landed("red", tree=landing.tree, rework=rework, report=landing.report)
    report = landing.report or saved_report(parts, stem)
    tree = parts.mirror.tree_of(landing.commit)
    return Landed("merged", commit=landing.commit, tree=tree, report=report)


def _conflict_rework(parts: Parts, task: Task, conflicts: tuple[Conflict, ...]) -> wire.Rework:
    paths = ", ".join(conflict.path for conflict in conflicts)
    hunks = "\n".join(f"--- {c.path} ({c.kind})\n{c.hunks}" for c in conflicts)
    return wire.Rework(
        kind="conflict",
        reason=f"the branch conflicts with the integration branch in {paths}",
        log=hunks,
        theirs=_their_intents(parts, {conflict.path for conflict in conflicts}, task.id),
    )


def _their_intents(parts: Parts, paths: set[str], own: str) -> str:
    """Title and summary of the merged tasks that changed the same paths."""
    lines = []
    with parts.reading:
        others = [t for t in parts.state.tasks.values() if t.status == "merged" and t.id != own]
    for other in others:
        if paths & _changed_by(parts, other):
            lines.append(f"{other.id} {other.title}: {other.summary}")
    return "\n".join(lines)


def _changed_by(parts: Parts, state: TaskState) -> set[str]:
    before = first_parent(parts, state.commit)
    return {change.path for change in parts.mirror.changes(before, state.commit)}


def _red_text(report: GateReport) -> str:
    failures = [name for evidence in report.evidence for name in evidence.failures]
    if failures:
        return f"{len(failures)} test(s) fail: {', '.join(failures[:5])}"
    return report.findings[0].message if report.findings else report.verdict


def _tests_text(report: GateReport | None) -> str:
    if report is None:
        return "Pass"
    passed = sum(evidence.passed for evidence in report.evidence)
    return f"Pass ({passed} passed)"


def _record(
    parts: Parts,
    task: Task,
    attempt: int,
    landing: Landing[GateReport],
    landed: Landed,
    evidence: str,
) -> None:
    parts.log.append(
        e.MergeFinished(
            task=task.id,
            attempt=attempt,
            outcome=landed.outcome,
            tree=landed.tree,
            commit=landed.commit,
            drivers=list(landing.drivers),
            detail=landed.rework.reason if landed.rework else "",
            evidence=evidence,
        )
    )

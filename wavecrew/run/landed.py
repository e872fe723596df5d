"""What has landed, written down from history: once, in the order in which it landed.

The integration branch is moved first and the facts come after, so a kill in
between leaves landings that the log does not know. Whoever has the lane next
finds them here.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from wavecrew.gates.model import GateReport
from wavecrew.journal import events as e
from wavecrew.plan.model import Task, TaskId
from wavecrew.run.parts import Parts
from wavecrew.run.reports import saved_report
from wavecrew.schedule.ready import Schedule
from wavecrew.workspace.merge_queue import LandedBefore, landings


def has_landed(parts: Parts, task: str, attempt: int) -> bool:
    """True when this attempt's branch, or a later one of the task, is in the log as landed."""
    with parts.reading:
        attempts = parts.state.tasks[task].attempts
        return any(one.is_landed for number, one in attempts.items() if number >= attempt)


def record_landed(parts: Parts, schedule: Schedule) -> None:
    """Merge and completion of every landing that the log does not have yet, oldest first."""
    missing: list[tuple[Task, LandedBefore]] = []
    tasks = parts.spec.plan.tasks_by_id
    for name, landing in landings(parts.mirror, parts.tip(), since=parts.spec.base):
        run, _, task = name.partition("/")
        if run != parts.spec.run or task not in tasks:
            continue
        if parts.log.has(e.id_with(e.TaskCompleted, task, landing.commit)):
            break
        missing.append((tasks[TaskId(task)], landing))
    for one, landing in reversed(missing):
        tested = _tested(parts, landing)
        _merged(parts, one, landing, tested)
        _completed(parts, schedule, one, landing.commit, _report(parts, tested))


def _tested(parts: Parts, landing: LandedBefore) -> e.TreeTested:
    """The test that a landing rests on: its commit names the tree."""
    tree = landing.evidence.rpartition(" ")[2]
    with parts.reading:
        known = parts.state.tested.get(tree)
    return known or e.TreeTested([], "", tree, "pass", {}, "")


def _merged(parts: Parts, task: Task, landing: LandedBefore, tested: e.TreeTested) -> None:
    parts.log.append(
        e.MergeFinished(
            task=task.id,
            attempt=landing.attempt,
            outcome="merged",
            tree=tested.tree,
            commit=landing.commit,
            drivers=tested.drivers.get(task.id, []),
            detail="",
            evidence=tested.evidence,
            batch=tested.tasks if len(tested.tasks) > 1 else [],
        )
    )


def _completed(
    parts: Parts, schedule: Schedule, task: Task, commit: str, report: GateReport | None
) -> None:
    """The plan's completion message."""
    with parts.reading:
        state = parts.state
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
            tests=_tests_text(report),
            unblocks=[one for one in unblocks if one in only],
            next_task=coming or "Awaiting Assignment",
            commit=commit,
        )
    )


def _report(parts: Parts, tested: e.TreeTested) -> GateReport | None:
    return saved_report(parts, PurePosixPath(tested.evidence).stem) if tested.evidence else None


def _tests_text(report: GateReport | None) -> str:
    if report is None:
        return "Pass"
    passed = sum(evidence.passed for evidence in report.evidence)
    return f"Pass ({passed} passed)"

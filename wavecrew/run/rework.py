"""What the agent is told whose branch did not land: both intents, both bases, the evidence."""

from __future__ import annotations

import re
from collections.abc import Iterable

from wavecrew.gates.model import GateReport
from wavecrew.gates.text import as_text, cut
from wavecrew.journal.tasks import TaskState
from wavecrew.plan.model import Task
from wavecrew.run import wire
from wavecrew.run.branches import first_parent
from wavecrew.run.parts import Parts
from wavecrew.workspace.model import Conflict
from wavecrew.workspace.refs import attic_ref

PATHS_TOLD = 50
HUNKS_PER_PATH = 4_000
HUNKS_IN_ALL = 24_000
_HUNK = re.compile(r"^<{7} .*?^>{7} [^\n]*\n?", re.MULTILINE | re.DOTALL)
_LABEL = re.compile(r"^(<{7}|\|{7}|>{7}) [^\n]*$", re.MULTILINE)
_SIDES = {"<": "integration", "|": "before both", ">": "branch"}


def conflict_rework(
    parts: Parts, task: Task, commit: str, conflicts: tuple[Conflict, ...]
) -> wire.Rework:
    """Of a branch (`commit`) that conflicts with the tip of the integration branch."""
    tip = parts.tip()
    base = parts.mirror.merge_base(tip, commit) or ""
    with parts.reading:
        own = parts.state.tasks[task.id]
        ours = intent(own)
    paths = dict.fromkeys(conflict.path for conflict in conflicts)
    return wire.Rework(
        kind="conflict",
        reason=f"the branch conflicts with the integration branch in {', '.join(paths)}",
        log=_hunks(parts, base, tip, commit, conflicts),
        ours=ours,
        theirs="\n".join(map(intent, _others(parts, set(paths), task.id, base))),
        base=base,
        tip=tip,
    )


def red_rework(report: GateReport) -> wire.Rework:
    """Of a branch whose merge with the tip turns the checks red."""
    return wire.Rework(
        kind="red_integration",
        reason=f"merged with the integration branch, {_red_text(report)}",
        log=as_text(report),
    )


def ended_rework(parts: Parts, task: Task, attempt: int, rework: wire.Rework) -> wire.Rework:
    """`rework` of an attempt that ended early, with where its work stands and what it changed."""
    earlier = parts.repository.read_ref(attic_ref(parts.spec.run, task.id, attempt - 1))
    if rework.kind != "ended" or not earlier:
        return rework
    parts.mirror.need(earlier)
    base = first_parent(parts, earlier)
    changes = parts.mirror.changes(base, earlier)
    told = [f"{change.status} {change.path}" for change in changes[:PATHS_TOLD]]
    if len(changes) > PATHS_TOLD:
        told.append(f"and {len(changes) - PATHS_TOLD} more")
    update = {"earlier": earlier, "base": base, "log": "\n".join(told)}
    return rework.model_copy(update=update)


def intent(task: TaskState) -> str:
    return f"{task.id} {task.title}: {task.summary}"


def _others(parts: Parts, paths: set[str], own: str, base: str) -> Iterable[TaskState]:
    """The tasks that landed since `base` and changed one of `paths`."""
    with parts.reading:
        others = [t for t in parts.state.tasks.values() if t.status == "merged" and t.id != own]
    for other in others:
        is_known = bool(base) and parts.mirror.is_ancestor(other.commit, base)
        if not is_known and paths & _changed_by(parts, other):
            yield other


def _changed_by(parts: Parts, state: TaskState) -> set[str]:
    before = first_parent(parts, state.commit)
    return {change.path for change in parts.mirror.changes(before, state.commit)}


def _hunks(parts: Parts, base: str, tip: str, commit: str, conflicts: tuple[Conflict, ...]) -> str:
    """Every conflict with what stood there before both sides, cut to a budget."""
    left, told = HUNKS_IN_ALL, []
    for conflict in conflicts:
        why, marks, _ = conflict.hunks.partition("<<<<<<< ")
        sides = _three_sides(parts, base, tip, commit, conflict.path) if marks else ""
        text = why + sides if sides else conflict.hunks
        text = cut(text, min(HUNKS_PER_PATH, left)) if left > 0 else "[no room for its hunks]"
        left -= len(text)
        told.append(f"--- {conflict.path} ({conflict.kind})\n{text}")
    return "\n".join(told)


def _three_sides(parts: Parts, base: str, tip: str, commit: str, path: str) -> str:
    """The conflicting hunks of one file, base included; empty when it is no text of three sides."""
    if not base:
        return ""
    before, ours, theirs = (parts.mirror.read(side, path) for side in (base, tip, commit))
    if before is None or ours is None or theirs is None:
        return ""
    merged = parts.mirror.merge_text(before, ours, theirs, 7).decode("utf-8", "replace")
    hunks = "".join(_HUNK.findall(merged))
    return _LABEL.sub(lambda found: f"{found[1]} {_SIDES[found[1][0]]}", hunks)


def _red_text(report: GateReport) -> str:
    failures = [name for evidence in report.evidence for name in evidence.failures]
    if failures:
        return f"{len(failures)} test(s) fail: {', '.join(failures[:5])}"
    return report.findings[0].message if report.findings else report.verdict

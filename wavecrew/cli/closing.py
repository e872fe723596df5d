"""What came of a run, told at its end: what landed, what did not and why, where the work stands."""

from __future__ import annotations

from rich.console import RenderableType

from wavecrew.cli.lines import count, elapsed, many
from wavecrew.cli.sheet import Sheet
from wavecrew.journal.state import RunState, SyncState, TaskState

_OUTCOMES = {
    "": "still running",
    "done": "done: everything is merged and every sync point is open",
    "paused": "paused: the same command goes on where it stopped",
    "task_failed": "a task did not pass its gate",
    "integration_red": "a sync point stays closed",
    "conflict": "branches could not be reconciled",
    "limit_reached": "a limit is reached; the work so far is kept",
}


def summary(state: RunState, width: int = 100, *, ascii_only: bool = False) -> RenderableType:
    """The closing report. Reasons are told in full and wrap; the rest is one line each."""
    sheet = Sheet(width, ascii_only=ascii_only)
    tasks = list(state.tasks.values())
    merged = [task for task in tasks if task.status == "merged"]
    blocked = [task for task in tasks if task.status == "blocked"]
    rest = [task for task in tasks if task.status not in ("merged", "blocked")]
    _head(sheet, state, merged)
    if merged:
        sheet.heading("Merged")
        wide = max(len(task.id) for task in merged)
        for task in merged:
            _merged(sheet, task, wide)
    if blocked:
        sheet.heading("Blocked, a person decides")
        for task in blocked:
            _unmerged(sheet, task, "red")
    if rest:
        sheet.heading("Not merged")
        for task in rest:
            _unmerged(sheet, task, "")
    if state.syncs:
        sheet.heading("Sync points")
        for sync in state.syncs.values():
            _sync(sheet, state, sync)
    _branches(sheet, state, tasks)
    return sheet.group()


def _head(sheet: Sheet, state: RunState, merged: list[TaskState]) -> None:
    style = {"done": "bold green", "": "bold", "paused": "bold"}.get(state.outcome, "bold red")
    sheet.add((state.plan, "bold"))
    sheet.paragraph(_OUTCOMES.get(state.outcome, state.outcome), style)
    took = elapsed(state.started_at, state.ended_at) if state.ended_at else ""
    model = f"{state.model}, a rehearsal" if state.rehearsal else state.model
    parts = [
        f"{len(merged)} of {many(len(state.tasks), 'task')} merged",
        f"{count(state.tokens)} tokens",
        many(state.model_calls, "model call"),
        f"model {model}",
        f"sandbox {state.sandbox}",
        f"took {took}" if took else "",
        f"exit code {state.exit_code}" if state.exit_code is not None else "",
    ]
    sheet.flow(*filter(None, parts), gap=" · ")


def _merged(sheet: Sheet, task: TaskState, wide: int) -> None:
    again = f"  {task.attempt} attempts" if task.attempt > 1 else ""
    sheet.add(
        "  ",
        (sheet.fit(task.id, wide), "green"),
        f"  {task.commit[:10]}  ",
        task.title,
        (f"  {task.role}{again}", "dim"),
        (f"  {task.evidence}" if task.evidence else "", "dim"),
    )


def _unmerged(sheet: Sheet, task: TaskState, style: str) -> None:
    sheet.add("  ", (task.id, style), "  ", task.title, (f"  {task.role}", "dim"))
    if task.changed_reason:
        sheet.paragraph(task.changed_reason, indent=6)
    elif task.last:
        sheet.paragraph(task.last, indent=6)
    if task.rules:
        sheet.paragraph(f"newest gate: {', '.join(task.rules)}", indent=6)
    if task.evidence:
        sheet.paragraph(f"evidence: {task.evidence}", indent=6)


def _sync(sheet: Sheet, state: RunState, sync: SyncState) -> None:
    style = {"open": "green", "closed": "red"}.get(sync.status, "")
    sheet.add("  ", (f"{sync.status:8}", style), sync.id, (f"  {sync.title}", "dim"))
    if sync.status == "open":
        sheet.paragraph(f"{many(sync.passed, 'test')} passed", indent=10)
    elif sync.status == "closed":
        sheet.paragraph(sync.detail or "not green", indent=10)
    else:
        missing = [task for task in sync.after if task not in state.merged]
        sheet.paragraph(f"waits for {', '.join(missing) or 'its integration run'}", indent=10)
    if sync.report:
        sheet.paragraph(f"evidence: {sync.report}", indent=10)


def _branches(sheet: Sheet, state: RunState, tasks: list[TaskState]) -> None:
    sheet.heading("Branches")
    sheet.paragraph(f"{state.integration} at {state.tip[:10]}", indent=2)
    for task in tasks:
        if task.branch:
            sheet.paragraph(task.branch, "" if task.status == "merged" else "bold", indent=2)

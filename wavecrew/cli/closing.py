"""What came of a run, told at its end: what landed, what did not and why, where the work stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions

from wavecrew.cli.lines import cost, count, elapsed, many, paid
from wavecrew.cli.sheet import Screen, Sheet
from wavecrew.journal.state import RunState, SyncState
from wavecrew.journal.tasks import TaskState

_OUTCOMES = {
    "": "still running",
    "done": "done: everything is merged and every sync point is open",
    "paused": "paused: `wavecrew run --resume` goes on where it stopped",
    "task_failed": "a task did not pass its gate",
    "integration_red": "a sync point stays closed",
    "conflict": "branches could not be reconciled",
    "limit_reached": "a limit is reached; the work so far is kept",
}


@dataclass(frozen=True)
class Closing:
    """The closing report of a state, drawn to the width of the terminal that shows it."""

    state: RunState

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Screen]:
        yield draw(self.state, options.max_width)


def summary(state: RunState) -> Closing:
    """What to print at the end. Reasons are told in full and wrap; the rest is one line each."""
    return Closing(state)


def draw(state: RunState, width: int) -> Screen:
    """The report at most `width` cells wide."""
    sheet = Sheet(width)
    tasks = list(state.tasks.values())
    _head(sheet, state)
    _merged(sheet, state, [task for task in tasks if task.status == "merged"])
    blocked = [task for task in tasks if task.status == "blocked"]
    _unmerged(sheet, state, "Blocked, a person decides", blocked, "red")
    rest = [task for task in tasks if task.status not in ("merged", "blocked")]
    _unmerged(sheet, state, "Not merged", rest, "")
    if state.syncs:
        sheet.heading("Sync points")
        for sync in state.syncs.values():
            _sync(sheet, state, sync)
    _branches(sheet, state, tasks)
    return sheet.screen()


def _head(sheet: Sheet, state: RunState) -> None:
    style = {"done": "bold green", "": "bold", "paused": "bold"}.get(state.outcome, "bold red")
    sheet.add((state.plan, "bold"))
    sheet.paragraph(_OUTCOMES.get(state.outcome, state.outcome), style)
    took = elapsed(state.started_at, state.ended_at) if state.ended_at else ""
    model = f"{state.model}, a rehearsal" if state.rehearsal else state.model
    parts = [
        f"{len(state.merged)} of {many(len(state.tasks), 'task')} merged",
        cost(state),
        f"{count(state.tokens)} tokens",
        many(state.model_calls, "model call"),
        f"model {model}",
        f"sandbox {state.sandbox}",
        f"took {took}" if took else "",
        f"exit code {state.exit_code}" if state.exit_code is not None else "",
    ]
    sheet.flow(*parts, gap=" · ")


def _merged(sheet: Sheet, state: RunState, tasks: list[TaskState]) -> None:
    if tasks:
        sheet.heading("Merged")
    wide = max((cell_len(task.id) for task in tasks), default=0)
    for task in tasks:
        again = f"  {task.attempt} attempts" if task.attempt > 1 else ""
        used = f"  {count(task.tokens)} tokens{paid(state, task.id)}" if task.tokens else ""
        sheet.add(
            "  ",
            (sheet.fit(task.id, wide), "green"),
            f"  {task.commit[:10]}  {task.title}",
            (f"  {task.role}{again}{used}", "dim"),
            (f"  {task.evidence}" if task.evidence else "", "dim"),
        )


def _unmerged(
    sheet: Sheet, state: RunState, title: str, tasks: list[TaskState], style: str
) -> None:
    if tasks:
        sheet.heading(title)
    for task in tasks:
        used = f"  {count(task.tokens)} tokens{paid(state, task.id)}" if task.tokens else ""
        sheet.add("  ", (task.id, style), f"  {task.title}", (f"  {task.role}{used}", "dim"))
        if why := task.held or task.changed_reason or task.last:
            sheet.paragraph(why, indent=6)
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

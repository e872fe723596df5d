"""The board of a run in a terminal: the plan's own progress dashboard, drawn from its state.

Pure: state, width and time in, something Rich can print out. Who redraws it,
and when, is the command's business.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len

from wavecrew.cli.closing import summary
from wavecrew.cli.lines import (
    cost,
    count,
    elapsed,
    many,
    money,
    paid,
    plain_line,
    provider,
)
from wavecrew.cli.phases import bar, draw_phases
from wavecrew.cli.sheet import Part, Screen, Sheet
from wavecrew.journal.state import RunState, SyncState
from wavecrew.journal.tasks import TaskState
from wavecrew.journal.views import collision_text

if TYPE_CHECKING:
    from wavecrew.plan.settings import Budget

__all__ = ["plain_line", "render", "summary"]

ACTIVE = ("running", "gating", "merging")
_ROWS = ((8, 6), (3, 3), (3, 3), (0, 2))
"""Rows of waiting tasks and of messages, the fuller first; from the third on phases are folded."""


def render(
    state: RunState,
    width: int,
    now: datetime | str,
    *,
    height: int | None = None,
    budget: Budget | None = None,
) -> Screen:
    """The board, at most `width` cells wide and, where given, `height` lines high.

    A board that would be too high shows fewer waiting tasks and messages, then
    one line a phase. `now` is aware of its time zone, or an ISO 8601 text that is.
    """
    sheet = Sheet(width)
    for level, (waiting, messages) in enumerate(_ROWS):
        sheet = Sheet(width)
        _head(sheet, state, now)
        draw_phases(sheet, state, folded=level >= 2)
        _counts(sheet, state, budget)
        if busy := provider(state, now):
            sheet.add((busy, "yellow"))
        _in_progress(sheet, state, now)
        _blocked(sheet, state)
        _waiting(sheet, state, waiting)
        _foreseen(sheet, state, messages)
        _syncs(sheet, state)
        _messages(sheet, state, messages)
        if height is None or len(sheet.items) <= height:
            break
    return sheet.screen(height)


def waits_for(state: RunState, task: TaskState) -> str:
    """Why a waiting task does not run, for people: `1.1, 1.4 (blocked), sync point s1`."""
    if task.held:
        return task.held
    open_ends = [other for other in task.depends_on if other not in state.merged]
    parts = [f"{other} (blocked)" if other in state.blocked else other for other in open_ends]
    parts += [f"sync point {s.id}" for s in _held_by(state, task)]
    if parts:
        return ", ".join(parts)
    again = f"rework: {task.changed_reason}" if task.changed_reason else ""
    if again:
        return again
    busy = any(t.role == task.role and t.status in ACTIVE for t in state.tasks.values())
    return f"{task.role} to be free" if busy else "an agent"


def _held_by(state: RunState, task: TaskState) -> list[SyncState]:
    return [s for s in state.syncs.values() if s.status != "open" and task.id in s.holds]


def _head(sheet: Sheet, state: RunState, now: datetime | str) -> None:
    took = elapsed(state.started_at, state.ended_at or now)
    title = sheet.fit(state.plan or "Wavecrew", sheet.width - len(took) - 1)
    sheet.add((title, "bold"), " ", took)
    model = f"{state.model} (rehearsal: the model is a script)" if state.rehearsal else state.model
    parts = [f"run {state.run}", f"model {model}", f"sandbox {state.sandbox}"]
    sheet.flow(*parts, state.outcome or "running", gap=" · ")


def _counts(sheet: Sheet, state: RunState, budget: Budget | None) -> None:
    total, merged = len(state.tasks), len(state.merged)
    active = [task for task in state.tasks.values() if task.status in ACTIVE]
    agents = len({task.role for task in active})
    sheet.gap()
    sheet.flow(f"Overall: {bar(merged, total)}", f"Active Agents: {agents}/{len(state.roles)}")
    sheet.flow(
        f"Tasks In Progress: {len(active)}",
        f"Tasks Completed: {merged}",
        f"Tasks Remaining: {total - merged - len(active)}",
    )
    tokens, calls = (budget.tokens, budget.model_calls) if budget else (0, 0)
    limit = f" of {money(budget.money)}" if budget and budget.money else ""
    sheet.flow(
        f"Budget: {_of(state.tokens, tokens)} tokens",
        f"{_of(state.model_calls, calls)} model calls",
        f"{cost(state)}{limit}",
        f"integration {state.tip[:10]}" if state.tip else "",
    )


def _of(used: int, limit: int) -> str:
    return f"{count(used)} of {count(limit)}" if limit else count(used)


def _in_progress(sheet: Sheet, state: RunState, now: datetime | str) -> None:
    active = [task for task in state.tasks.values() if task.status in ACTIVE]
    if not active:
        return
    sheet.heading("In progress")
    wide = _widths(sheet, state)
    for task in active:
        again = f"attempt {task.attempt}, " if task.attempt > 1 else ""
        used = f", {count(task.tokens)} tokens{paid(state, task.id)}" if sheet.width >= 100 else ""
        sheet.add(
            *_name(sheet, task, wide, "cyan"),
            sheet.fit(task.role, wide[2]),
            f" {elapsed(task.started_at, now):>7}  ",
            again,
            f"{many(task.steps, 'step')}{used}",
            (f"  {task.last}", "dim"),
        )


def _blocked(sheet: Sheet, state: RunState) -> None:
    blocked = [task for task in state.tasks.values() if task.status == "blocked"]
    if not blocked:
        return
    sheet.heading("Blocked, a person decides")
    wide = _widths(sheet, state)
    for task in blocked:
        why = task.changed_reason or ", ".join(task.rules) or task.last
        sheet.add(*_name(sheet, task, wide, "red"), why)


def _waiting(sheet: Sheet, state: RunState, rows: int) -> None:
    waiting = [task for task in state.tasks.values() if task.status == "waiting"]
    if not waiting or not rows:
        return
    sheet.heading("Waiting for")
    wide = _widths(sheet, state)
    for task in waiting[:rows]:
        sheet.add(*_name(sheet, task, wide, ""), waits_for(state, task))
    if len(waiting) > rows:
        sheet.add((f"  … and {many(len(waiting) - rows, 'task')} more", "dim"))


def _foreseen(sheet: Sheet, state: RunState, rows: int) -> None:
    if not state.collisions:
        return
    sheet.heading("Foreseen collisions")
    for collision in state.collisions[:rows]:
        sheet.add("  ", (collision_text(collision), "yellow"))
    if len(state.collisions) > rows:
        sheet.add((f"  … and {many(len(state.collisions) - rows, 'pair')} more", "dim"))


def _syncs(sheet: Sheet, state: RunState) -> None:
    if not state.syncs:
        return
    sheet.heading("Sync points")
    wide = max(cell_len(sync.id) for sync in state.syncs.values())
    style = {"open": "green", "closed": "red"}
    for sync in state.syncs.values():
        merged = sum(task in state.merged for task in sync.after)
        told = {
            "open": f"{many(sync.passed, 'test')} passed",
            "closed": sync.detail or "not green",
        }.get(sync.status, f"{merged} of {many(len(sync.after), 'task')} merged")
        sheet.add(
            "  ",
            (f"{sync.status:8}", style.get(sync.status, "")),
            sheet.fit(sync.id, min(wide, sheet.width // 3)),
            f"  {told}",
            (f"  {sync.title}", "dim"),
        )


def _messages(sheet: Sheet, state: RunState, rows: int) -> None:
    notes = [f"{task} notes: {text}" for task, text in state.notes[-2:]]
    messages = [*state.messages[-rows:], *notes]
    if not messages:
        return
    sheet.heading("Messages")
    for message in messages:
        sheet.add("  ", message)


def _widths(sheet: Sheet, state: RunState) -> tuple[int, int, int]:
    """Cells for id, title and role of a task, the same in every list of the board."""
    tasks = state.tasks.values()
    widest = [
        max((cell_len(text) for text in texts), default=0)
        for texts in ([t.id for t in tasks], [t.title for t in tasks], [t.role for t in tasks])
    ]
    share = (max(6, sheet.width // 8), sheet.width // 4, sheet.width // 6)
    a, b, c = (min(need, most) for need, most in zip(widest, share, strict=True))
    return a, b, c


def _name(sheet: Sheet, task: TaskState, wide: tuple[int, int, int], style: str) -> list[Part]:
    return [
        "  ",
        (sheet.fit(task.id, wide[0]), style),
        " ",
        sheet.fit(task.title, wide[1]),
        "  ",
    ]

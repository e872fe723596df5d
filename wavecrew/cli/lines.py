"""A run told in lines: one for each event that a person wants to read, for logs and pipes.

The start and completion messages are the plan's own protocol. Standard
library only; the board for terminals is `board.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from wavecrew.journal import events as e
from wavecrew.journal.account import RUN
from wavecrew.journal.state import RunState
from wavecrew.journal.tasks import Collision
from wavecrew.journal.views import collision_text

Titles = Mapping[str, str]


def plain_line(event: e.Event, titles: Titles | None = None) -> str | None:
    """One line for people, with the time of day in UTC; None for what only a board shows.

    `titles` maps task ids to titles; a task that is not in it is named by its id alone.
    """
    told = _LINES[type(event.fact)](event.fact, titles or {})
    return None if told is None else f"{event.at[11:19]} {clean(told)}"


def clean(text: str) -> str:
    """One printable line: agents write some of what is shown, and must not steer a terminal."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())


def clock(seconds: float) -> str:
    """`2:05`, or `1:02:05` from an hour on."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"


def elapsed(since: str, until: str | datetime) -> str:
    """The clock between two instants; empty when the first one is."""
    if not since:
        return ""
    end = datetime.fromisoformat(until) if isinstance(until, str) else until
    return clock((end - datetime.fromisoformat(since)).total_seconds())


def count(number: int) -> str:
    """`950`, `12.4k`, `3.1M`."""
    for unit, name in ((1_000_000, "M"), (1_000, "k")):
        if number >= unit:
            return f"{int(number * 10 / unit) / 10:g}{name}"
    return str(number)


def money(usd: float) -> str:
    """`0 USD`, `0.0042 USD`, `1.25 USD`, `130 USD`: four digits below ten cents, else cents."""
    if not usd:
        return "0 USD"
    return f"{usd:.4f} USD" if usd < 0.1 else f"{usd:.2f} USD" if usd < 100 else f"{usd:.0f} USD"


def cost(state: RunState) -> str:
    """What the run has cost so far."""
    if state.rehearsal:
        return "0 USD (rehearsal)"
    return money(state.account.of(RUN).cost_usd)


def paid(state: RunState, task: str) -> str:
    """`, 1.25 USD` for all attempts at a task, to follow its tokens; empty where nothing was."""
    usd = state.account.of(f"task/{task}").cost_usd
    return f", {money(usd)}" if usd else ""


def provider(state: RunState, now: str | datetime) -> str:
    """`provider busy: 3 of 10 calls at once, next try in 12 s: ...`; empty when all is well."""
    one = state.provider
    if not one.is_busy:
        return ""
    how = "down, probed by one call at a time" if one.is_down else "busy"
    slots = "" if one.is_down else f": {one.limit} of {one.agents} calls at once"
    end = datetime.fromisoformat(now) if isinstance(now, str) else now
    wait_s = (datetime.fromisoformat(one.next_at) - end).total_seconds() if one.next_at else 0
    soon = f", next try in {wait_s:.0f} s" if wait_s >= 1 else ""
    return f"provider {how}{slots}{soon} ({one.why})"


def many(number: int, noun: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _named(task: str, titles: Titles) -> str:
    return f"{task} - {titles[task]}" if task in titles else task


def _message(head: str, *parts: tuple[str, str]) -> str:
    return f"{head} Message: " + " | ".join(f"{name}: {value}" for name, value in parts)


def _run_started(fact: e.RunStarted, titles: Titles) -> str:
    model = f"{fact.model} (a rehearsal: the model is a script)" if fact.rehearsal else fact.model
    size = f"{many(len(fact.tasks), 'task')}, {many(len(fact.sync_points), 'sync point')}"
    return f"Run started: {fact.plan}, {size}; model {model}; sandbox {fact.sandbox}"


def _run_paused(fact: e.RunPaused, titles: Titles) -> str:
    return f"Run paused: {fact.reason}"


def _run_resumed(fact: e.RunResumed, titles: Titles) -> str:
    return "Run resumed"


def _rolled_back(fact: e.RolledBack, titles: Titles) -> str:
    return f"Rolled back: {fact.what}"


def _run_finished(fact: e.RunFinished, titles: Titles) -> str:
    merged = f"{fact.merged} of {many(fact.tasks, 'task')} merged"
    return f"Run finished: {fact.outcome}, {merged}, tip {fact.tip[:10]}"


def _task_started(fact: e.TaskStarted, titles: Titles) -> str:
    hours = "unknown" if fact.estimate_h is None else f"{fact.estimate_h:g} h"
    parts = [
        ("Agent ID", fact.role),
        ("Starting Task", _named(fact.task, titles)),
        ("Dependencies Verified", ", ".join(fact.dependencies_verified) or "none"),
        ("Estimated Completion", hours),
    ]
    if fact.attempt > 1:
        parts.append((f"Attempt {fact.attempt}", fact.reason or "tried again"))
    return _message("Task Start", *parts)


def _task_completed(fact: e.TaskCompleted, titles: Titles) -> str:
    return _message(
        "Task Completion",
        ("Agent ID", fact.role),
        ("Completed Task", _named(fact.task, titles)),
        ("Test Results", fact.tests),
        ("Unblocks Tasks", ", ".join(fact.unblocks) or "none"),
        ("Next Task", fact.next_task),
    )


def _agent_step(fact: e.AgentStep, titles: Titles) -> None:
    return None


def _crew_step(fact: e.CrewStep, titles: Titles) -> None:
    return None


def _provider_changed(fact: e.ProviderChanged, titles: Titles) -> str:
    how = "is down; one call at a time probes it" if fact.is_down else ""
    slots = f"{fact.limit} of {fact.agents} calls at once"
    counts = f"{fact.tries} requests so far, {fact.refused} were answered 429, {fact.failed} failed"
    why = f": {fact.why}" if fact.why else ""
    return f"Provider {how or slots}{why} ({counts})"


def _task_held(fact: e.TaskHeld, titles: Titles) -> str:
    return f"{_named(fact.task, titles)} is held: {fact.reason}; its work is kept"


def _task_freed(fact: e.TaskFreed, titles: Titles) -> str:
    return f"{_named(fact.task, titles)} goes on"


def _gate_finished(fact: e.GateFinished, titles: Titles) -> str:
    tests = f"{fact.passed} passed" + (f", {fact.failed} failed" if fact.failed else "")
    found = "; ".join([*([", ".join(fact.rules)] if fact.rules else []), tests])
    return f"Gate of {fact.task}, attempt {fact.attempt}: {fact.verdict} ({found})"


def _attempt_ended(fact: e.AttemptEnded, titles: Titles) -> str | None:
    if fact.outcome == "passed":
        return None
    detail = f": {fact.detail}" if fact.detail else ""
    place = f"; its work stands at {fact.branch}" if fact.branch else ""
    return f"Attempt {fact.attempt} of {fact.task} ended, {fact.outcome}{detail}{place}"


def _landing_queued(fact: e.LandingQueued, titles: Titles) -> str | None:
    return f"{fact.task} is back in the merge queue" if fact.lap else None


def _tree_tested(fact: e.TreeTested, titles: Titles) -> str | None:
    """A branch alone is told by how its landing ended."""
    if len(fact.tasks) < 2:
        return None
    then = "" if fact.verdict == "pass" else "; it is halved to find the culprit"
    names = f"{', '.join(fact.tasks[:-1])} and {fact.tasks[-1]}"
    return f"{names} tested as one tree {fact.tree[:10]}: {fact.verdict}{then}"


def _conflict_forecast(fact: e.ConflictForecast, titles: Titles) -> str:
    if not fact.collisions:
        return "No branch is foreseen to collide any more"
    told = [collision_text(Collision(**one)) for one in fact.collisions]
    return f"Foreseen: {'; '.join(told)}"


def _merge_finished(fact: e.MergeFinished, titles: Titles) -> str:
    if fact.outcome != "merged":
        return f"{fact.task} did not land, {fact.outcome}: {fact.detail}"
    drivers = f", reconciled by {', '.join(fact.drivers)}" if fact.drivers else ""
    others = [task for task in fact.batch if task != fact.task]
    along = f", tested together with {', '.join(others)}" if others else ""
    return f"{fact.task} landed as {fact.commit[:10]}{drivers}{along}"


def _task_blocked(fact: e.TaskBlocked, titles: Titles) -> str:
    place = f"; its work stands at {fact.branch}" if fact.branch else ""
    return f"{_named(fact.task, titles)} is blocked: {fact.reason}{place}"


def _sent_back(fact: e.SentBack, titles: Titles) -> str:
    return f"{fact.by} sends {_named(fact.task, titles)} back: {fact.reason}"


def _sync_opened(fact: e.SyncOpened, titles: Titles) -> str:
    return f"Sync point {fact.sync} is open: {fact.passed} tests passed at tree {fact.tree[:10]}"


def _sync_closed(fact: e.SyncClosed, titles: Titles) -> str:
    return f"Sync point {fact.sync} stays closed, {fact.verdict}: {fact.detail}"


def _sync_approved(fact: e.SyncApproved, titles: Titles) -> str:
    return f"Sync point {fact.sync} is approved by a person"


def _note_posted(fact: e.NotePosted, titles: Titles) -> str:
    return f"Note of {fact.task}: {fact.text}"


_LINES: dict[type[e.Fact], Callable[[Any, Titles], str | None]] = {
    e.RunStarted: _run_started,
    e.RunPaused: _run_paused,
    e.RunResumed: _run_resumed,
    e.RunFinished: _run_finished,
    e.RolledBack: _rolled_back,
    e.TaskStarted: _task_started,
    e.AgentStep: _agent_step,
    e.CrewStep: _crew_step,
    e.ProviderChanged: _provider_changed,
    e.TaskHeld: _task_held,
    e.TaskFreed: _task_freed,
    e.GateFinished: _gate_finished,
    e.AttemptEnded: _attempt_ended,
    e.LandingQueued: _landing_queued,
    e.TreeTested: _tree_tested,
    e.ConflictForecast: _conflict_forecast,
    e.MergeFinished: _merge_finished,
    e.TaskCompleted: _task_completed,
    e.TaskBlocked: _task_blocked,
    e.SentBack: _sent_back,
    e.SyncOpened: _sync_opened,
    e.SyncClosed: _sync_closed,
    e.SyncApproved: _sync_approved,
    e.NotePosted: _note_posted,
}

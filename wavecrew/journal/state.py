"""The state of a run as a fold over its events: what board, status and reports show.

There is no second truth: whoever wants to know something about a run folds
its log. Standard library only, so that `wavecrew status` starts at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from wavecrew.journal import events as e
from wavecrew.journal.account import CREW, RUN, Account, nodes_of
from wavecrew.journal.provider import ProviderState
from wavecrew.journal.tasks import AttemptState, Collision, TaskState


@dataclass(slots=True)
class SyncState:
    id: str
    title: str
    after: list[str] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    status: str = "waiting"
    """waiting, open, closed."""
    round: int = 0
    passed: int = 0
    detail: str = ""
    report: str = ""
    is_approved: bool = False


@dataclass(slots=True)
class RunState:
    run: str = ""
    plan: str = ""
    model: str = ""
    rehearsal: bool = False
    sandbox: str = ""
    base: str = ""
    integration: str = ""
    tip: str = ""
    tasks: dict[str, TaskState] = field(default_factory=dict)
    syncs: dict[str, SyncState] = field(default_factory=dict)
    roles: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    """(task, text) on the scratchpad, oldest first."""
    outcome: str = ""
    """Empty while it runs; `paused`, or RunFinished's outcome."""
    exit_code: int | None = None
    tokens: int = 0
    model_calls: int = 0
    account: Account = field(default_factory=Account)
    provider: ProviderState = field(default_factory=ProviderState)
    pauses: int = 0
    rollbacks: int = 0
    started_at: str = ""
    ended_at: str = ""
    messages: list[str] = field(default_factory=list)
    """Start and completion messages, one line each, oldest first."""
    collisions: list[Collision] = field(default_factory=list)
    """What the newest forecast says of branches that have not landed."""
    tested: dict[str, e.TreeTested] = field(default_factory=dict)
    """Tree -> its newest test on the way into the integration branch."""
    seq: int = 0

    @property
    def merged(self) -> frozenset[str]:
        return self._with("merged")

    @property
    def blocked(self) -> frozenset[str]:
        return self._with("blocked")

    @property
    def open_syncs(self) -> frozenset[str]:
        return frozenset(s.id for s in self.syncs.values() if s.status == "open")

    @property
    def queue(self) -> list[TaskState]:
        """The tasks whose branches wait to land, in the order in which they came."""
        waiting = [task for task in self.tasks.values() if task.queued]
        return sorted(waiting, key=lambda task: task.queued)

    def attempt(self, task: str, number: int) -> AttemptState | None:
        """What came of an attempt; None before it started."""
        return self.tasks[task].attempts.get(number) if task in self.tasks else None

    def collisions_of(self, task: str) -> list[Collision]:
        return [collision for collision in self.collisions if collision.has(task)]

    def _with(self, status: str) -> frozenset[str]:
        return frozenset(t.id for t in self.tasks.values() if t.status == status)


def fold(log: Iterable[e.Event]) -> RunState:
    """The state after all of `log`, which must be in order."""
    state = RunState()
    for event in log:
        apply(state, event)
    return state


def apply(state: RunState, event: e.Event) -> None:
    """Take one event into `state`, in place."""
    state.run, state.seq = event.run, event.seq
    state.account.tick(event.at)
    _FOLDS[type(event.fact)](state, event.fact, event.at)


def _run_started(state: RunState, fact: e.RunStarted, at: str) -> None:
    state.plan, state.model, state.rehearsal = fact.plan, fact.model, fact.rehearsal
    state.sandbox, state.base, state.integration = fact.sandbox, fact.base, fact.integration
    state.tip, state.roles, state.started_at = fact.base, list(fact.roles), at
    state.tasks = {entry["id"]: TaskState(**entry) for entry in fact.tasks}
    state.syncs = {entry["id"]: SyncState(**entry) for entry in fact.sync_points}


def _run_paused(state: RunState, fact: e.RunPaused, at: str) -> None:
    state.outcome, state.pauses, state.ended_at = "paused", fact.pause, at
    state.account.pause()
    for task in state.tasks.values():
        if task.status == "running":
            task.last = "parked"


def _run_resumed(state: RunState, fact: e.RunResumed, at: str) -> None:
    state.outcome, state.exit_code, state.ended_at = "", None, ""
    for task in state.tasks.values():
        if task.status == "running":
            task.last = "resumed"


def _rolled_back(state: RunState, fact: e.RolledBack, at: str) -> None:
    state.rollbacks = fact.number
    state.messages.append(f"rolled back: {fact.what}")


def _run_finished(state: RunState, fact: e.RunFinished, at: str) -> None:
    state.outcome, state.exit_code = fact.outcome, fact.exit_code
    state.tip, state.ended_at = fact.tip, at


def _task_started(state: RunState, fact: e.TaskStarted, at: str) -> None:
    task = state.tasks[fact.task]
    task.start(fact, at)
    state.collisions = [one for one in state.collisions if not one.has(fact.task)]
    state.account.begin(fact.task, task.wave)
    hours = "unknown" if fact.estimate_h is None else f"{fact.estimate_h:g} h"
    verified = ", ".join(fact.dependencies_verified) or "none"
    again = f" (attempt {fact.attempt}: {fact.reason})" if fact.attempt > 1 else ""
    state.messages.append(
        f"{fact.role} starts {fact.task} - {task.title}{again}; dependencies verified: "
        f"{verified}; estimated completion: {hours}"
    )


def _agent_step(state: RunState, fact: e.AgentStep, at: str) -> None:
    task = state.tasks.get(fact.task)
    state.tokens += fact.tokens
    state.model_calls += fact.what == "model"
    if task is not None:
        task.step(fact)
        if fact.what == "model":
            nodes = nodes_of(fact.task, task.wave)
            state.account.pay(nodes, fact.tokens, fact.cost_usd, fact.tries)


def _crew_step(state: RunState, fact: e.CrewStep, at: str) -> None:
    state.tokens += fact.tokens
    state.model_calls += fact.what == "model"
    if fact.what == "model":
        state.account.pay((RUN, CREW), fact.tokens, fact.cost_usd, fact.tries)


def _provider_changed(state: RunState, fact: e.ProviderChanged, at: str) -> None:
    if fact.change >= state.provider.changes and not state.provider.is_busy:
        state.messages.append(f"the provider is busy ({fact.why}): fewer calls at once")
    state.provider.take(fact)


def _task_held(state: RunState, fact: e.TaskHeld, at: str) -> None:
    state.tasks[fact.task].hold(fact)
    state.account.end(fact.task)
    state.messages.append(f"{fact.task} is held: {fact.reason}")


def _task_freed(state: RunState, fact: e.TaskFreed, at: str) -> None:
    task = state.tasks[fact.task]
    task.free()
    state.account.begin(fact.task, task.wave)


def _gate_finished(state: RunState, fact: e.GateFinished, at: str) -> None:
    state.tasks[fact.task].judge(fact)


def _attempt_ended(state: RunState, fact: e.AttemptEnded, at: str) -> None:
    state.tasks[fact.task].end(fact)
    state.account.end(fact.task)


def _landing_queued(state: RunState, fact: e.LandingQueued, at: str) -> None:
    state.tasks[fact.task].queue(fact, state.seq)


def _tree_tested(state: RunState, fact: e.TreeTested, at: str) -> None:
    state.tested[fact.tree] = fact
    for task in fact.tasks:
        state.tasks[task].test(fact)


def _conflict_forecast(state: RunState, fact: e.ConflictForecast, at: str) -> None:
    state.collisions = [Collision(**one) for one in fact.collisions]


def _merge_finished(state: RunState, fact: e.MergeFinished, at: str) -> None:
    state.tasks[fact.task].land(fact, at)
    if fact.outcome == "merged":
        state.collisions = [one for one in state.collisions if not _is_past(state, one, fact.task)]
        state.tip = fact.commit


def _is_past(state: RunState, collision: Collision, landed: str) -> bool:
    """True for a pair that has come together; while one is left, it has to heed the other."""
    return collision.has(landed) and collision.partner(landed) in state.merged


def _task_completed(state: RunState, fact: e.TaskCompleted, at: str) -> None:
    unblocks = ", ".join(fact.unblocks) or "none"
    state.messages.append(
        f"{fact.role} completed {fact.task} - {state.tasks[fact.task].title}; tests: {fact.tests}; "
        f"unblocks: {unblocks}; next: {fact.next_task}"
    )


def _task_blocked(state: RunState, fact: e.TaskBlocked, at: str) -> None:
    state.tasks[fact.task].block(fact, at)
    state.messages.append(f"{fact.role} blocked on {fact.task}: {fact.reason}")


def _sent_back(state: RunState, fact: e.SentBack, at: str) -> None:
    state.tasks[fact.task].send_back(fact)
    state.messages.append(f"{fact.by} sent {fact.task} back: {fact.reason}")


def _sync_opened(state: RunState, fact: e.SyncOpened, at: str) -> None:
    sync = state.syncs[fact.sync]
    sync.status, sync.passed, sync.report = "open", fact.passed, fact.report
    sync.detail = ""
    state.messages.append(f"sync point {fact.sync} is open: {fact.passed} tests passed")


def _sync_closed(state: RunState, fact: e.SyncClosed, at: str) -> None:
    sync = state.syncs[fact.sync]
    sync.status, sync.round, sync.report = "closed", fact.round, fact.report
    sync.detail = fact.detail
    state.messages.append(f"sync point {fact.sync} stays closed: {fact.detail}")


def _sync_approved(state: RunState, fact: e.SyncApproved, at: str) -> None:
    state.syncs[fact.sync].is_approved = True


def _note_posted(state: RunState, fact: e.NotePosted, at: str) -> None:
    state.notes.append((fact.task, fact.text))


_FOLDS: dict[type[e.Fact], Callable[[RunState, Any, str], None]] = {
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

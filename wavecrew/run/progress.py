"""Where a run stands between two decisions, and what it decides next. Pure.

The run workflow feeds it the results of tasks and sync points in the order
they came (the durable engine replays that order) and asks what to start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wavecrew.plan.model import SyncPoint, TaskId
from wavecrew.run.spec import RunSpec
from wavecrew.schedule.ready import Schedule

Result = dict[str, Any]
"""What a workflow returns, JSON: `kind` task or sync, `id`, `status`, and what goes with it."""

MOST_ROUNDS = 3
"""How often a sync point is looked at again after rework before a person decides."""


@dataclass(frozen=True, slots=True)
class StartTask:
    task: str
    attempt: int
    rework: Result | None = None
    """A `Rework` record as JSON, when the task was sent back."""
    branch: str = ""
    """Commit to land again as it is, with no new attempt."""
    lap: int = 0
    """How often it was put back in the queue; tells its workflows apart."""


@dataclass(frozen=True, slots=True)
class StartSync:
    sync: str
    round: int


@dataclass
class Progress:
    spec: RunSpec
    schedule: Schedule
    merged: set[str] = field(default_factory=set)
    blocked: dict[str, str] = field(default_factory=dict)
    """Task -> why: failed or conflict."""
    open_syncs: set[str] = field(default_factory=set)
    closed_syncs: set[str] = field(default_factory=set)
    """Closed for good: red, and nobody left to mend it."""
    running: set[str] = field(default_factory=set)
    checking: set[str] = field(default_factory=set)
    """Sync points being looked at."""
    attempts: dict[str, int] = field(default_factory=dict)
    """Task -> the number of its newest attempt."""
    rounds: dict[str, int] = field(default_factory=dict)
    mending: dict[str, list[StartTask]] = field(default_factory=dict)
    """Task at rework -> branches that land once it has."""

    def next(self) -> list[StartTask | StartSync]:
        """What may start now; each is marked as started."""
        steps: list[StartTask | StartSync] = [self._look_at(s) for s in self._due_syncs()]
        ready = self.schedule.ready(
            merged=self.merged - set(self.mending),
            running=self.running,
            blocked=set(self.blocked),
            open_syncs=self.open_syncs,
            agents=self.spec.settings.limits.agents,
            barrier=self.spec.barrier,
            only=set(self.spec.only),
        )
        return steps + [self._start(task) for task in ready]

    def take(self, result: Result) -> list[StartTask]:
        """Take one result in; what it asks to start at once, beyond `next`."""
        if result["kind"] == "sync":
            return self._take_sync(result)
        return self._take_task(result)

    @property
    def is_over(self) -> bool:
        return not self.running and not self.checking

    def outcome(self) -> tuple[str, int]:
        """How the run ended and its exit code."""
        if "conflict" in self.blocked.values() and set(self.blocked.values()) == {"conflict"}:
            return "conflict", 5
        if self.blocked:
            return "task_failed", 3
        if self.closed_syncs:
            return "integration_red", 4
        if self.merged >= set(self.spec.only):
            return "done", 0
        return "task_failed", 3

    def _due_syncs(self) -> list[SyncPoint]:
        return [
            sync
            for sync in self.spec.syncs
            if sync.id not in self.open_syncs | self.closed_syncs | self.checking
            and all(
                t.id in self.merged and t.id not in self.mending
                for t in self.spec.plan.before(sync)
            )
        ]

    def _look_at(self, sync: SyncPoint) -> StartSync:
        self.checking.add(sync.id)
        self.rounds[sync.id] = self.rounds.get(sync.id, 0) + 1
        return StartSync(sync.id, self.rounds[sync.id])

    def _start(self, task: str, rework: Result | None = None) -> StartTask:
        self.running.add(task)
        self.attempts[task] = self.attempts.get(task, 0) + 1
        return StartTask(task, self.attempts[task], rework)

    def _take_task(self, result: Result) -> list[StartTask]:
        task = result["id"]
        self.running.discard(task)
        self.attempts[task] = result["attempt"]
        if result["status"] == "merged":
            self.merged.add(task)
            return self._relaunch(self.mending.pop(task, []))
        if result["status"] == "needs":
            return self._mend_other(task, result)
        self.blocked[task] = result["why"]
        waiting = self.mending.pop(task, [])
        for held in waiting:
            self.blocked[held.task] = result["why"]
        return []

    def _mend_other(self, task: str, result: Result) -> list[StartTask]:
        """`task` cannot land until another, already merged, is mended."""
        culprit = TaskId(result["needs"])
        lap = result["lap"] + 1
        again = StartTask(task, result["attempt"], branch=result["branch"], lap=lap)
        self.mending.setdefault(culprit, []).append(again)
        self.running.add(task)
        if culprit in self.running:
            return []
        return [self._start(culprit, result["rework"])]

    def _relaunch(self, held: list[StartTask]) -> list[StartTask]:
        self.running.update(start.task for start in held)
        return held

    def _take_sync(self, result: Result) -> list[StartTask]:
        sync = result["id"]
        self.checking.discard(sync)
        if result["status"] == "open":
            self.open_syncs.add(sync)
            return []
        sent_back = result.get("send_back", "")
        if not sent_back or self.rounds[sync] >= MOST_ROUNDS:
            self.closed_syncs.add(sync)
            return []
        self.mending.setdefault(sent_back, [])
        if sent_back in self.running:
            return []
        return [self._start(TaskId(sent_back), result["rework"])]

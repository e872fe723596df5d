"""Where a run stands between two decisions, and what it decides next. Pure.

The run workflow feeds it the results of tasks and sync points in the order
they came (the durable engine replays that order) and asks what to start.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Literal

from wavecrew.plan.model import RoleName, SyncPoint, TaskId
from wavecrew.run.spec import RunSpec
from wavecrew.schedule.landing_order import LandingOrder
from wavecrew.schedule.order import ENOUGH, departs
from wavecrew.schedule.ready import Schedule, hours_of

Result = dict[str, Any]
"""What a workflow returns, JSON: `kind` task or sync, `id`, `status`, and what goes with it."""

End = Literal["merged", "blocked", "not_reached"]
"""`not_reached`: something before it was blocked, or a sync point before it stayed closed."""

MOST_ROUNDS = 3
"""How often a sync point is looked at again after rework before a person decides."""

SHARES = 100
"""Whether the order still fits is asked each time a hundredth of what has merged is new: one task
of many hardly tips that balance, and answering looks through all of them."""


@dataclass(frozen=True, slots=True)
class StartTask:
    task: str
    attempt: int
    rework: Result | None = None
    """A `Rework` record as JSON, when the task was sent back."""
    after: tuple[str, ...] = ()
    """Tasks it collides with: while one of them is at work, it would only collide again."""
    lap: int = 0
    """How often this attempt was held; tells its workflows apart."""


@dataclass(frozen=True, slots=True)
class StartLanding:
    task: str
    attempt: int
    branch: str
    """The commit to land."""
    lap: int = 0
    """How often this branch was put back in the queue; tells its workflows apart."""


@dataclass(frozen=True, slots=True)
class StartSync:
    sync: str
    round: int


Step = StartTask | StartLanding | StartSync


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
    """At work: an agent has them, or the merge queue."""
    landing: list[StartLanding] = field(default_factory=list)
    """Passed branches that wait for their turn to land, and hold no agent's place meanwhile."""
    checking: set[str] = field(default_factory=set)
    """Sync points being looked at."""
    again: list[StartTask] = field(default_factory=list)
    """Sent back; they go before anything new."""
    held: dict[str, list[StartLanding]] = field(default_factory=dict)
    """Merged task that is being mended -> branches that land once it has."""
    short: dict[str, StartTask] = field(default_factory=dict)
    """Task whose wave has used up its budget -> how it goes on once that is raised."""
    attempts: dict[str, int] = field(default_factory=dict)
    """Task -> the number of its newest attempt."""
    blocked_along: list[tuple[str, str]] = field(default_factory=list)
    """(task, culprit) of branches blocked because their culprit could not be mended."""
    spent: dict[TaskId, float] = field(default_factory=dict)
    """Task -> seconds of its attempts so far, as their workflows recorded them."""
    planned_at: int = 0
    """How many tasks were merged when the order was last thought over."""
    rounds: dict[str, int] = field(default_factory=dict)
    """Sync point -> how often it was looked at."""
    agents: int = 0
    """How many may work at once; the spec's own limit until another is set."""
    only: frozenset[TaskId] = field(init=False)
    """The tasks of this run."""
    _estimates: dict[TaskId, float] = field(init=False)

    landing_order: LandingOrder | None = field(init=False, default=None)
    """Where the plan decides who lands next; None: they land as they come."""

    def __post_init__(self) -> None:
        if self.spec.settings.merge.order == "plan":
            self.landing_order = LandingOrder(self.spec.plan, self.spec.barrier)
        self.agents = self.agents or self.spec.settings.limits.agents
        self.only = frozenset(self.spec.only)
        self._estimates = {task.id: hours_of(task) for task in self.spec.tasks}

    def next(self) -> list[Step]:
        """What may start now; each is marked as started."""
        steps: list[Step] = [self._look_at(s) for s in self._due_syncs()]
        steps += self._land()
        steps += self._start_again()
        waiting = {start.task for start in self.again} | {start.task for start in self.landing}
        waiting |= {start.task for starts in self.held.values() for start in starts}
        waiting |= set(self.short)
        ready = self.schedule.ready(
            merged=self._standing,
            running=self.running,
            blocked={*self.blocked, *waiting, *self.held},
            open_syncs=self.open_syncs,
            agents=self.agents,
            only=self.only,
        )
        return steps + [self._started(StartTask(task, 1)) for task in ready]

    def take(self, result: Result) -> None:
        """Take in what a task's or a sync point's workflow returned."""
        if result["kind"] == "sync":
            self._take_sync(result)
        else:
            self._take_task(result)

    def free(self, tasks: Sequence[str]) -> None:
        """Budgets were raised: these go on, before anything new."""
        self.again += [self.short.pop(task) for task in tasks]

    @property
    def left(self) -> frozenset[TaskId]:
        """The tasks whose order still matters."""
        return self.only.difference(self.merged, self.blocked)

    @property
    def is_off_course(self) -> bool:
        """True when the order is to be thought over: what ended took other shares than estimated.

        Asked again only after as many more have ended as a conclusion needs.
        """
        ended = len(self.merged)
        if ended < self.planned_at + ENOUGH or ended % max(1, ended // SHARES):
            return False
        return len(self.left) > 1 and departs(self._estimates, self.measured)

    @property
    def measured(self) -> dict[TaskId, float]:
        """Merged task -> seconds it took."""
        return {task: took for task, took in self.spent.items() if task in self.merged}

    def follow(self, order: Sequence[str]) -> None:
        """Start what is ready in this order from now on; empty: as before."""
        self.planned_at = len(self.merged)
        if order:
            positions = {TaskId(task): at for at, task in enumerate(order)}
            self.schedule = self.schedule.reordered(positions)

    @property
    def is_over(self) -> bool:
        return not self.running and not self.checking

    @property
    def ends(self) -> dict[TaskId, End]:
        """How each task of the run ended, once it is over."""
        return {task: self._end(task) for task in self.spec.only}

    def _end(self, task: TaskId) -> End:
        if task in self.blocked:
            return "blocked"
        return "merged" if task in self.merged else "not_reached"

    def outcome(self) -> tuple[str, int]:
        """How the run ended and its exit code."""
        if self.blocked:
            only_conflicts = set(self.blocked.values()) == {"conflict"}
            return ("conflict", 5) if only_conflicts else ("task_failed", 3)
        if self.closed_syncs:
            return "integration_red", 4
        if self.merged >= set(self.spec.only):
            return "done", 0
        return "task_failed", 3

    def _due_syncs(self) -> list[SyncPoint]:
        seen = self.open_syncs | self.closed_syncs | self.checking
        due = set(self.schedule.due_syncs(self._standing, seen))
        return [sync for sync in self.spec.syncs if sync.id in due] if due else []

    @property
    def _standing(self) -> Set[str]:
        """What has merged and is not being mended."""
        return self.merged.difference(self.held) if self.held else self.merged

    def _look_at(self, sync: SyncPoint) -> StartSync:
        self.checking.add(sync.id)
        self.rounds[sync.id] = self.rounds.get(sync.id, 0) + 1
        return StartSync(sync.id, self.rounds[sync.id])

    def _land(self) -> list[StartLanding]:
        """The branches whose turn it is, as they came. What lands holds its agent's place."""
        front = self._front() if self.landing else None
        may = [start for start in self.landing if front in (None, start.task)]
        self.landing = [start for start in self.landing if start not in may]
        self.running |= {start.task for start in may}
        return may

    def _front(self) -> TaskId | None:
        """In the plan's order, the one task that may land next; None: all that wait may.

        One that is held until another is mended is not waited for: the other
        may stand behind it; nor is one that waits for its wave's budget. So of
        all that can land, the first always may.
        """
        if self.landing_order is None:
            return None
        held = {start.task for starts in self.held.values() for start in starts}
        elsewhere = {one.id for one in self.spec.plan.tasks} - set(self.spec.only)
        able = self.landing_order.can_land(
            merged=self.merged - set(self.held),
            gone=set(self.blocked) | set(self.short) | held | elsewhere,
            open_syncs=self.open_syncs,
            closed_syncs=self.closed_syncs,
        )
        able |= {TaskId(start.task) for start in self.landing}
        return min(able, key=self.landing_order.position.__getitem__)

    def _start_again(self) -> list[StartTask]:
        """What was put back and has room now, oldest first."""
        started = []
        for start in tuple(self.again):
            if self._has_room(start.task) and self.running.isdisjoint(start.after):
                self.again.remove(start)
                started.append(self._started(start))
        return started

    def _has_room(self, task: str) -> bool:
        agent = self._agent(task)
        at_work = sum(self._agent(other) == agent for other in self.running)
        spec = self.spec
        return (
            len(self.running) < self.agents
            and at_work < spec.role(agent).parallel
            and not self.running & self.schedule.apart(task)
        )

    def _agent(self, task: str) -> RoleName:
        return self.spec.plan.tasks_by_id[TaskId(task)].agent

    def _started(self, start: StartTask) -> StartTask:
        self.running.add(start.task)
        self.attempts[start.task] = start.attempt
        return start

    def _take_task(self, result: Result) -> None:
        task = result["id"]
        self.running.discard(task)
        self.attempts[task] = result["attempt"]
        self.spent[task] = self.spent.get(task, 0.0) + result.get("spent_s", 0.0)
        if result["status"] == "passed":
            self.landing.append(StartLanding(task, result["attempt"], result["branch"]))
        elif result["status"] == "merged":
            self.merged.add(task)
            self.landing += self.held.pop(task, [])
        elif result["status"] == "rework":
            after = tuple(result.get("collides", ()))
            self.again.append(StartTask(task, result["attempt"] + 1, result["rework"], after))
        elif result["status"] == "needs":
            self._needs(task, result)
        elif result["status"] == "held":
            lap = result["lap"] + 1
            self.short[task] = StartTask(task, result["attempt"], result["rework"], lap=lap)
        else:
            self._block(task, result["why"])

    def _needs(self, task: str, result: Result) -> None:
        """Its branch lands once the culprit is mended; where that cannot be, it mends itself."""
        culprit = result["needs"]
        if culprit == task or not self._can_mend(culprit) or self._waits_for(culprit, task):
            self.again.append(StartTask(task, result["attempt"] + 1, result["rework"]))
            return
        branch, lap = result["branch"], result["lap"] + 1
        self._mend(culprit, result["rework"])
        self.held[culprit].append(StartLanding(task, result["attempt"], branch, lap))

    def _block(self, task: str, why: str) -> None:
        """A person decides about `task`, and about every branch that waits for its mending."""
        self.blocked[task] = why
        self.merged.discard(task)
        for start in self.held.pop(task, []):
            self.blocked_along.append((start.task, task))
            self._block(start.task, why)

    def _can_mend(self, culprit: str) -> bool:
        """Only what has landed can be sent back."""
        return culprit in self.merged

    def _waits_for(self, one: str, other: str) -> bool:
        """True when `one` lands only after `other` has, however many stand between."""
        waits = {start.task: culprit for culprit, starts in self.held.items() for start in starts}
        while one in waits:
            one = waits[one]
            if one == other:
                return True
        return False

    def _mend(self, culprit: str, rework: Result) -> None:
        """Send a merged task back, unless it is being mended already."""
        if culprit not in self.held:
            self.held[culprit] = []
            self.again.append(StartTask(culprit, self.attempts[culprit] + 1, rework))

    def _take_sync(self, result: Result) -> None:
        sync = result["id"]
        self.checking.discard(sync)
        if result["status"] == "open":
            self.open_syncs.add(sync)
        elif self._can_mend(result["send_back"]) and self.rounds[sync] < MOST_ROUNDS:
            self._mend(result["send_back"], result["rework"])
        else:
            self.closed_syncs.add(sync)

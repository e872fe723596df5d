"""A run as a state machine: whatever comes back, nothing is forgotten and nothing is decided twice.

The machine plays every answer that agents, gates, the merge queue and the
manager crew can give, the wrong ones too, against `Progress`.
"""

from __future__ import annotations

import itertools
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wavecrew.plan.model import Plan, Role, SyncPoint, Task, Wave
from wavecrew.plan.settings import Limits, MergeSettings, Settings
from wavecrew.run.progress import Progress, Result, StartLanding, StartSync, StartTask, Step
from wavecrew.run.spec import RunSpec
from wavecrew.schedule.ready import Schedule

ATTEMPTS = 3
"""How often a role may try; the task workflow counts them, here the machine does."""


def a_role(name: str, parallel: int) -> Role:
    return Role(
        name=name,
        role=name,
        goal="g",
        backstory="b",
        archetype="flow",
        tools=("submit",),
        parallel=parallel,
        attempts=ATTEMPTS,
    )


@st.composite
def runs(draw: st.DrawFn) -> RunSpec:
    """Up to eight tasks in up to three waves, with dependencies, conflicts and sync points."""
    count = draw(st.integers(1, 8))
    tasks = []
    for number in range(count):
        earlier = [str(n) for n in range(number)]
        some = (
            st.lists(st.sampled_from(earlier), unique=True, max_size=2) if earlier else st.just([])
        )
        wave = str(1 + number * 3 // count)
        tasks.append(
            Task(
                id=str(number),
                title="t",
                agent=draw(st.sampled_from("ab")),
                wave=wave,
                description="d",
                expected_output="o",
                depends_on=tuple(draw(some)),
                conflicts_with=tuple(draw(some)),
            )
        )
    waves = list(dict.fromkeys(task.wave for task in tasks))
    syncs = [
        SyncPoint(id=f"s{wave}", title="s", after_waves=(wave,), holds_waves=(coming,))
        for wave, coming in itertools.pairwise(waves)
        if draw(st.booleans())
    ]
    if draw(st.booleans()):
        syncs.append(SyncPoint(id="end", title="s", after_waves=tuple(waves), holds_waves=()))
    return RunSpec(
        run="r1",
        plan=Plan(
            title="p",
            waves=tuple(Wave(id=wave) for wave in waves),
            tasks=tuple(tasks),
            sync_points=tuple(syncs),
        ),
        roles=(a_role("a", draw(st.integers(1, 3))), a_role("b", 1)),
        settings=Settings(
            limits=Limits(agents=draw(st.integers(1, 5))),
            merge=MergeSettings(order=draw(st.sampled_from(["ready", "plan"]))),
        ),
        base="0" * 40,
        only=tuple(task.id for task in tasks),
        barrier=draw(st.sampled_from(["sync", "wave"])),
    )


class RunMachine(RuleBasedStateMachine):
    """Plays the workflows of a run: starts what it is told to, answers in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.out: list[Step] = []
        self.names: set[str] = set()
        self.landed: list[str] = []

    @initialize(spec=runs())
    def begin(self, spec: RunSpec) -> None:
        self.spec = spec
        roles = {role.name: role for role in spec.roles}
        schedule = Schedule(spec.plan, roles, barrier=spec.barrier)
        self.progress = Progress(spec, schedule)
        self.start()

    def start(self) -> None:
        for step in self.progress.next():
            self.out.append(step)
            name = name_of(step)
            assert name not in self.names, "two workflows of one name: the second would not run"
            self.names.add(name)
            if isinstance(step, StartTask):
                needs = set(self.spec.plan.tasks_by_id[step.task].depends_on)
                assert needs <= set(self.landed)

    def answer(self, at: int, result: Result) -> None:
        self.out.pop(at)
        self.progress.take(result)
        self.start()

    def told(self, step: StartTask | StartLanding, **more: Any) -> Result:
        return {"kind": "task", "id": step.task, "attempt": step.attempt} | more

    @precondition(lambda self: self.has(StartTask))
    @rule(data=st.data(), tries=st.integers(0, 2))
    def a_branch_passes(self, data: st.DataObject, tries: int) -> None:
        """The workflow counts the attempts it used; there may be none left to give."""
        at, step = self.pick(data, StartTask)
        attempt = step.attempt + tries
        if attempt > ATTEMPTS:
            self.answer(at, self.told(step, status="blocked", why="failed", spent_s=1.0))
        else:
            passed = {"attempt": attempt, "status": "passed", "branch": "c", "spent_s": 1.0}
            self.answer(at, self.told(step) | passed)

    @precondition(lambda self: self.has(StartTask))
    @rule(data=st.data(), why=st.sampled_from(["failed", "conflict"]))
    def a_task_is_blocked(self, data: st.DataObject, why: str) -> None:
        at, step = self.pick(data, StartTask)
        self.answer(at, self.told(step, status="blocked", why=why, spent_s=1.0))

    @precondition(lambda self: self.has(StartTask))
    @rule(data=st.data())
    def a_task_waits_for_its_waves_budget(self, data: st.DataObject) -> None:
        at, step = self.pick(data, StartTask)
        self.answer(at, self.told(step, lap=step.lap, status="held", rework=step.rework))

    @precondition(lambda self: self.waits_for_budget())
    @rule(data=st.data())
    def budgets_have_room_again(self, data: st.DataObject) -> None:
        waiting = sorted(self.progress.short)
        free = data.draw(st.lists(st.sampled_from(waiting), unique=True, min_size=1))
        self.progress.free(free)
        self.start()

    @precondition(lambda self: self.has(StartLanding))
    @rule(data=st.data())
    def a_branch_lands(self, data: st.DataObject) -> None:
        at, step = self.pick(data, StartLanding)
        self.landed.append(step.task)
        self.answer(at, self.told(step, lap=step.lap, status="merged"))

    @precondition(lambda self: self.has(StartLanding))
    @rule(data=st.data())
    def a_landing_becomes_rework(self, data: st.DataObject) -> None:
        at, step = self.pick(data, StartLanding)
        collides = data.draw(st.lists(st.sampled_from(self.spec.only), unique=True, max_size=3))
        back = {"status": "rework", "rework": {"reason": "red"}, "collides": collides}
        self.answer(at, self.told(step, lap=step.lap) | back)

    @precondition(lambda self: self.has(StartLanding))
    @rule(data=st.data())
    def a_landing_needs_another_task_mended(self, data: st.DataObject) -> None:
        """The manager crew names a culprit: any task of the run, sensible or not."""
        at, step = self.pick(data, StartLanding)
        others = [task for task in self.spec.only if task != step.task]
        if not others:
            return
        culprit = data.draw(st.sampled_from(others))
        named = {"needs": culprit, "branch": "c", "rework": {"reason": "red"}}
        self.answer(at, self.told(step, lap=step.lap, status="needs") | named)

    @precondition(lambda self: self.has(StartSync))
    @rule(data=st.data(), is_open=st.booleans())
    def a_sync_point_is_looked_at(self, data: st.DataObject, is_open: bool) -> None:
        at, step = self.pick(data, StartSync)
        back = "" if is_open else data.draw(st.sampled_from(["", *self.spec.only]))
        status = "open" if is_open else "closed"
        result = {"kind": "sync", "id": step.sync, "status": status, "send_back": back}
        self.answer(at, result | {"rework": {"reason": "red"}})

    @precondition(lambda self: not self.out)
    @rule()
    def asked_again_nothing_starts(self) -> None:
        """Nothing is under way: the run is over, or pauses until a budget is raised."""
        assert self.progress.next() == []

    def waits_for_budget(self) -> bool:
        return hasattr(self, "progress") and bool(self.progress.short)

    def has(self, kind: type[Any]) -> bool:
        return any(isinstance(step, kind) for step in self.out)

    def pick(self, data: st.DataObject, kind: type[Any]) -> tuple[int, Any]:
        places = [at for at, step in enumerate(self.out) if isinstance(step, kind)]
        at = data.draw(st.sampled_from(places))
        return at, self.out[at]

    @invariant()
    def what_runs_is_what_was_started(self) -> None:
        if not hasattr(self, "progress"):
            return
        tasks = [step.task for step in self.out if not isinstance(step, StartSync)]
        assert sorted(tasks) == sorted(self.progress.running)
        syncs = [step.sync for step in self.out if isinstance(step, StartSync)]
        assert sorted(syncs) == sorted(self.progress.checking)

    @invariant()
    def limits_hold(self) -> None:
        if not hasattr(self, "progress"):
            return
        tasks = self.spec.plan.tasks_by_id
        running = self.progress.running
        if self.spec.settings.merge.order == "plan":  # what waited to land gave its place away
            running = {step.task for step in self.out if isinstance(step, StartTask)}
        assert len(running) <= self.spec.settings.limits.agents
        for role in self.spec.roles:
            assert sum(tasks[one].agent == role.name for one in running) <= role.parallel
        for one in running:
            assert not running & set(tasks[one].conflicts_with)

    @invariant()
    def no_task_waits_in_a_queue_that_nobody_serves(self) -> None:
        if not hasattr(self, "progress") or self.out:
            return
        progress = self.progress
        assert progress.is_over
        assert not progress.again
        assert not progress.landing
        if not progress.short:
            assert not progress.held

    @invariant()
    def at_the_end_every_task_has_exactly_one_outcome(self) -> None:
        if not hasattr(self, "progress") or self.out or self.waits_for_budget():
            return
        progress = self.progress
        ends = progress.ends
        assert set(ends) == set(self.spec.only)
        for task, end in ends.items():
            merged, blocked = task in progress.merged, task in progress.blocked
            assert (end == "merged", end == "blocked") == (merged, blocked)
            assert not (merged and blocked)
            if end == "not_reached":
                assert self.is_held_back(task)
        outcome, code = progress.outcome()
        assert (code == 0) == (set(ends.values()) <= {"merged"} and not progress.closed_syncs)
        assert (outcome == "done") == (code == 0)

    def is_held_back(self, task_id: str) -> bool:
        """By a dependency, a sync point or a wave that did not get done."""
        task, spec, progress = self.spec.plan.tasks_by_id[task_id], self.spec, self.progress
        unmet = not set(task.depends_on) <= progress.merged
        shut = any(
            task in spec.plan.held_by(sync) and sync.id not in progress.open_syncs
            for sync in spec.syncs
        )
        earlier = [one for one in spec.tasks if (one.wave or "") < (task.wave or "")]
        behind = spec.barrier == "wave" and any(one.id not in progress.merged for one in earlier)
        return unmet or shut or behind


def name_of(step: Step) -> str:
    if isinstance(step, StartTask):
        return f"task {step.task} {step.attempt} {step.lap}"
    return (
        f"land {step.task} {step.attempt} {step.lap}"
        if not isinstance(step, StartSync)
        else repr(step)
    )


RunMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestRunStates = RunMachine.TestCase

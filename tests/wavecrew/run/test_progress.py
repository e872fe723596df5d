"""Whatever comes back in whatever order: no rule of the plan is broken and every run ends."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from wavecrew.plan.model import Plan, Role, SyncPoint, Task, TaskId, Wave
from wavecrew.plan.settings import Limits, MergeSettings, Settings
from wavecrew.run.progress import Progress, Result, StartLanding, StartSync, StartTask, Step
from wavecrew.run.spec import RunSpec
from wavecrew.schedule.landing_order import LandingOrder
from wavecrew.schedule.order import departs
from wavecrew.schedule.ready import Schedule


def role(name: str, parallel: int = 1) -> Role:
    return Role(
        name=name,
        role=name,
        goal="g",
        backstory="b",
        archetype="flow",
        tools=("submit",),
        parallel=parallel,
    )


def make_task(task_id: str, agent: str = "a", wave: str = "1", **more: object) -> Task:
    return Task(
        id=task_id,
        title=task_id,
        agent=agent,
        wave=wave,
        description="d",
        expected_output="o",
        **more,
    )


def spec_of(
    tasks: list[Task], syncs: list[SyncPoint], roles: list[Role], agents: int = 10
) -> RunSpec:
    waves = tuple(Wave(id=w) for w in sorted({t.wave for t in tasks if t.wave}))
    return RunSpec(
        run="r1",
        plan=Plan(title="p", waves=waves, tasks=tuple(tasks), sync_points=tuple(syncs)),
        roles=tuple(roles),
        settings=Settings(limits=Limits(agents=agents)),
        base="0" * 40,
        only=tuple(t.id for t in tasks),
    )


def progress_of(spec: RunSpec) -> Progress:
    return Progress(spec, Schedule(spec.plan, {r.name: r for r in spec.roles}))


def two_waves() -> RunSpec:
    tasks = [
        make_task("1", "a"),
        make_task("2", "b"),
        make_task("3", "a", wave="2", depends_on=("1",)),
    ]
    sync = SyncPoint(id="s", title="S", after_waves=("1",), holds_waves=("2",))
    return spec_of(tasks, [sync], [role("a"), role("b")])


def merged(task: str, attempt: int = 1) -> Result:
    return {"kind": "task", "id": task, "status": "merged", "attempt": attempt, "lap": 0}


def test_a_closed_sync_point_lets_nothing_behind_it_start() -> None:
    progress = progress_of(two_waves())
    assert progress.next() == [StartTask("1", 1), StartTask("2", 1)]
    progress.take(merged("1"))
    assert progress.next() == []
    progress.take(merged("2"))
    assert progress.next() == [StartSync("s", 1)]
    progress.take({"kind": "sync", "id": "s", "status": "closed", "send_back": "", "rework": None})
    assert progress.next() == []
    assert progress.is_over
    assert progress.outcome() == ("integration_red", 4)


def test_what_a_sync_point_sends_back_is_mended_before_it_is_looked_at_again() -> None:
    progress = progress_of(two_waves())
    progress.next()
    progress.take(merged("1"))
    progress.take(merged("2"))
    assert progress.next() == [StartSync("s", 1)]
    rework = {"kind": "sync", "reason": "red"}
    red = {"kind": "sync", "id": "s", "status": "closed", "send_back": "2", "rework": rework}
    progress.take(red)
    assert progress.next() == [StartTask("2", 2, rework)]
    assert progress.next() == []
    progress.take(merged("2", attempt=2))
    assert progress.next() == [StartSync("s", 2)]
    progress.take({"kind": "sync", "id": "s", "status": "open"})
    assert progress.next() == [StartTask("3", 1)]
    progress.take(merged("3"))
    assert progress.outcome() == ("done", 0)


def test_a_branch_that_needs_another_task_mended_lands_after_it() -> None:
    progress = progress_of(two_waves())
    progress.next()
    progress.take(merged("1"))
    needs = {
        "kind": "task",
        "id": "2",
        "status": "needs",
        "needs": "1",
        "attempt": 1,
        "lap": 0,
        "branch": "c2",
        "rework": {"kind": "red_integration", "reason": "x"},
    }
    progress.take(needs)
    assert progress.next() == [StartTask("1", 2, needs["rework"])]
    assert progress.next() == []
    progress.take(merged("1", attempt=2))
    assert progress.next() == [StartLanding("2", 1, "c2", lap=1)]
    progress.take(merged("2"))
    assert progress.next() == [StartSync("s", 1)]


def test_when_the_mending_fails_the_waiting_branch_is_blocked_too() -> None:
    progress = progress_of(two_waves())
    progress.next()
    progress.take(merged("1"))
    needs = merged("2") | {"status": "needs", "needs": "1", "branch": "c", "rework": {}}
    progress.take(needs)
    progress.next()
    progress.take(merged("1", 4) | {"status": "blocked", "why": "failed"})
    assert progress.is_over
    assert set(progress.blocked) == {"1", "2"}
    assert progress.blocked_along == [("2", "1")]
    assert progress.ends == {"1": "blocked", "2": "blocked", "3": "not_reached"}
    assert progress.outcome() == ("task_failed", 3)


def passed(task: str, attempt: int = 1) -> Result:
    return {
        "kind": "task",
        "id": task,
        "status": "passed",
        "attempt": attempt,
        "branch": f"c{task}",
    }


def test_what_passed_lands_at_once_and_holds_its_place_until_it_has() -> None:
    tasks = [make_task("1", "a"), make_task("2", "a")]
    progress = progress_of(spec_of(tasks, [], [role("a")]))
    assert progress.next() == [StartTask("1", 1)]
    progress.take(passed("1"))
    assert progress.next() == [StartLanding("1", 1, "c1")]
    progress.take(merged("1"))
    assert progress.next() == [StartTask("2", 1)]


def test_a_rework_waits_until_what_it_collides_with_is_at_work_no_more() -> None:
    tasks = [make_task("1", "a"), make_task("2", "a")]
    progress = progress_of(spec_of(tasks, [], [role("a", 2)]))
    progress.next()
    progress.take(passed("1"))
    progress.next()
    rework = {"kind": "conflict", "reason": "x"}
    back = merged("1") | {"status": "rework", "rework": rework, "collides": ["2"]}
    progress.take(back)
    assert progress.next() == []
    progress.take(passed("2"))
    assert progress.next() == [StartLanding("2", 1, "c2")]
    progress.take(merged("2"))
    assert progress.next() == [StartTask("1", 2, rework, ("2",))]


def in_plan_order(spec: RunSpec) -> RunSpec:
    merge = MergeSettings(order="plan")
    return spec.model_copy(update={"settings": spec.settings.model_copy(update={"merge": merge})})


def test_in_plan_order_a_branch_lets_all_before_it_land_and_holds_no_place_meanwhile() -> None:
    tasks = [make_task("1", "a"), make_task("2", "b"), make_task("3", "b")]
    progress = progress_of(in_plan_order(spec_of(tasks, [], [role("a"), role("b")])))
    assert progress.next() == [StartTask("1", 1), StartTask("2", 1)]
    progress.take(passed("2"))
    assert progress.next() == [StartTask("3", 1)]
    progress.take(passed("3"))
    assert progress.next() == []
    progress.take(passed("1"))
    assert progress.next() == [StartLanding("1", 1, "c1")]
    progress.take(merged("1"))
    assert progress.next() == [StartLanding("2", 1, "c2")]
    progress.take(merged("2"))
    assert progress.next() == [StartLanding("3", 1, "c3")]


def test_in_plan_order_nobody_waits_for_what_can_land_no_more() -> None:
    tasks = [make_task("1", "a"), make_task("2", "a", depends_on=("1",)), make_task("3", "b")]
    progress = progress_of(in_plan_order(spec_of(tasks, [], [role("a"), role("b")])))
    progress.next()
    progress.take(passed("3"))
    assert progress.next() == []
    progress.take(merged("1") | {"status": "blocked", "why": "failed"})
    assert progress.next() == [StartLanding("3", 1, "c3")]


def test_only_conflicts_end_with_their_own_exit_code() -> None:
    progress = progress_of(two_waves())
    progress.next()
    progress.take(merged("1"))
    progress.take(merged("2") | {"status": "blocked", "why": "conflict"})
    assert progress.outcome() == ("conflict", 5)


def five() -> RunSpec:
    hours = {"1": 1, "2": 1, "3": 1, "4": 3, "5": 2}
    tasks = [make_task(one, "a", estimate_h=of) for one, of in hours.items()]
    return spec_of(tasks, [], [role("a", 3)], agents=3)


def test_the_order_of_the_spec_goes_before_the_longest_path() -> None:
    spec = five()
    order = {task: at for at, task in enumerate(["2", "1"])}
    schedule = Schedule(spec.plan, {"a": spec.roles[0]}, order=order)
    assert Progress(spec, schedule).next() == [StartTask(one, 1) for one in ("2", "1", "4")]


def test_when_reality_departs_from_the_estimates_the_rest_is_put_in_another_order() -> None:
    progress = progress_of(five())
    assert progress.next() == [StartTask(one, 1) for one in ("4", "5", "1")]
    for task, took in (("4", 3.0), ("5", 2.0), ("1", 1.0)):
        progress.take(merged(task) | {"spent_s": took})
    assert not progress.is_off_course
    progress = progress_of(five())
    progress.next()
    for task, took in (("4", 3.0), ("5", 2.0), ("1", 50.0)):
        assert not progress.is_off_course
        progress.take(merged(task) | {"spent_s": took})
    assert progress.is_off_course
    assert progress.left == {"2", "3"}
    progress.follow(["3", "2"])
    assert not progress.is_off_course
    assert progress.next() == [StartTask(one, 1) for one in ("3", "2")]


@given(st.lists(st.sampled_from([0.0, 1.0, 1.0, 1.0, 40.0]), min_size=398, max_size=398))
def test_with_many_merged_a_departure_is_seen_before_a_hundredth_more_has_merged(
    took: list[float],
) -> None:
    names = [str(number) for number in range(400)]
    tasks = [make_task(name, estimate_h=1.0) for name in names]
    progress = progress_of(spec_of(tasks, [], [role("a", 400)], agents=400))
    progress.next()
    unseen = 0
    for name, spent in zip(names, took, strict=False):
        progress.take(merged(name) | {"spent_s": spent})
        departed = departs(dict.fromkeys(progress.measured, 1.0), progress.measured)
        assert departed or not progress.is_off_course
        unseen = unseen + 1 if departed and not progress.is_off_course else 0
        assert unseen <= len(progress.merged) // 100
        if len(progress.merged) < 200:
            assert progress.is_off_course == departed


def test_landing_again_adds_to_the_time_of_a_task_and_takes_none_away() -> None:
    progress = progress_of(two_waves())
    progress.next()
    progress.take(merged("1") | {"spent_s": 4.0})
    progress.take(merged("1", 2) | {"spent_s": 3.0})
    assert progress.measured == {"1": 7.0}


@st.composite
def specs(draw: st.DrawFn) -> RunSpec:
    count = draw(st.integers(1, 12))
    roles = [role("a", draw(st.integers(1, 3))), role("b"), role("c")]
    tasks = []
    for number in range(count):
        earlier = [str(n) for n in range(number)]
        deps = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
        wave = str(1 + number * 3 // count)
        agent = draw(st.sampled_from("abc"))
        tasks.append(make_task(str(number), agent, wave, depends_on=tuple(deps)))
    waves = sorted({t.wave for t in tasks if t.wave})
    syncs = [
        SyncPoint(id=f"s{w}", title=w, after_waves=(w,), holds_waves=(following,))
        for w, following in itertools.pairwise(waves)
        if draw(st.booleans())
    ]
    return spec_of(tasks, syncs, roles, agents=draw(st.integers(1, 6)))


@given(spec=specs(), data=st.data())
def test_every_story_keeps_the_rules_and_comes_to_an_end(
    spec: RunSpec, data: st.DataObject
) -> None:
    progress = progress_of(spec)
    in_flight: list[Step] = []
    tasks = spec.plan.tasks_by_id
    for _ in range(600):
        started = progress.next()
        in_flight += started
        for step in started:
            if isinstance(step, StartTask):
                task = tasks[step.task]
                assert set(task.depends_on) <= progress.merged
                held = [s.id for s in spec.syncs if task in spec.plan.held_by(s)]
                assert set(held) <= progress.open_syncs
        assert len(progress.running) <= spec.settings.limits.agents
        for one in spec.roles:
            at_work = [t for t in progress.running if tasks[t].agent == one.name]
            assert len(at_work) <= one.parallel
        if not in_flight:
            break
        step = in_flight.pop(data.draw(st.integers(0, len(in_flight) - 1)))
        progress.take(_played(step, progress, data))
        if progress.is_off_course:
            left = sorted(progress.left)
            progress.follow(data.draw(st.just([]) | st.permutations(left)))
            assert not progress.is_off_course
    assert progress.is_over
    outcome, code = progress.outcome()
    assert (code == 0) == (progress.merged >= set(spec.only) and not progress.blocked)
    assert outcome in {"done", "task_failed", "integration_red", "conflict"}


def _played(step: Step, progress: Progress, data: st.DataObject) -> Result:
    """Any answer that the workflows could give."""
    if isinstance(step, StartSync):
        back = data.draw(st.sampled_from(["", "", *sorted(progress.merged)]))
        status = data.draw(st.sampled_from(["open", "open", "closed"]))
        return {
            "kind": "sync",
            "id": step.sync,
            "status": status,
            "send_back": back,
            "rework": {},
        }
    head = {"kind": "task", "id": step.task, "attempt": step.attempt}
    why = {"why": data.draw(st.sampled_from(["failed", "conflict"]))}
    if isinstance(step, StartTask):
        head["spent_s"] = data.draw(st.sampled_from([0.0, 1.0, 1.0, 60.0]))
        passes = step.attempt < 6 and data.draw(st.sampled_from([True, True, True, False]))
        return head | (
            {"status": "passed", "branch": "c"} if passes else {"status": "blocked"} | why
        )
    head["lap"] = step.lap
    others = sorted(progress.merged - {step.task})
    may_need = others and step.lap < 2
    choices = ["merged", "merged", "merged", "rework", *(["needs"] if may_need else [])]
    status = data.draw(st.sampled_from(choices))
    if status == "needs":
        return head | {
            "status": "needs",
            "needs": data.draw(st.sampled_from(others)),
            "branch": "c",
            "rework": {},
        }
    collides = data.draw(st.lists(st.sampled_from(sorted(progress.spec.only)), max_size=3))
    return head | {"status": status, "rework": {}, "collides": collides}


@given(spec=specs(), fate=st.randoms(use_true_random=False), data=st.data())
def test_in_plan_order_the_same_answers_land_in_the_same_order_whatever_the_timing(
    spec: RunSpec, fate: random.Random, data: st.DataObject
) -> None:
    attempts = [(task, number) for task in spec.only for number in range(1, 4)]
    passes = {one: fate.random() < 0.8 for one in attempts}
    lands = {one: fate.random() < 0.7 for one in attempts}
    spec = in_plan_order(spec)

    def order_of(choose: Callable[[int], int]) -> list[str]:
        progress, in_flight, landed = progress_of(spec), list[Step](), list[str]()
        while in_flight := [*in_flight, *progress.next()]:
            step = in_flight.pop(choose(len(in_flight)))
            if isinstance(step, StartSync):
                progress.take({"kind": "sync", "id": step.sync, "status": "open"})
                continue
            key = (step.task, step.attempt)
            head = {"kind": "task", "id": step.task, "attempt": step.attempt}
            if isinstance(step, StartTask):
                passed = {"status": "passed", "branch": "c"}
                blocked = {"status": "blocked", "why": "failed"}
                progress.take(head | (passed if passes.get(key) else blocked))
            elif lands[key]:
                landed.append(step.task)
                progress.take(head | {"status": "merged", "lap": step.lap})
            else:
                collides = [one for one in spec.only if fate.random() < 0.3]
                back = {"status": "rework", "rework": {}, "collides": collides, "lap": step.lap}
                progress.take(head | back)
        assert not progress.landing
        assert not progress.again
        return landed

    first = order_of(lambda count: 0)
    assert first == order_of(lambda count: data.draw(st.integers(0, count - 1)))
    position = LandingOrder(spec.plan, spec.barrier).position
    assert first == sorted(first, key=lambda task: position[TaskId(task)])


def test_a_task_held_by_its_waves_budget_goes_on_with_the_same_attempt_when_freed() -> None:
    spec = spec_of([make_task("a"), make_task("b", agent="b")], [], [role("a"), role("b")])
    progress = progress_of(spec)
    assert {step.task for step in progress.next()} == {"a", "b"}  # type: ignore[union-attr]
    held = {"kind": "task", "id": "a", "attempt": 2, "lap": 0, "status": "held", "rework": None}
    progress.take(held)
    assert progress.next() == []
    progress.take({"kind": "task", "id": "b", "attempt": 1, "status": "merged"})
    assert progress.is_over
    assert list(progress.short) == ["a"]
    progress.free(["a"])
    assert progress.next() == [StartTask("a", 2, None, lap=1)]
    progress.take({"kind": "task", "id": "a", "attempt": 2, "status": "merged"})
    assert progress.outcome() == ("done", 0)


def test_in_plan_order_a_task_held_by_its_waves_budget_keeps_no_other_from_landing() -> None:
    tasks = [make_task("a"), make_task("b", agent="b")]
    progress = progress_of(in_plan_order(spec_of(tasks, [], [role("a"), role("b")])))
    progress.next()
    passed = {"kind": "task", "id": "b", "attempt": 1, "status": "passed", "branch": "c"}
    progress.take(passed)
    assert progress.next() == []  # a may still land, and would be first
    progress.take(
        {"kind": "task", "id": "a", "attempt": 1, "lap": 0, "status": "held", "rework": None}
    )
    assert progress.next() == [StartLanding("b", 1, "c")]

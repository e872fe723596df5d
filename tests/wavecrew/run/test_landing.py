"""A branch's turn in the lane, with real git and real checks, and what is written down of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pytest

from wavecrew.journal import events as e
from wavecrew.journal.state import fold
from wavecrew.journal.views import board_text
from wavecrew.plan.model import Plan, Role, Task, Wave
from wavecrew.plan.settings import Check, MergeSettings, Settings
from wavecrew.run.foresight import foresee
from wavecrew.run.landing import Landed, land_branch, land_waiting
from wavecrew.run.lane import Waiting
from wavecrew.run.parts import Parts
from wavecrew.run.reports import saved_report
from wavecrew.schedule.ready import Schedule
from wavecrew.workspace.model import ENGINE

TASKS = ("a", "b", "c", "d")
NOT_BOTH = "! { test -e b.txt && test -e c.txt; }"
"""Red where the files of b and c are in one tree."""


@dataclass
class Yard:
    """A run of four tasks whose branches are made by hand."""

    parts: Parts
    schedule: Schedule

    def passed(self, task: str, files: dict[str, bytes | None] | None = None) -> str:
        """A branch of the task's first attempt that passed its gate and waits to land."""
        parts, base = self.parts, self.parts.spec.base
        changed = files or {f"{task}.txt": task.encode()}
        tree = parts.mirror.write_tree(parts.mirror.tree_of(base), changed)
        commit = parts.mirror.commit(tree, (base,), f"{task}\n", ENGINE, 1_700_000_000)
        parts.log.append(e.TaskStarted(task, 1, "r", base, [], None))
        summary = f"What {task} is for."
        gate = e.GateFinished(task, 1, 1, "pass", [], tree, commit, 1, 0, summary, "r")
        parts.log.append(gate)
        foresee(parts, task, 1, 1)
        parts.log.append(e.LandingQueued(task, 1, commit))
        return commit

    def turn(self, task: str) -> Landed:
        one = self.parts.spec.plan.tasks_by_id[task]
        commit = self.parts.state.tasks[task].attempts[1].commit
        return land_branch(self.parts, self.schedule, one, 1, commit)

    def facts(self, *kinds: type[e.Fact]) -> list[Any]:
        return [event.fact for event in self.parts.log.read() if isinstance(event.fact, kinds)]

    def tested(self) -> list[tuple[str, str]]:
        return [("".join(fact.tasks), fact.verdict) for fact in self.facts(e.TreeTested)]

    def ended(self) -> list[tuple[str, str]]:
        return [(fact.task, fact.outcome) for fact in self.facts(e.MergeFinished)]


@pytest.fixture
def yard(parts: Parts) -> Callable[..., Yard]:
    def made(check: str = "true", **merge: Any) -> Yard:
        role = Role(
            name="r", role="r", goal="g", backstory="b", archetype="flow", tools=("submit",)
        )
        tasks = tuple(
            Task(id=t, title=f"Task {t}", agent="r", wave="w", description="d", expected_output="o")
            for t in TASKS
        )
        settings = Settings(checks=(Check(name="check", run=check),), merge=MergeSettings(**merge))
        parts.spec = parts.spec.model_copy(
            update={
                "plan": Plan(title="p", waves=(Wave(id="w"),), tasks=tasks, sync_points=()),
                "roles": (role,),
                "settings": settings,
                "only": tuple(task.id for task in tasks),
            }
        )
        entries = [{"id": t.id, "title": t.title, "role": "r"} for t in tasks]
        base, ref = parts.spec.base, parts.spec.integration_ref
        parts.log.append(e.RunStarted("p", base, ref, "m", True, "bubblewrap", entries, [], ["r"]))
        return Yard(parts, Schedule(parts.spec.plan, {"r": role}))

    return made


def test_one_turn_lands_all_that_wait_and_the_others_find_themselves_landed(
    yard: Callable[..., Yard],
) -> None:
    it = yard()
    for task in "abc":
        it.passed(task)
    assert it.turn("b").outcome == "merged"
    assert it.tested() == [("bac", "pass")]
    before = it.parts.log.read()
    assert [it.turn(task).outcome for task in "ac"] == ["merged", "merged"]
    assert it.parts.log.read() == before
    told = [(type(fact), fact.task) for fact in it.facts(e.MergeFinished, e.TaskCompleted)]
    assert told == [(kind, t) for t in "bac" for kind in (e.MergeFinished, e.TaskCompleted)]
    assert it.parts.state.tip == it.parts.tip()
    assert it.parts.state.queue == []


def test_with_a_batch_of_one_every_branch_is_tested_alone(yard: Callable[..., Yard]) -> None:
    it = yard(batch=1)
    for task in "ab":
        it.passed(task)
    it.turn("a")
    assert it.tested() == [("a", "pass")]
    assert [task.id for task in it.parts.state.queue] == ["b"]


def test_a_red_companion_keeps_its_own_turn_and_is_tested_there_at_the_tree_known_as_red(
    yard: Callable[..., Yard],
) -> None:
    it = yard(check=NOT_BOTH)
    for task in "abcd":
        it.passed(task)
    assert it.turn("a").outcome == "merged"
    assert it.tested() == [
        ("abcd", "fail"), ("ab", "pass"), ("cd", "fail"), ("c", "fail"), ("d", "pass"),
    ]  # fmt: skip
    assert it.ended() == [("a", "merged"), ("b", "merged"), ("d", "merged")]
    assert [task.id for task in it.parts.state.queue] == ["c"]
    back = it.turn("c")
    assert (back.outcome, back.tree) == ("red", it.facts(e.TreeTested)[-1].tree)
    assert back.rework is not None
    assert back.evidence == it.facts(e.MergeFinished)[-1].evidence
    assert it.parts.state.tasks["c"].status == "waiting"


def test_the_checks_are_not_asked_twice_about_one_tree(yard: Callable[..., Yard]) -> None:
    it = yard(check=f"date +%N; {NOT_BOTH}")
    for task in "bc":
        it.passed(task)
    it.turn("b")
    assert it.turn("c").outcome == "red"
    assert it.tested() == [("bc", "fail"), ("b", "pass"), ("c", "fail")]
    both, _, alone = it.facts(e.TreeTested)
    assert both.tree == alone.tree
    assert both.base != alone.base
    first, second = (
        saved_report(it.parts, PurePosixPath(fact.evidence).stem) for fact in (both, alone)
    )
    assert first is not None
    assert second is not None
    assert first.evidence[0].log == second.evidence[0].log


def test_what_a_killed_engine_landed_is_written_down_by_the_next_in_its_order(
    yard: Callable[..., Yard],
) -> None:
    it = yard()
    commits = {task: it.passed(task) for task in "abc"}
    land_waiting(it.parts, [Waiting(task, 1, commits[task]) for task in "cab"])  # and then killed
    assert it.ended() == []
    assert it.turn("b").outcome == "merged"
    assert it.ended() == [(task, "merged") for task in "cab"]
    assert [fact.task for fact in it.facts(e.TaskCompleted)] == list("cab")
    (tested,) = it.facts(e.TreeTested)
    assert {tuple(fact.batch) for fact in it.facts(e.MergeFinished)} == {("c", "a", "b")}
    assert {fact.tree for fact in it.facts(e.MergeFinished)} == {tested.tree}
    assert fold(it.parts.log.read()) == it.parts.state


def test_killed_between_merge_and_completion_only_the_completion_is_added(
    yard: Callable[..., Yard], monkeypatch: pytest.MonkeyPatch
) -> None:
    it = yard()
    it.passed("a")
    append = it.parts.log.append

    def dying(fact: e.Fact) -> e.Event | None:
        if isinstance(fact, e.TaskCompleted):
            raise KeyboardInterrupt
        return append(fact)

    monkeypatch.setattr(it.parts.log, "append", dying)
    with pytest.raises(KeyboardInterrupt):
        it.turn("a")
    monkeypatch.undo()
    assert it.turn("a").outcome == "merged"
    assert len(it.facts(e.MergeFinished)) == len(it.facts(e.TaskCompleted)) == 1


def test_colliding_branches_are_foreseen_kept_apart_and_the_many_go_first(
    yard: Callable[..., Yard],
) -> None:
    it = yard()
    it.passed("a", {"a.py": b"a = 'a'\n", "x.py": b"x = 'a'\n"})
    it.passed("b", {"a.py": b"a = 'b'\n"})
    it.passed("c", {"x.py": b"x = 'c'\n"})
    found = [(c.one, c.other, c.paths) for c in it.parts.state.collisions]
    assert found == [("a", "b", ["a.py"]), ("a", "c", ["x.py"])]
    assert "- a and b collide: a.py" in board_text(it.parts.state)
    back = it.turn("a")
    assert back.outcome == "conflict"
    assert it.ended() == [("b", "merged"), ("c", "merged"), ("a", "conflict")]
    assert back.collides == ()
    assert len(it.facts(e.ConflictForecast)) == 2


def test_a_refused_submission_is_foreseen_too_and_told_once(yard: Callable[..., Yard]) -> None:
    it = yard()
    it.passed("a", {"a.py": b"a = 'a'\n"})
    parts, base = it.parts, it.parts.spec.base
    tree = parts.mirror.write_tree(parts.mirror.tree_of(base), {"a.py": b"a = 'b'\n"})
    parts.log.append(e.TaskStarted("b", 1, "r", base, [], None))
    for submission in (1, 2):
        parts.log.append(e.GateFinished("b", 1, submission, "fail", [], tree, "", 0, 1, "No.", "r"))
        foresee(parts, "b", 1, submission)
    (told,) = it.facts(e.ConflictForecast)
    assert (told.task, told.submission) == ("b", 1)
    assert told.collisions == [{"one": "a", "other": "b", "paths": ["a.py"], "symbols": []}]
    parts.log.append(e.TaskStarted("b", 2, "r", base, [], None))
    assert parts.state.collisions == []


def test_a_tree_that_was_never_let_in_is_left_out_of_the_forecast(
    yard: Callable[..., Yard],
) -> None:
    it = yard()
    it.passed("a")
    parts, base = it.parts, it.parts.spec.base
    parts.log.append(e.TaskStarted("b", 1, "r", base, [], None))
    parts.log.append(
        e.GateFinished("b", 1, 1, "fail", ["forbidden_entry"], "f" * 40, "", 0, 1, "No.", "r")
    )
    foresee(parts, "b", 1, 1)
    assert it.facts(e.ConflictForecast) == []


def test_a_conflict_is_reworked_with_both_intents_both_bases_and_all_three_sides(
    yard: Callable[..., Yard],
) -> None:
    it = yard()
    it.passed("a", {"a.py": b"a = 'theirs'\n"})
    it.passed("b", {"a.py": b"a = 'ours'\n"})
    it.turn("a")
    rework = it.turn("b").rework
    assert rework is not None
    assert rework.ours == "b Task b: What b is for."
    assert rework.theirs == "a Task a: What a is for."
    assert (rework.base, rework.tip) == (it.parts.spec.base, it.parts.tip())
    assert rework.log == (
        "--- a.py (content)\n<<<<<<< integration\na = 'theirs'\n||||||| before both\na = 1\n"
        "=======\na = 'ours'\n>>>>>>> branch"
    )


def test_in_plan_order_a_batch_goes_no_further_than_the_next_that_is_missing(
    yard: Callable[..., Yard],
) -> None:
    it = yard(order="plan")
    for task in "dba":
        it.passed(task)
    it.turn("a")
    assert it.tested() == [("ab", "pass")]
    assert [task.id for task in it.parts.state.queue] == ["d"]

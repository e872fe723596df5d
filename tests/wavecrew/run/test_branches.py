"""Where unfinished work goes: nothing an agent left is lost when its attempt or branch ends."""

from __future__ import annotations

from typing import Any

from wavecrew.plan.model import Task
from wavecrew.run.branches import park, publish
from wavecrew.run.parts import Parts
from wavecrew.run.session import Ended
from wavecrew.run.wire import WorkspacePlace
from wavecrew.workspace import attic


def place(parts: Parts, tried: Any) -> WorkspacePlace:
    return WorkspacePlace(
        root=tried.folder / "ws", objects=parts.mirror.objects, base=parts.spec.base
    )


def first(parts: Parts) -> Task:
    return parts.spec.tasks[0]


def test_a_stalled_agents_tree_is_recorded_by_the_engine(parts: Parts, worked: Any) -> None:
    task = first(parts)
    tried = worked.attempt(task.id, 1, "echo 'a = 2' >a.py")
    worked.change(tried, "echo later >after-the-last-snapshot.txt")
    ended = Ended("stalled", "no progress for 10 min; last exchanges: model: read_file")
    park(parts, task, 1, place(parts, tried), ended)
    (one,) = attic.parked(parts.repository.git)
    assert (one.run, one.task, one.attempt, one.outcome) == ("r1", task.id, 1, "stalled")
    assert one.detail == ended.detail
    assert parts.mirror.ls(one.commit) == (
        ".gitignore",
        "a.py",
        "after-the-last-snapshot.txt",
    )


def test_a_tree_that_cannot_be_recorded_falls_back_to_the_newest_snapshot(
    parts: Parts, worked: Any
) -> None:
    task = first(parts)
    tried = worked.attempt(task.id, 1, "echo 'a = 2' >a.py")
    worked.change(tried, "mkdir inner && git init -q inner && echo x >inner/f")
    park(parts, task, 1, place(parts, tried), Ended("crashed"))
    (one,) = attic.parked(parts.repository.git)
    assert parts.mirror.read(one.commit, "a.py") == b"a = 2\n"


def test_an_attempt_that_changed_nothing_or_never_began_parks_nothing(
    parts: Parts, worked: Any
) -> None:
    task = first(parts)
    tried = worked.attempt(task.id, 1, "true")
    park(parts, task, 1, place(parts, tried), Ended("crashed"))
    never = WorkspacePlace(root=parts.folder.root / "no", objects=(), base=parts.spec.base)
    park(parts, task, 2, never, Ended("crashed"))
    assert attic.parked(parts.repository.git) == ()


def test_a_branch_that_moves_on_leaves_what_it_named_in_the_attic(
    parts: Parts, worked: Any
) -> None:
    task = first(parts)
    commits = [
        worked.passed(worked.attempt(task.id, number, f"echo 'a = {number}' >a.py"))
        for number in (2, 3)
    ]
    branch = publish(parts, task, commits[0])
    assert publish(parts, task, commits[0]) == branch
    assert attic.parked(parts.repository.git) == ()
    assert publish(parts, task, commits[1]) == branch
    assert parts.repository.read_ref(branch) == commits[1]
    (one,) = attic.parked(parts.repository.git)
    assert (one.attempt, one.outcome) == (2, "replaced")
    assert parts.mirror.is_ancestor(commits[0], one.commit)
    assert parts.mirror.tree_of(one.commit) == parts.mirror.tree_of(commits[0])


def test_a_branch_that_landed_is_not_parked_when_its_task_is_mended(
    parts: Parts, worked: Any
) -> None:
    task = first(parts)
    landed, mended = (
        worked.passed(worked.attempt(task.id, number, f"echo 'a = {number}' >a.py"))
        for number in (2, 3)
    )
    publish(parts, task, landed)
    assert parts.mirror.publish(parts.spec.integration_ref, landed, parts.spec.base)
    publish(parts, task, mended)
    assert attic.parked(parts.repository.git) == ()

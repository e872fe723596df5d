"""What the next attempt is told, and that it can do what it is told."""

from __future__ import annotations

from typing import Any

from wavecrew.plan.model import Task
from wavecrew.run.branches import park
from wavecrew.run.given import workspace_of
from wavecrew.run.parts import Parts
from wavecrew.run.rework import PATHS_TOLD, ended_rework
from wavecrew.run.session import Ended
from wavecrew.run.wire import Rework, WorkspacePlace
from wavecrew.sandbox.model import Caps
from wavecrew.workspace.workspace import Workspace

STALLED = Rework(kind="ended", reason="stalled: no progress")


def parked(parts: Parts, worked: Any, shell: str) -> Task:
    """The first task, whose first attempt stalled after `shell`."""
    task: Task = parts.spec.tasks[0]
    tried = worked.attempt(task.id, 1, shell)
    place = WorkspacePlace(
        root=tried.folder / "ws", objects=parts.mirror.objects, base=parts.spec.base
    )
    park(parts, task, 1, place, Ended("stalled"))
    return task


def test_the_work_of_an_attempt_that_ended_early_can_be_taken_over(
    parts: Parts, worked: Any
) -> None:
    task = parked(parts, worked, "echo 'a = 2' >a.py; echo new >b.py")
    told = ended_rework(parts, task, 2, STALLED)
    assert (told.kind, told.reason, told.base) == ("ended", STALLED.reason, parts.spec.base)
    assert told.log.splitlines() == ["M a.py", "A b.py"]
    folder = parts.folder.attempt(task.id, 2)
    place = workspace_of(parts, task, 2, parts.spec.base, folder)
    assert place is not None
    workspace = Workspace.open(place.root, place.objects, place.base, parts.sandbox)
    base, earlier = told.base[:12], told.earlier[:12]
    take = f"git diff --stat {base} {earlier} && git checkout -q {earlier} -- b.py"
    done = workspace.sandbox.run(workspace.command(f"{take} && cat a.py b.py", Caps(wall_s=30)))
    assert done.exit_code == 0, done.stdout
    assert b"2 files changed" in done.stdout
    assert done.stdout.endswith(b"a = 1\nnew\n")


def test_of_many_files_the_first_are_named_and_the_rest_counted(parts: Parts, worked: Any) -> None:
    task = parked(parts, worked, f"for n in $(seq {PATHS_TOLD + 2}); do touch b$n; done")
    lines = ended_rework(parts, task, 2, STALLED).log.splitlines()
    assert len(lines) == PATHS_TOLD + 1
    assert (lines[0], lines[-1]) == ("A b1", "and 2 more")


def test_an_attempt_that_left_nothing_has_nothing_more_to_tell(parts: Parts, worked: Any) -> None:
    task = parked(parts, worked, "true")
    assert ended_rework(parts, task, 2, STALLED) is STALLED


def test_other_rework_stays_as_it_is(parts: Parts, worked: Any) -> None:
    task = parked(parts, worked, "echo 'a = 3' >a.py")
    conflict = Rework(kind="conflict", reason="both changed a.py")
    assert ended_rework(parts, task, 2, conflict) is conflict

"""Where the work of a run stands in the user's repository: branches, and the attic.

Only refs below `wavecrew/` are written, by compare-and-swap, and none is ever
deleted: what does not land is parked, and only a person throws it away.
"""

from __future__ import annotations

from wavecrew.errors import ToolError
from wavecrew.journal.attempt import newest_snapshot
from wavecrew.plan.model import Task
from wavecrew.run import wire
from wavecrew.run.again import again
from wavecrew.run.parts import Parts
from wavecrew.run.session import Ended
from wavecrew.workspace import attic
from wavecrew.workspace.model import Author, SnapshotRefused
from wavecrew.workspace.refs import ref_for
from wavecrew.workspace.workspace import Workspace


def first_parent(parts: Parts, commit: str) -> str:
    """What a commit was made on: for a merge the earlier tip, for a branch its base."""
    text = parts.mirror.git.run("rev-parse", "--verify", "--end-of-options", f"{commit}^1")
    return text.decode().strip()


def park(parts: Parts, task: Task, attempt: int, place: wire.WorkspacePlace, ended: Ended) -> None:
    """Keep an unfinished tree in the attic. Never raises for the agent's faults.

    An agent that left no snapshot (it crashed, or hung and was killed) has its
    tree recorded here, as it stands; where even that fails, the newest one of its journal counts.
    """
    if not (place.root / "workspace.json").exists():
        return
    workspace = Workspace.open(
        place.root, place.objects, place.base, parts.parking or parts.sandbox
    )
    try:
        tree = ended.last_snapshot or again(lambda: _salvaged(workspace))
        parts.mirror.import_pack(again(lambda: workspace.pack(tree)), tree, place.base)
    except ToolError:
        return
    note = attic.Note(
        run=parts.spec.run,
        task=task.id,
        attempt=attempt,
        base=place.base,
        title=task.title,
        outcome=ended.outcome,
        detail=ended.detail,
    )
    if tree != parts.mirror.tree_of(place.base):
        attic.park(parts.mirror, tree, note, author=_author(task), when=parts.clock())


def publish(parts: Parts, task: Task, commit: str) -> str:
    """Let the task's branch name `commit`; gives the branch.

    What the branch named before (an earlier attempt that passed and never
    landed) goes to the attic first: no commit is lost when a branch moves on.
    """
    branch = ref_for(parts.spec.run, task.id)
    old = parts.repository.read_ref(branch)
    if old == commit:
        return branch
    if old and not parts.mirror.is_ancestor(old, parts.tip()):
        _keep(parts, task, old)
    parts.mirror.publish(branch, commit, old)
    return branch


def _keep(parts: Parts, task: Task, commit: str) -> None:
    with parts.reading:
        known = parts.state.tasks[task.id].attempts.items()
        made = next(((n, a.summary) for n, a in known if a.commit == commit), None)
    if made is None:
        return
    number, summary = made
    note = attic.Note(
        run=parts.spec.run,
        task=task.id,
        attempt=number,
        base=first_parent(parts, commit),
        title=task.title,
        outcome="replaced",
        detail=f"it passed its gate and never landed. {summary}",
    )
    attic.park(
        parts.mirror,
        parts.mirror.tree_of(commit),
        note,
        author=_author(task),
        when=parts.clock(),
        also=(commit,),
    )


def _salvaged(workspace: Workspace) -> str:
    """The tree as it stands, or the newest that the journal knows of."""
    try:
        return workspace.snapshot()
    except SnapshotRefused:
        newest = newest_snapshot(workspace.root.parent / "journal.jsonl")
        if not newest:
            raise
        return newest


def _author(task: Task) -> Author:
    return Author(task.agent, f"{task.agent}@wavecrew.localhost")

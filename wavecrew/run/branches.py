"""Where the work of a run stands in the user's repository: branches, and the attic.

Only refs below `wavecrew/` are written, by compare-and-swap, and none is ever
deleted: what does not land is parked, and only a person throws it away.
"""

from __future__ import annotations

from wavecrew.journal.attempt import last_snapshot, read_records
from wavecrew.plan.model import Task
from wavecrew.run import wire
from wavecrew.run.parts import Parts
from wavecrew.run.session import Ended
from wavecrew.workspace.model import Author, TreeRejected
from wavecrew.workspace.refs import attic_ref
from wavecrew.workspace.workspace import Workspace


def first_parent(parts: Parts, commit: str) -> str:
    """What a commit was made on: for a merge the earlier tip, for a branch its base."""
    text = parts.mirror.git.run("rev-parse", "--verify", "--end-of-options", f"{commit}^1")
    return text.decode().strip()


def park(parts: Parts, task: Task, attempt: int, place: wire.WorkspacePlace, ended: Ended) -> None:
    """Keep an unfinished tree under the attic. Never raises for the agent's faults.

    An agent that was killed cannot name its newest tree; its journal does.
    """
    journal = parts.folder.attempt(task.id, attempt) / "journal.jsonl"
    tree = ended.last_snapshot or last_snapshot(read_records(journal))
    if not tree:
        return
    workspace = Workspace.open(place.root, place.objects, place.base, parts.sandbox)
    try:
        parts.mirror.import_pack(workspace.pack(tree), tree, place.base)
    except TreeRejected:
        return
    message = f"{task.id}: {task.title} (unfinished: {ended.outcome})\n"
    author = Author(task.agent, f"{task.agent}@wavecrew.localhost")
    commit = parts.mirror.commit(tree, (place.base,), message, author=author, when=parts.clock())
    ref = attic_ref(parts.spec.run, task.id, attempt)
    parts.mirror.publish(ref, commit, parts.repository.read_ref(ref))


def keep_replaced(parts: Parts, task: str, attempt: int, old: str | None) -> None:
    """Before a later attempt takes over the branch: what stood there and never landed is parked."""
    if old is None or parts.mirror.is_ancestor(old, parts.tip()):
        return
    ref = attic_ref(parts.spec.run, task, attempt - 1)
    if parts.repository.read_ref(ref) is None:
        parts.mirror.publish(ref, old, None)

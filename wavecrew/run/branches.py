"""Where the work of a run stands in the user's repository: branches, and the attic.

Only refs below `wavecrew/` are written, by compare-and-swap, and none is ever
deleted: what does not land is parked, and only a person throws it away.
"""

from __future__ import annotations

from wavecrew.plan.model import Task
from wavecrew.run import wire
from wavecrew.run.parts import Parts
from wavecrew.run.session import Ended
from wavecrew.run.spec import file_name
from wavecrew.workspace.mirror import TreeRejected
from wavecrew.workspace.model import Author
from wavecrew.workspace.workspace import Workspace


def park(parts: Parts, task: Task, attempt: int, place: wire.WorkspacePlace, ended: Ended) -> None:
    """Keep an unfinished tree under the attic. Never raises for the agent's faults."""
    if not ended.last_snapshot:
        return
    workspace = Workspace.open(place, parts.sandbox)
    try:
        tree = ended.last_snapshot
        parts.mirror.import_pack(workspace.pack(tree), tree, place.base)
    except TreeRejected:
        return
    message = f"{task.id}: {task.title} (unfinished: {ended.outcome})\n"
    author = Author(task.agent, f"{task.agent}@wavecrew.localhost")
    commit = parts.mirror.commit(
        ended.last_snapshot, (place.base,), message, author=author, when=parts.clock()
    )
    ref = attic_ref(parts, task.id, attempt)
    parts.mirror.publish(ref, commit, parts.repository.read_ref(ref))


def attic_ref(parts: Parts, task: str, attempt: int) -> str:
    return f"refs/wavecrew/attic/{parts.spec.run}/{file_name(task)}/{attempt}"


def branch_ref(parts: Parts, task: str) -> str:
    return f"refs/heads/wavecrew/{parts.spec.run}/{file_name(task)}"

"""What lets an attempt go on from another machine: its newest state at the hub, and back.

The journal says which state a resumed attempt starts from; only with the state's
objects is that worth anything. So they are at the hub before a record that names
them counts. A local run has no hub, and all of this does nothing there.
"""

from __future__ import annotations

import json

from wavecrew.plan.model import Task
from wavecrew.run import wire
from wavecrew.run.parts import Parts
from wavecrew.workspace import attic
from wavecrew.workspace.hub import HubRepository
from wavecrew.workspace.model import Author, TreeRejected
from wavecrew.workspace.snapshots import Snapshots
from wavecrew.workspace.workspace import Workspace


def state_in(line: bytes) -> str:
    """Tree id that a line of an attempt journal names; empty when it names none."""
    record = json.loads(line)
    return str((record.get("reply") or {}).get("snapshot") or "")


def keep_state(
    parts: Parts, task: str, attempt: int, place: wire.WorkspacePlace, tree: str
) -> bool:
    """Have a state of an attempt's workspace at the hub before this returns.

    Called while the agent waits, before its record is written to the database.
    The objects come in like a submission, strictly and judged. False when they
    are refused: then only this machine can go on from there. HubUnreachable,
    HubRefused, DiskFull.
    """
    if _hub(parts) is None:
        return True
    line = _line(parts, task, attempt, place.base)
    if line.is_newest(tree):
        return True
    sandbox = parts.parking or parts.sandbox
    workspace = Workspace.open(place.root, place.objects, place.base, sandbox)
    pack = workspace.pack(tree)
    try:
        parts.mirror.import_pack(pack, tree, place.base)
    except TreeRejected:
        return False
    finally:
        pack.unlink(missing_ok=True)
    line.keep(tree)
    return True


def bring_state(parts: Parts, task: str, attempt: int, base: str, tree: str) -> bool:
    """Have the objects of a state here; False when the hub never got it."""
    return _line(parts, task, attempt, base).fetch(tree)


def park_states(
    parts: Parts, task: Task, attempt: int, base: str, *, outcome: str, detail: str
) -> str:
    """Put the newest state that the hub has into the attic; gives its ref, empty when none is."""
    newest = _line(parts, task.id, attempt, base).newest()
    if newest is None:
        return ""
    note = attic.Note(
        run=parts.spec.run,
        task=task.id,
        attempt=attempt,
        base=base,
        title=task.title,
        outcome=outcome,
        detail=detail,
    )
    author = Author(task.agent, f"{task.agent}@wavecrew.localhost")
    tree = parts.mirror.tree_of(newest)
    return attic.park(parts.mirror, tree, note, author=author, when=parts.clock())


def drop_states(parts: Parts, task: str, attempt: int, base: str) -> bool:
    """Take away the states of an attempt that is over; False when one is nowhere else.

    Called after the attempt's branch or its place in the attic is published.
    """
    hub = _hub(parts)
    return hub is None or _line(parts, task, attempt, base).drop(hub)


def _hub(parts: Parts) -> HubRepository | None:
    return parts.repository if isinstance(parts.repository, HubRepository) else None


def _line(parts: Parts, task: str, attempt: int, base: str) -> Snapshots:
    return Snapshots(parts.mirror, parts.spec.run, task, attempt, base)

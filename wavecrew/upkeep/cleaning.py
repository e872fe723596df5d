"""What of a run that ended may be deleted, and deleting it. Branches and refs never.

Each thing stands for itself: what is leased, dirty or unmerged is refused with
its reason, and the rest is freed. Whoever cleans holds the run's lock, so no
engine works beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from wavecrew.errors import EnvironmentBroken, ToolError, UsageError, WavecrewError
from wavecrew.journal.log import SqliteEventLog
from wavecrew.journal.state import RunState
from wavecrew.run.disk import remove, size_of
from wavecrew.run.spec import RunFolder
from wavecrew.upkeep.kept import Attempted, Kept, unmerged
from wavecrew.workspace.hub import HubRepository
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import Repository
from wavecrew.workspace.user_repo import UserRepository

SCRATCH_OF_ATTEMPT = ("cache", "home")
SCRATCH_OF_RUN = ("scratch", "host")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that takes room, and what became of it."""

    run: str
    kind: str
    """workspace, scratch, mirror, history, and of a shared run states, workflows, history; run
    when the run as a whole is refused."""
    path: str
    bytes: int
    refused: str = ""
    """Why it stays; empty when it may go."""
    freed: bool = False
    parked: str = ""
    """Ref in the attic to which its work was saved first."""


@dataclass(frozen=True, slots=True)
class Wish:
    history: bool = False
    """Events, journals and all else too: the run's folder is gone then."""
    park: bool = False
    """Put dirty or unmerged workspaces into the attic instead of refusing them."""
    dry_run: bool = False


def clean(
    folder: RunFolder, state: RunState, repository: UserRepository, wish: Wish, *, when: int
) -> tuple[Item, ...]:
    """Free what may be freed of one run; what may not is in the answer with its reason.

    `when`: seconds since the epoch, for what is parked.
    """
    if refused := _not_over(folder, state):
        return (refused,)
    try:
        lock = folder.lock()
    except UsageError as error:
        return (_refused(folder, f"leased: {error.what}"),)
    try:
        kept = _kept(folder, repository)
        return tuple(_cleaned(folder, kept, _unreached(folder, kept), wish, when))
    finally:
        os.close(lock)


def clean_gone(folder: RunFolder, repository: HubRepository) -> tuple[Item, ...]:
    """Remove a worker's folder of a run that its database does not have any more.

    What passed a gate was at the hub before anyone was told, so only workspaces
    are judged: a dirty one stays, and the folder with it.
    """
    kept = _kept(folder, repository)
    lost = kept if isinstance(kept, str) and folder.mirror.exists() else ""
    return tuple(_cleaned(folder, kept, lost, Wish(history=True), 0))


def _not_over(folder: RunFolder, state: RunState) -> Item | None:
    inside = folder.root.parent.resolve() / folder.root.name
    if folder.root.resolve() != inside:
        return _refused(folder, "its folder is a link to another place")
    if state.exit_code is None:
        return _refused(folder, not_over(is_paused=state.outcome == "paused"))
    return None


def not_over(*, is_paused: bool) -> str:
    """Why a run that has not ended stays."""
    how = "paused" if is_paused else "not over"
    return f"it is {how}; `wavecrew run --resume` goes on with it"


def _refused(folder: RunFolder, why: str) -> Item:
    return Item(folder.run, "run", str(folder.root), 0, refused=why)


def _cleaned(
    folder: RunFolder, kept: Kept | str, lost: str, wish: Wish, when: int
) -> Iterator[Item]:
    """`lost`: why the mirror must stay, whatever the workspaces say."""
    held, counted = "", 0
    for place in sorted(folder.root.glob("attempts/*/*")):
        for item in _attempt(folder, place, kept, wish, when):
            held = held or item.refused
            counted += 0 if item.refused else item.bytes
            yield item
    for name in SCRATCH_OF_RUN:
        for item in _gone(folder, "scratch", folder.root / name, "", wish):
            counted += item.bytes
            yield item
    held = held or lost
    if folder.mirror.exists():
        why = lost or (f"a workspace needs it ({held})" if held else "")
        for item in _gone(folder, "mirror", folder.mirror, why, wish):
            counted += 0 if item.refused else item.bytes
            yield item
    if wish.history:
        why = f"something of it must stay ({held})" if held else ""
        for item in _gone(folder, "history", folder.root, why, wish):
            yield replace(item, bytes=item.bytes - counted) if wish.dry_run else item


def _kept(folder: RunFolder, repository: Repository) -> Kept | str:
    """What judges the run's workspaces, or why nothing can."""
    try:
        spec = folder.load()
    except WavecrewError as error:
        return f"unknown: {error.what}"
    if not folder.mirror.is_dir():
        return "unmerged: its mirror is gone, so nobody can say what the workspace holds"
    return Kept(spec, Mirror.open(folder.mirror, repository))


def _attempt(
    folder: RunFolder, place: Path, kept: Kept | str, wish: Wish, when: int
) -> Iterator[Item]:
    for name in SCRATCH_OF_ATTEMPT:
        yield from _gone(folder, "scratch", place / name, "", wish)
    if not (place / "ws").exists():
        return
    parked = ""
    why = _why_it_stays(place, kept)
    if why and wish.park and not wish.dry_run and isinstance(kept, Kept):
        try:
            parked, why = kept.park(Attempted.read(place), when=when), ""
        except (ToolError, WavecrewError) as error:
            why = f"{why}; it cannot be parked: {error}"
    for item in _gone(folder, "workspace", place / "ws", why, wish):
        yield replace(item, parked=parked)


def _why_it_stays(place: Path, kept: Kept | str) -> str:
    if isinstance(kept, str):
        return kept
    try:
        return kept.why_not(Attempted.read(place))
    except EnvironmentBroken as error:
        return f"unknown: {error.what}"


def _unreached(folder: RunFolder, kept: Kept | str) -> str:
    """Why the mirror must stay: a commit that passed its gate and that no ref reaches."""
    if isinstance(kept, str):
        return kept if folder.mirror.exists() else ""
    log = SqliteEventLog(folder.events, folder.run, read_only=True)
    try:
        lost = kept.unreached(log.read())
    finally:
        log.close()
    if lost is None:
        return ""
    shows = f"`git -C {folder.mirror} log {lost.commit[:12]}` shows it"
    return f"{unmerged(f'{lost.commit[:12]} of task {lost.task!r}')}; {shows}"


def _gone(folder: RunFolder, kind: str, path: Path, why: str, wish: Wish) -> Iterator[Item]:
    """The item for `path`, which is deleted unless there is a reason or a dry run."""
    if not path.exists() and not path.is_symlink():
        return
    if path.resolve() != path.parent.resolve() / path.name or not _is_inside(folder, path):
        why = why or "it is a link to another place"
    item = Item(folder.run, kind, str(path), size_of(path), refused=why)
    if why or wish.dry_run:
        yield item
        return
    try:
        remove(path)
    except OSError as error:
        yield replace(item, refused=f"it cannot be deleted: {error}")
        return
    yield replace(item, freed=True)


def _is_inside(folder: RunFolder, path: Path) -> bool:
    return path.resolve().is_relative_to(folder.root.resolve())

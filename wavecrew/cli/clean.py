"""`wavecrew clean`: give back the room that ended runs take, and say what stays and why."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer

from wavecrew.cli.runs import named, names_in, runs_root, state_of
from wavecrew.errors import EXIT_OK, UsageError, WavecrewError
from wavecrew.journal.state import RunState
from wavecrew.run.leases import Leases
from wavecrew.run.spec import RunFolder
from wavecrew.upkeep.cleaning import Item, Wish, clean
from wavecrew.workspace.user_repo import UserRepository

EXIT_REFUSED = UsageError.exit_code


@dataclass(frozen=True, slots=True)
class CleanRequest:
    """The options of `wavecrew clean`, as given."""

    repo: Path
    runs: tuple[str, ...] = ()
    all_finished: bool = False
    older_than_days: float = 0
    history: bool = False
    park: bool = False
    dry_run: bool = False
    yes: bool = False
    as_json: bool = False


def clean_runs(request: CleanRequest) -> int:
    """Do what was asked; 0 when nothing had to stay, 2 when something did."""
    refuse_unclear(request)
    repository = UserRepository.open(request.repo, clean=False)
    items: list[Item] = []
    chosen = list(_chosen(request, items))

    def look(dry_run: bool) -> list[Item]:
        return [item for one in chosen for item in _items(request, repository, *one, dry_run)]

    if chosen and not confirmed(request, look):
        return EXIT_OK
    items += look(request.dry_run)
    table = repository.git_dir / "wavecrew" / "leases.db"
    if table.exists() and not request.dry_run:
        Leases(table).sweep()
    return report(request, items)


def refuse_unclear(request: CleanRequest) -> None:
    """UsageError unless it is clear which runs are meant."""
    if bool(request.runs) == request.all_finished:
        raise UsageError(
            "it must be clear which runs are meant", mend="name runs, or give --all-finished"
        )


def confirmed(request: CleanRequest, look: Callable[[bool], list[Item]]) -> bool:
    """True once a person agreed to what would go, as `look(True)` tells; or said so beforehand."""
    if request.dry_run or request.yes:
        return True
    if request.as_json or not sys.stdin.isatty():
        raise UsageError("nothing is deleted without a person's word", mend="--yes, or --dry-run")
    for item in look(True):
        print(_line(item), file=sys.stderr)
    return typer.confirm("Delete what is marked free?", default=False)


def _chosen(request: CleanRequest, items: list[Item]) -> list[tuple[RunFolder, RunState]]:
    """The runs that are meant; those that cannot be read become refusals in `items`."""
    root = runs_root(request.repo).resolve()
    names = dict.fromkeys(request.runs) or names_in(root)
    found = []
    for path in [named(root, name) for name in names]:
        try:
            state = state_of(path)
        except WavecrewError as error:
            why = f"{error.what}; if you are sure, delete the folder yourself"
            items.append(Item(path.name, "run", str(path), 0, refused=why))
            continue
        over = state.exit_code is not None
        if (over or not request.all_finished) and is_old_enough(request, state):
            found.append((RunFolder(path), state))
    return found


def is_old_enough(request: CleanRequest, state: RunState) -> bool:
    """False when the run ended too recently for what was asked."""
    if not request.older_than_days or not state.ended_at:
        return True
    ended = datetime.fromisoformat(state.ended_at.replace("Z", "+00:00"))
    return (datetime.now(UTC) - ended).total_seconds() > request.older_than_days * 86_400


def _items(
    request: CleanRequest,
    repository: UserRepository,
    folder: RunFolder,
    state: RunState,
    dry_run: bool,
) -> tuple[Item, ...]:
    wish = Wish(history=request.history, park=request.park, dry_run=dry_run)
    return clean(folder, state, repository, wish, when=int(time.time()))


def report(request: CleanRequest, items: list[Item]) -> int:
    """Tell what became of everything; the exit code."""
    code = EXIT_REFUSED if any(item.refused for item in items) else EXIT_OK
    freed = sum(item.bytes for item in items if item.freed and item.kind != "history")
    history = sum(item.bytes for item in items if item.freed and item.kind == "history")
    if request.as_json:
        document = {
            "dry_run": request.dry_run,
            "freed_bytes": freed + history,
            "refused": sum(bool(item.refused) for item in items),
            "items": [asdict(item) for item in items],
        }
        print(json.dumps(document, ensure_ascii=True, indent=1))
        return code
    for item in items:
        print(_line(item))
    if not items:
        print("Nothing to clean.")
    elif request.dry_run:
        print(f"Would free {_size(sum(i.bytes for i in items if not i.refused))}.")
    else:
        print(f"Freed {_size(freed + history)}.")
    return code


def _line(item: Item) -> str:
    word = "stays" if item.refused else ("freed" if item.freed else "free ")
    parked = f" (parked as {item.parked})" if item.parked else ""
    why = f": {item.refused}" if item.refused else parked
    return f"{word}  {item.run}  {item.kind:9}  {_size(item.bytes):>8}  {item.path}{why}"


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"

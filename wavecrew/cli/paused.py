"""Which run can go on, and with what: its own plan, but the model and limits of today."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from wavecrew.errors import UsageError
from wavecrew.journal.log import SqliteEventLog
from wavecrew.journal.state import fold
from wavecrew.plan.load import load_settings
from wavecrew.run.spec import Chosen, RunFolder, RunSpec, all_runs
from wavecrew.workspace.user_repo import UserRepository


def as_of_now(spec: RunSpec, given: Path | None, chosen: Chosen, repo: Path) -> RunSpec:
    """`spec` with what may change under a paused run: its model, limits and budget.

    They come from `given`, or the settings file the run was started with, or the
    repository's own, as the file is now; above it stand the options of the
    first command line, and above those the options `chosen` now. Without a file
    they stay as they were. PlanRejected when the file is wrong.
    """
    file = given.resolve() if given else Path(spec.settings_file or repo / "wavecrew.toml")
    settings = spec.settings
    if given or file.exists():
        now, before = load_settings(file), settings.model
        named = {
            "name": now.model.name or before.name,
            "base_url": now.model.base_url or before.base_url,
        }
        settings = settings.model_copy(
            update={
                "model": now.model.model_copy(update=named),
                "limits": now.limits,
                "budget": now.budget,
            }
        )
    chosen = chosen.above(spec.chosen)
    update = {"settings": chosen.over(settings), "chosen": chosen, "settings_file": str(file)}
    return spec.model_copy(update=update)


def unfinished(repository: UserRepository, digest: str) -> RunFolder | None:
    """The newest unfinished run of the same plan."""
    for folder in reversed(all_runs(repository.git_dir)):
        if not _is_finished(folder) and folder.load().digest == digest:
            return folder
    return None


def newest_unfinished(repository: UserRepository) -> RunFolder:
    found = [f for f in all_runs(repository.git_dir) if not _is_finished(f)]
    if not found:
        raise UsageError(
            "there is no paused run to go on with",
            where=str(repository.root),
            mend="start one with `wavecrew run`",
        )
    return found[-1]


def _is_finished(folder: RunFolder) -> bool:
    if not folder.events.exists():
        return False
    try:
        log = SqliteEventLog(folder.events, folder.run, read_only=True)
        try:
            return fold(log.read()).exit_code is not None
        finally:
            log.close()
    except sqlite3.Error:  # damaged: to go on with it is what mends it
        return False

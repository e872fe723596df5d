"""Which recorded run does a command mean, and which attempts does it have?"""

from __future__ import annotations

from pathlib import Path

from wavecrew.errors import UsageError
from wavecrew.run.spec import RunFolder, all_runs, file_name
from wavecrew.workspace.user_repo import UserRepository


def recorded_run(repo: Path, run: str | None) -> RunFolder:
    """The run of that name, or the newest. UsageError when there is none."""
    runs = all_runs(UserRepository.open(repo, clean=False).git_dir)
    if not runs:
        raise UsageError(
            "no run was ever started in this repository",
            where=str(repo),
            mend="`wavecrew run` starts one, `wavecrew demo` shows one",
        )
    found = [folder for folder in runs if run in (None, folder.run)]
    if not found:
        known = ", ".join(folder.run for folder in runs)
        raise UsageError(f"there is no run {run!r} in this repository", mend=f"known: {known}")
    return found[-1]


def attempt_folder(folder: RunFolder, task: str, attempt: int | None) -> Path:
    """The folder of one attempt of a task, or of `triage/ID` and `sync/ID`; the newest by default.

    UsageError when there is none.
    """
    kind, slash, subject = task.partition("/")
    is_manager = bool(slash) and kind in ("triage", "sync")
    name = f"{kind}-{file_name(subject)}" if is_manager else file_name(task)
    parent = folder.root / "attempts" / name
    numbers = sorted(int(place.parent.name) for place in parent.glob("[0-9]*/journal.jsonl"))
    if not numbers or (attempt is not None and attempt not in numbers):
        places = sorted(place.name for place in (folder.root / "attempts").glob("*"))
        mend = f"attempts of it: {numbers}" if numbers else f"recorded: {', '.join(places)}"
        raise UsageError(
            f"run {folder.run!r} has no journal of {task!r}"
            + (f", attempt {attempt}" if attempt is not None and numbers else ""),
            mend=mend,
        )
    return parent / str(attempt or numbers[-1])

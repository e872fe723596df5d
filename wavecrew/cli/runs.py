"""Which runs a repository has, and how one of them stands: what the commands that only look share.

Names come from a command line: a run is one of the names that are there, never
a path made of what was typed. Loads neither the engine nor a schema library.
"""

from __future__ import annotations

import difflib
import re
import sqlite3
import subprocess
from pathlib import Path

from wavecrew.errors import EnvironmentBroken, RepositoryError, UsageError
from wavecrew.journal.log import SqliteEventLog
from wavecrew.journal.state import RunState, fold


def git_dir_of(repo: Path) -> Path:
    """The repository's common git directory, by one quick git call."""
    try:
        done = subprocess.run(
            ["git", "-C", str(repo), "rev-parse", "--path-format=absolute", "--git-common-dir"],
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise EnvironmentBroken("git is not on PATH", mend="install git 2.38 or newer") from error
    if done.returncode:
        raise RepositoryError(f"{str(repo)!r} is not in a git repository", mend="give --repo DIR")
    return Path(done.stdout.decode().strip())


def runs_root(repo: Path) -> Path:
    return git_dir_of(repo) / "wavecrew" / "runs"


def names_in(root: Path) -> list[str]:
    """The runs below `root`, oldest first."""
    found = [entry.name for entry in root.iterdir()] if root.is_dir() else []
    return sorted((n for n in found if re.fullmatch(r"r\d+", n)), key=lambda n: int(n[1:]))


def named(root: Path, run: str) -> Path:
    """The folder of the run that is called so; UsageError when there is none."""
    names = names_in(root)
    if run in names:
        return root / run
    near = difflib.get_close_matches(run, names, 3) or names[-8:]
    raise UsageError(
        f"there is no run {run!r} in this repository",
        mend=f"known: {', '.join(near)}" if near else "`wavecrew run` starts one",
    )


def newest(root: Path) -> str:
    names = names_in(root)
    if not names:
        raise UsageError(
            "no run was ever started in this repository",
            where=str(root.parent.parent),
            mend="`wavecrew run` starts one, `wavecrew demo` shows one",
        )
    return names[-1]


def state_of(folder: Path) -> RunState:
    """The fold of a run's events. EnvironmentBroken when its log is missing or cannot be read."""
    path = folder / "events.db"
    if not path.is_file():
        raise EnvironmentBroken(
            f"run {folder.name!r} has no event log",
            where=str(folder),
            mend="it never started, or a part of its folder was deleted; its branches are kept",
        )
    try:
        log = SqliteEventLog(path, folder.name, read_only=True)
        try:
            return fold(log.read())
        finally:
            log.close()
    except (sqlite3.Error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EnvironmentBroken(
            f"the event log of run {folder.name!r} cannot be read: {error}",
            where=str(path),
            mend="the branches and the attic do not depend on it; `git branch --list 'wavecrew/*'`",
        ) from error

"""`wavecrew status`: how a run stands, read from its event log alone.

Works beside a running engine and long after it; starts fast, since it loads
neither the engine nor a schema library.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import asdict
from pathlib import Path

from wavecrew.errors import GitFailed, RepositoryError, UsageError
from wavecrew.journal.log import SqliteEventLog
from wavecrew.journal.state import RunState, fold

SIGNS = {"merged": "x", "blocked": "!", "running": ">", "gating": ">", "waiting": " "}


def show_status(repo: Path, run: str | None, *, as_json: bool) -> int:
    """Print one run's state, the newest by default."""
    root = _git_dir(repo) / "wavecrew" / "runs"
    state = _state(root, run or _newest(root, repo))
    if as_json:
        print(json.dumps(asdict(state), ensure_ascii=False, indent=1))
    else:
        print(status_text(state))
    return 0


def status_text(state: RunState) -> str:
    """The whole state in plain lines, for any terminal."""
    done = len(state.merged)
    how = state.outcome or "at work"
    lines = [
        f"Run {state.run}: {state.plan} - {how}",
        f"{done}/{len(state.tasks)} tasks merged; {state.model_calls} model calls, "
        f"{state.tokens} tokens; model {state.model}; sandbox {state.sandbox}",
        f"Integration branch {state.integration.removeprefix('refs/heads/')} at {state.tip[:12]}",
    ]
    for task in state.tasks.values():
        why = f" - {task.changed_reason}" if task.status == "blocked" else ""
        last = f" ({task.last})" if task.last and task.status not in ("merged", "waiting") else ""
        lines.append(f"[{SIGNS[task.status]}] {task.id} {task.title}: {task.status}{last}{why}")
    for sync in state.syncs.values():
        detail = f" - {sync.detail}" if sync.detail else ""
        lines.append(
            f"[{'x' if sync.status == 'open' else ' '}] {sync.title}: {sync.status}{detail}"
        )
    if state.outcome == "paused":
        lines.append("Go on with: wavecrew run --resume")
    return "\n".join(lines)


def _state(root: Path, run: str) -> RunState:
    path = root / run / "events.db"
    if not path.exists():
        raise UsageError(
            f"there is no run {run!r} in this repository", mend=f"known: {', '.join(_names(root))}"
        )
    log = SqliteEventLog(path, run, read_only=True)
    try:
        return fold(log.read())
    finally:
        log.close()


def _newest(root: Path, repo: Path) -> str:
    names = _names(root)
    if not names:
        raise UsageError(
            "no run was ever started in this repository",
            where=str(repo),
            mend="`wavecrew run` starts one, `wavecrew demo` shows one",
        )
    return names[-1]


def _names(root: Path) -> list[str]:
    found = [p.name for p in root.iterdir()] if root.is_dir() else []
    return sorted((n for n in found if re.fullmatch(r"r\d+", n)), key=lambda n: int(n[1:]))


def _git_dir(repo: Path) -> Path:
    """The repository's common git directory, by one quick git call."""
    try:
        done = subprocess.run(
            ["git", "-C", str(repo), "rev-parse", "--path-format=absolute", "--git-common-dir"],
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise GitFailed("git is not installed", mend="install git 2.38 or newer") from error
    if done.returncode:
        raise RepositoryError(f"{str(repo)!r} is not in a git repository", mend="give --repo DIR")
    return Path(done.stdout.decode().strip())

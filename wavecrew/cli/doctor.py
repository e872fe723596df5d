"""`wavecrew doctor`: what works here, what does not, and the mend for each."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from wavecrew.errors import WavecrewError

OLDEST_GIT = (2, 38)
"""`merge-tree --write-tree` came with it."""


@dataclass(frozen=True, slots=True)
class Item:
    name: str
    ok: bool
    detail: str
    mend: str = ""


def examine(repo: Path, base_url: str, *, as_json: bool) -> int:
    """Print every check; 0 when all that is needed works, else 7."""
    items = list(_items(repo, base_url))
    if as_json:
        print(json.dumps([asdict(item) for item in items], indent=1))
    else:
        for item in items:
            print(f"{'ok  ' if item.ok else 'FAIL'} {item.name}: {item.detail}")
            if item.mend:
                print(f"     {item.mend}")
    return 0 if all(item.ok for item in items) else 7


def _items(repo: Path, base_url: str) -> Iterator[Item]:
    yield _python()
    yield _git()
    yield _repository(repo)
    yield from _sandbox()
    yield _packages()
    yield _search()
    yield _disk(repo)
    yield _model(base_url)


def _python() -> Item:
    version = ".".join(map(str, sys.version_info[:3]))
    sqlite_ok = sys.version_info < (3, 12) or sqlite3.sqlite_version_info >= (3, 42)
    detail = f"Python {version}, SQLite {sqlite3.sqlite_version}"
    mend = "" if sqlite_ok else "use Python 3.11, or a Python with SQLite 3.42 or newer"
    return Item("Python", (3, 11) <= sys.version_info < (3, 14) and sqlite_ok, detail, mend)


def _git() -> Item:
    try:
        text = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return Item("git", False, "not found", "install git 2.38 or newer")
    words = text.stdout.split()
    version = tuple(int(part) for part in words[2].split(".")[:2])
    mend = "" if version >= OLDEST_GIT else "install git 2.38 or newer"
    return Item("git", version >= OLDEST_GIT, words[2], mend)


def _repository(repo: Path) -> Item:
    from wavecrew.workspace.user_repo import UserRepository

    return _tried(
        "repository", lambda: f"{UserRepository.open(repo, clean=False).root}", needed=False
    )


def _sandbox() -> Iterator[Item]:
    from wavecrew.sandbox.probe import probe

    found = probe()
    kept = sum(item.holds for item in found.items)
    how = f"{found.mode or 'none'}" + (" (degraded)" if found.degraded else "")
    whose = f", user: {found.uid_mode}" if found.uid_mode else ""
    yield Item("sandbox", found.works, f"{how}{whose}; {kept}/{len(found.items)} promises kept")
    for item in found.items:
        if not item.holds:
            yield Item("sandbox", found.degraded and bool(found.mode), item.name, item.mend)


def _packages() -> Item:
    """`crews` and `tools` are common names: whose are they here?"""
    home = Path(__file__).resolve().parents[2]
    for name in ("crews", "tools"):
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or home not in origin.parents:
            mend = "install with `uv tool install` or pipx, into an environment of its own"
            return Item("packages", False, f"{name!r} is not Wavecrew's: {origin}", mend)
    missing = [n for n in ("crewai", "langchain_openai") if importlib.util.find_spec(n) is None]
    if missing:
        return Item("packages", False, f"missing: {', '.join(missing)}", "install Wavecrew again")
    return Item("packages", True, "crews, tools, crewai and langchain_openai are in place")


def _search() -> Item:
    found = shutil.which("rg")
    return Item("search", True, "ripgrep" if found else "Python fallback (ripgrep is quicker)")


def _disk(repo: Path) -> Item:
    if not repo.exists():
        return Item("disk", False, f"there is no {str(repo)!r} to look at", "give --repo DIR")
    free = shutil.disk_usage(repo).free
    enough = free > 1_000_000_000
    mend = "" if enough else "free at least 1 GB: every agent has a tree of its own"
    return Item("disk", enough, f"{free / 1e9:.1f} GB free", mend)


def _model(base_url: str) -> Item:
    from wavecrew.plan.settings import ModelSettings
    from wavecrew.run.endpoint import check, resolve

    def answers() -> str:
        settings = resolve(ModelSettings(name="any"), os.environ, base_url=base_url)
        return check(settings, os.environ)

    return _tried("model endpoint", answers, needed=bool(base_url))


def _tried(name: str, look: Callable[[], str], *, needed: bool) -> Item:
    try:
        return Item(name, True, look())
    except WavecrewError as error:
        return Item(
            name, not needed, f"{error.what}{'' if needed else ' (needed for a run)'}", error.mend
        )

"""The real sandbox, and a run with a real repository, mirror and event log but no agents."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wavecrew.journal.log import SqliteEventLog
from wavecrew.journal.state import apply
from wavecrew.journal.state import fold as fold_events
from wavecrew.plan.load import load
from wavecrew.plan.settings import SandboxSettings
from wavecrew.run.budget import Purse
from wavecrew.run.parts import Parts
from wavecrew.run.spec import RunFolder, RunSpec
from wavecrew.sandbox import open_sandbox
from wavecrew.sandbox.model import Sandbox
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.user_repo import UserRepository

TINY = Path(__file__).resolve().parents[2] / "data" / "tiny"
CLEAN = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}


def git(repo: Path, *args: str) -> str:
    who = ("-c", "user.name=User", "-c", "user.email=user@localhost")
    done = subprocess.run(["git", *who, *args], cwd=repo, env=CLEAN, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return open_sandbox(SandboxSettings())


@pytest.fixture
def user_repo(tmp_path: Path) -> Path:
    """A user's repository with one commit on main."""
    repo = tmp_path / "user"
    repo.mkdir()
    git(repo, "init", "-q", "-b", "main")
    (repo / "a.py").write_text("a = 1\n")
    (repo / ".gitignore").write_text("*.pyc\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "first")
    return repo


@pytest.fixture
def parts(user_repo: Path, sandbox: Sandbox) -> Iterator[Parts]:
    """Run r1 of the tiny plan, as it stands right after its start."""
    repository = UserRepository.open(user_repo)
    loaded = load(TINY / "agents.yaml", TINY / "tasks.yaml", TINY / "wavecrew.toml")
    spec = RunSpec(
        run="r1",
        plan=loaded.plan,
        roles=tuple(loaded.roles.values()),
        settings=loaded.settings,
        base=repository.head,
        only=tuple(task.id for task in loaded.plan.tasks),
    )
    folder = RunFolder(repository.git_dir / "wavecrew" / "runs" / "r1")
    folder.root.mkdir(parents=True)
    folder.save(spec)
    log = SqliteEventLog(folder.events, "r1")
    host: Any = SimpleNamespace()
    made = Parts(
        spec=spec,
        folder=folder,
        repository=repository,
        mirror=Mirror.open(folder.mirror, repository),
        sandbox=sandbox,
        log=log,
        state=fold_events(()),
        host=host,
        purse=Purse(spec.settings.budget, clock=time.monotonic),
        sockets=folder.root,
        clock=lambda: 1_700_000_000,
    )
    log.on_append = lambda event: apply(made.state, event)
    repository.update_ref(spec.integration_ref, spec.base, None)
    yield made
    log.close()

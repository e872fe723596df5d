"""The real sandbox, and a run with a real repository, mirror and event log but no agents."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wavecrew.journal import events as e
from wavecrew.journal.attempt import AttemptJournal
from wavecrew.journal.log import SqliteEventLog
from wavecrew.journal.shelf import FolderShelf
from wavecrew.journal.state import apply
from wavecrew.journal.state import fold as fold_events
from wavecrew.plan.load import load
from wavecrew.plan.settings import SandboxSettings
from wavecrew.run.budget import Purse
from wavecrew.run.kept import Attempted
from wavecrew.run.parts import Parts
from wavecrew.run.spec import RunFolder, RunSpec
from wavecrew.sandbox import open_sandbox
from wavecrew.sandbox.model import Caps, Sandbox
from wavecrew.workspace.hub import HubRepository
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import Author, Repository
from wavecrew.workspace.user_repo import UserRepository
from wavecrew.workspace.workspace import Workspace

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
    made = parts_of(repository, repository.head, sandbox)
    repository.update_ref(made.spec.integration_ref, made.spec.base, None)
    yield made
    made.log.close()


def parts_of(repository: Repository, base: str, sandbox: Sandbox) -> Parts:
    """What one engine of run r1 works with."""
    loaded = load(TINY / "agents.yaml", TINY / "tasks.yaml", TINY / "wavecrew.toml")
    spec = RunSpec(
        run="r1",
        plan=loaded.plan,
        roles=tuple(loaded.roles.values()),
        settings=loaded.settings,
        base=base,
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
        shelf=FolderShelf(folder.root),
        log=log,
        state=fold_events(()),
        host=host,
        purse=Purse(spec.settings.budget),
        sockets=folder.root,
        clock=lambda: 1_700_000_000,
    )
    log.on_append = lambda event: apply(made.state, event)
    return made


@pytest.fixture
def machines(user_repo: Path, sandbox: Sandbox, tmp_path: Path) -> Iterator[list[Parts]]:
    """Two machines that work for run r1 over one hub, each with a folder of its own."""
    hub = tmp_path / "hub.git"
    git(user_repo, "init", "-q", "--bare", str(hub))
    base = git(user_repo, "rev-parse", "HEAD")
    git(user_repo, "push", "-q", str(hub), f"{base}:refs/heads/wavecrew/r1/integration")
    folders = (tmp_path / name for name in ("one", "other"))
    made = [parts_of(HubRepository.open(str(hub), f), base, sandbox) for f in folders]
    yield made
    for parts in made:
        parts.lessor.close()
        parts.log.close()


class Worked:
    """What an agent leaves behind, made as the engine makes it, without an agent."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def attempt(self, task: str, number: int, shell: str, *, journal: bool = True) -> Attempted:
        """An attempt whose agent ran `shell` and recorded its tree in its journal."""
        parts = self.parts
        folder = parts.folder.attempt(task, number)
        folder.mkdir(parents=True)
        workspace = self.workspace(folder, create=True)
        done = parts.sandbox.run(workspace.command(shell, Caps(wall_s=30)))
        assert done.exit_code == 0, done.stdout
        tree = workspace.snapshot()
        given = {
            "kind": "task",
            "subject": task,
            "attempt": number,
            "workspace": {"base": parts.spec.base},
            "task": {"title": "A task"},
            "role": {"name": "author"},
        }
        (folder / "assignment.json").write_text(json.dumps(given))
        if journal:
            record = AttemptJournal.open(folder / "journal.jsonl")
            record.exchange("tool", {"tool": "run_command"}, lambda: {"snapshot": tree})
            record.close()
        (folder / "home").mkdir()
        (folder / "home" / "f").write_bytes(b"x" * 9000)
        return Attempted.read(folder)

    def workspace(self, folder: Path, *, create: bool = False) -> Workspace:
        make = Workspace.create if create else Workspace.open
        return make(
            folder / "ws", self.parts.mirror.objects, self.parts.spec.base, self.parts.sandbox
        )

    def change(self, tried: Attempted, shell: str) -> None:
        workspace = self.workspace(tried.folder)
        done = self.parts.sandbox.run(workspace.command(shell, Caps(wall_s=30)))
        assert done.exit_code == 0, done.stdout

    def passed(self, tried: Attempted) -> str:
        """Commit the attempt's tree and say that its gate passed; on no branch yet."""
        parts = self.parts
        workspace = self.workspace(tried.folder)
        tree = workspace.snapshot()
        parts.mirror.import_pack(workspace.pack(tree), tree, tried.base)
        who = Author("author", "author@localhost")
        commit = parts.mirror.commit(tree, (tried.base,), f"{tried.task}\n", who, 1_700_000_000)
        parts.log.append(
            e.GateFinished(tried.task, tried.number, 1, "pass", [], tree, commit, 1, 0, "done", "r")
        )
        return commit

    def finish(self) -> None:
        self.parts.log.append(e.RunFinished("task_failed", 3, 0, 2, self.parts.spec.base))


@pytest.fixture
def worked(parts: Parts) -> Worked:
    sync: list[dict[str, Any]] = []
    tasks = [{"id": t.id, "title": t.title, "role": t.agent} for t in parts.spec.tasks]
    parts.log.append(
        e.RunStarted(
            plan="Tiny",
            base=parts.spec.base,
            integration=parts.spec.integration_ref,
            model="m",
            rehearsal=True,
            sandbox="bubblewrap",
            tasks=tasks,
            sync_points=sync,
            roles=[],
        )
    )
    return Worked(parts)

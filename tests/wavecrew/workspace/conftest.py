"""Real repositories in a temporary folder, and the real sandbox."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from wavecrew.plan.settings import SandboxSettings
from wavecrew.sandbox import open_sandbox
from wavecrew.sandbox.model import Caps, Sandbox
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import Author
from wavecrew.workspace.user_repo import UserRepository
from wavecrew.workspace.workspace import Workspace

_CLEAN = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}


@dataclass
class Shop:
    """A user's repository and everything a run would have around it."""

    folder: Path
    sandbox: Sandbox

    @property
    def user(self) -> Path:
        return self.folder / "user"

    def git(self, *args: str, cwd: Path | None = None) -> str:
        who = ("-c", "user.name=User", "-c", "user.email=user@localhost")
        done = subprocess.run(
            ["git", *who, *args], cwd=cwd or self.user, env=_CLEAN, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def start(self, files: dict[str, str]) -> str:
        """Make the user's repository with one commit; gives it."""
        self.user.mkdir()
        self.git("init", "-q", "-b", "main")
        return self.edit(files)

    def edit(self, files: dict[str, str]) -> str:
        for name, text in files.items():
            path = self.user / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "edit")
        return self.git("rev-parse", "HEAD")

    def mirror(self) -> Mirror:
        repository = UserRepository.open(self.user, clean=False)
        return Mirror.open(self.folder / "run" / "mirror.git", repository)

    def branch(self, mirror: Mirror, base: str, files: dict[str, bytes | None]) -> str:
        """A commit on top of `base`, made as the engine makes one."""
        tree = mirror.write_tree(mirror.tree_of(base), files)
        return mirror.commit(tree, (base,), "work", Author("Role", "role@localhost"), 1_700_000_000)

    def workspace(self, mirror: Mirror, name: str = "ws", **more: object) -> Workspace:
        return Workspace.create(
            self.folder / name, mirror.objects, mirror.repository.head, self.sandbox, **more
        )

    def run(self, workspace: Workspace, shell: str) -> str:
        ended = self.sandbox.run(workspace.command(shell, Caps(wall_s=30)))
        text = ended.stdout.decode("utf-8", "replace")
        assert ended.exit_code == 0, text
        return text

    def put(self, mirror: Mirror, commit: str, ref: str) -> None:
        assert mirror.publish(ref, commit, None)


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    return open_sandbox(SandboxSettings())


@pytest.fixture
def shop(tmp_path: Path, sandbox: Sandbox) -> Shop:
    return Shop(tmp_path, sandbox)


@pytest.fixture(scope="module")
def module_shop(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Shop:
    """A shop that many examples share."""
    return Shop(tmp_path_factory.mktemp("shop").resolve(), sandbox)

"""Real repositories in a temporary folder, and the real sandbox."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from wavecrew.plan.settings import SandboxSettings
from wavecrew.sandbox import open_sandbox
from wavecrew.sandbox.model import Caps, Sandbox
from wavecrew.workspace.hub import HubRepository
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import Author
from wavecrew.workspace.refs import integration_ref
from wavecrew.workspace.remote import Patience
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


SSH = Path(__file__).resolve().parents[2] / "data" / "ssh_stand_in.py"
HASTY = Patience(quick_s=20, transfer_s=20, tries=4, pause_s=0.05)


@dataclass
class Hub:
    """A bare repository, the workers that share it, and a line to it that can be harmed."""

    shop: Shop
    base: str
    """Where the integration branch of run r1 begins."""
    ref: str = integration_ref("r1")

    @property
    def path(self) -> Path:
        return self.shop.folder / "hub.git"

    @property
    def control(self) -> Path:
        return self.shop.folder / "line"

    @property
    def ssh(self) -> str:
        """Address over the stand-in for ssh, see tests/data/ssh_stand_in.py."""
        return f"ssh://hub{self.path}"

    def worker(self, name: str = "w1", url: str = "", patience: Patience = HASTY) -> Mirror:
        folder = self.shop.folder / name
        repository = HubRepository.open(url or str(self.path), folder, patience)
        return Mirror.open(folder / "run" / "mirror.git", repository)

    def at(self, ref: str = "") -> str:
        """The commit a ref has at the hub itself; empty when there is none."""
        return self.git("for-each-ref", "--format=%(objectname)", ref or self.ref)

    def git(self, *args: str) -> str:
        return self.shop.git(*args, cwd=self.path)

    def harm(self, *faults: str) -> None:
        (self.control / "faults").write_text("".join(f"{fault}\n" for fault in faults))

    def calls(self) -> list[str]:
        """What was asked over the line since this was asked last."""
        path = self.control / "calls"
        said = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return said

    def hook(self, name: str, text: str) -> None:
        path = self.path / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)


@pytest.fixture
def hub(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Hub:
    base = shop.start({"a": "1\n", "b": "1\n"})
    made = Hub(shop, base)
    made.control.mkdir()
    shop.git("init", "-q", "--bare", str(made.path))
    shop.git("push", "-q", str(made.path), f"{base}:{made.ref}")
    monkeypatch.setenv("GIT_SSH_COMMAND", f"{sys.executable} -S -E {SSH} {made.control}")
    monkeypatch.setenv("GIT_SSH_VARIANT", "ssh")
    return made


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


@pytest.fixture(scope="session")
def shop_in(sandbox: Sandbox) -> Callable[[Path], Shop]:
    """For tests that need several: a shop in a folder."""
    return lambda folder: Shop(folder, sandbox)

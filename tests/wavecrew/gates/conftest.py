"""A real mirror, the real sandbox, and short ways to ask the gates about them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wavecrew.gates.gate import GateInput, VerifyInput
from wavecrew.journal.shelf import FolderShelf
from wavecrew.plan.settings import Check, SandboxSettings, Settings
from wavecrew.sandbox.choose import open_sandbox
from wavecrew.sandbox.model import Sandbox
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import Author
from wavecrew.workspace.user_repo import UserRepository

UNIT = Check(name="unit", run="python -m pytest -q", kind="pytest", timeout_s=60)
WHO = Author("a", "a@localhost")


@dataclass(frozen=True)
class Change:
    path: str
    status: str
    mode: str


class Commits:
    """Short ways to make commits in a run's mirror."""

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror
        self.tree_of = mirror.tree_of

    def commit(self, files: Mapping[str, str | None], base: str = "") -> str:
        """A commit whose tree is the base's with these files; None removes one."""
        before = self.tree_of(base) if base else self.mirror.empty_tree()
        contents = {path: None if text is None else text.encode() for path, text in files.items()}
        return self._commit(self.mirror.write_tree(before, contents), base)

    def link_repository(self, path: str, base: str) -> str:
        """A commit that adds a gitlink at the root."""
        entries = self.mirror.git.run("ls-tree", base) + f"160000 commit {base}\t{path}\n".encode()
        return self._commit(self.mirror.git.run("mktree", stdin=entries).decode().strip(), base)

    def _commit(self, tree: str, base: str) -> str:
        return self.mirror.commit(tree, (base,) if base else (), "x\n", WHO, 1_700_000_000)


class Trees:
    """Trees in memory, for what only compares files."""

    def __init__(self, **trees: Mapping[str, str]) -> None:
        self.trees = trees

    def changes(self, base: str, tree: str) -> tuple[Change, ...]:
        old, new = self.trees[base], self.trees[tree]
        found = []
        for path in sorted(old.keys() | new.keys()):
            if old.get(path) != new.get(path):
                status = "D" if path not in new else "A" if path not in old else "M"
                found.append(Change(path, status, "000000" if status == "D" else "100644"))
        return tuple(found)

    def read_all(self, treeish: str, paths: Iterable[str]) -> dict[str, bytes]:
        files = self.trees[treeish]
        return {path: files[path].encode() for path in paths if path in files}

    def tree_of(self, commit: str) -> str:
        return commit

    def checkout(self, tree: str, into: Path, sandbox: Sandbox) -> None:
        for path, text in self.trees[tree].items():
            target = into / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)


@pytest.fixture
def commits(tmp_path: Path) -> Commits:
    user = tmp_path / "user"
    git = ("git", "-C", str(user), "-c", "user.name=a", "-c", "user.email=a@localhost")
    subprocess.run(["git", "init", "-q", str(user)], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    return Commits(Mirror.open(tmp_path / "mirror.git", UserRepository.open(user)))


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    # Without other plugins each pytest starts a second or more sooner.
    settings = SandboxSettings(env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    opened = open_sandbox(settings)
    yield opened
    opened.cancel_all()


@pytest.fixture
def asked(commits: Commits, sandbox: Sandbox, tmp_path: Path) -> Callable[..., GateInput]:
    """A GateInput for two commits of the mirror; keywords replace its fields."""

    def make(base: str, branch: str, **given: Any) -> GateInput:
        fields: dict[str, Any] = {
            "mirror": commits.mirror,
            "sandbox": sandbox,
            "base": base,
            "tree": commits.tree_of(branch),
            "scope": (("**",),),
            "checks": (UNIT,),
            "settings": Settings(),
            "run_dir": tmp_path / "run",
            "shelf": FolderShelf(tmp_path / "run"),
            "name": "task-1.1-1",
        }
        return GateInput(**(fields | given))

    return make


@pytest.fixture
def merged(asked: Callable[..., GateInput]) -> Callable[..., VerifyInput]:
    """The same for a merged tree."""

    def make(base: str, branch: str, **given: Any) -> VerifyInput:
        whole = asked(base, branch, **given)
        names = VerifyInput.__dataclass_fields__
        return VerifyInput(**{name: getattr(whole, name) for name in names})

    return make


@pytest.fixture(scope="session")
def trees() -> type[Trees]:
    return Trees

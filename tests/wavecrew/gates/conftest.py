"""Real bare repositories, the real sandbox, and short ways to ask the gates about them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wavecrew.gates.gate import GateInput, VerifyInput
from wavecrew.plan.settings import Check, SandboxSettings, Settings
from wavecrew.sandbox.bubblewrap import Bubblewrap
from wavecrew.sandbox.model import Command, Mount, Sandbox
from wavecrew.sandbox.toolchain import toolchain

UNIT = Check(name="unit", run="python -m pytest -q", kind="pytest", timeout_s=60)
IDENTITY = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@localhost",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@localhost",
    "PATH": "/usr/bin:/bin",
}


@dataclass(frozen=True)
class Change:
    path: str
    status: str
    mode: str


class Bare:
    """What the gates need of a mirror, on a plain bare repository."""

    def __init__(self, path: Path) -> None:
        self.path = path
        subprocess.run(["git", "init", "-q", "--bare", str(path)], check=True, env=IDENTITY)

    def git(self, *args: str, stdin: bytes = b"", index: Path | None = None) -> bytes:
        env = IDENTITY | ({"GIT_INDEX_FILE": str(index)} if index else {})
        argv = ["git", f"--git-dir={self.path}", *args]
        return subprocess.run(argv, input=stdin, check=True, env=env, capture_output=True).stdout

    def commit(self, files: Mapping[str, str | None], base: str = "") -> str:
        """A commit whose tree is the base's with these files; None removes one."""
        index = self.path / "scratch-index"
        index.unlink(missing_ok=True)
        if base:
            self.git("read-tree", base, index=index)
        for path, text in files.items():
            if text is None:
                gone = f"0 {'0' * 40}\t{path}\0".encode()
                self.git("update-index", "-z", "--index-info", stdin=gone, index=index)
            else:
                blob = (
                    self.git("hash-object", "-w", "--stdin", stdin=text.encode()).decode().strip()
                )
                entry = f"100644,{blob},{path}"
                self.git("update-index", "--add", "--cacheinfo", entry, index=index)
        return self._committed(index, base)

    def link_repository(self, path: str, base: str) -> str:
        """A commit that adds a gitlink."""
        index = self.path / "scratch-index"
        self.git("read-tree", base, index=index)
        self.git("update-index", "--add", "--cacheinfo", f"160000,{base},{path}", index=index)
        return self._committed(index, base)

    def _committed(self, index: Path, base: str) -> str:
        tree = self.git("write-tree", index=index).decode().strip()
        parents = ("-p", base) if base else ()
        return self.git("commit-tree", tree, *parents, "-m", "x").decode().strip()

    def changes(self, base: str, tree: str) -> tuple[Change, ...]:
        raw = self.git("diff-tree", "-r", "-z", "--no-renames", base, tree).split(b"\0")[:-1]
        found = []
        for head, path in zip(raw[::2], raw[1::2], strict=True):
            _, mode, _, _, status = head.decode().split(" ")
            found.append(Change(path.decode("utf-8", "surrogateescape"), status, mode))
        return tuple(found)

    def read_all(self, treeish: str, paths: Iterable[str]) -> dict[str, bytes]:
        found = {}
        for path in paths:
            if self.git("ls-tree", treeish, "--", path):
                found[path] = self.git("cat-file", "blob", f"{treeish}:{path}")
        return found

    def tree_of(self, commit: str) -> str:
        return self.git("rev-parse", f"{commit}^{{tree}}").decode().strip()

    def checkout(self, tree: str, into: Path, sandbox: Sandbox) -> None:
        script = "git archive --format=tar $0 | tar -x -C /workspace"
        command = Command(
            argv=("sh", "-c", script, tree),
            mounts=(Mount(into, "/workspace", writable=True), Mount(self.path, "/bare")),
            env={
                "GIT_DIR": "/bare",
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
            },
        )
        done = sandbox.run(command)
        assert done.exit_code == 0, done.stdout


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
def bare(tmp_path: Path) -> Bare:
    return Bare(tmp_path / "bare.git")


@pytest.fixture(scope="session")
def sandbox() -> Bubblewrap:
    env = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # a second or more for each pytest
    return Bubblewrap(toolchain(SandboxSettings()), env)


@pytest.fixture
def asked(bare: Bare, sandbox: Bubblewrap, tmp_path: Path) -> Callable[..., GateInput]:
    """A GateInput for two commits of `bare`; keywords replace its fields."""

    def make(base: str, branch: str, **given: Any) -> GateInput:
        fields: dict[str, Any] = {
            "mirror": bare,
            "sandbox": sandbox,
            "base": base,
            "tree": bare.tree_of(branch),
            "scope": (("**",),),
            "checks": (UNIT,),
            "settings": Settings(),
            "run_dir": tmp_path / "run",
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

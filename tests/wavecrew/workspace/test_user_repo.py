from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from wavecrew.errors import GitFailed, RepositoryError, UsageError
from wavecrew.workspace import git as plumbing
from wavecrew.workspace.user_repo import UserRepository

REF = "refs/heads/wavecrew/r/integration"


def test_a_clean_repository_is_read(shop: Any) -> None:
    commit = shop.start({"a.py": "x = 1\n"})
    found = UserRepository.open(shop.user)
    assert found.head == commit
    assert found.git_dir == shop.user / ".git"
    assert found.objects == (shop.user / ".git" / "objects",)
    assert found.read_ref("refs/heads/main") == commit
    assert found.read_ref("refs/heads/none") is None


def test_a_folder_inside_the_repository_will_do(shop: Any) -> None:
    shop.start({"pkg/a.py": "x = 1\n"})
    assert UserRepository.open(shop.user / "pkg").root == shop.user


def test_a_missing_path_is_told(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="no such path"):
        UserRepository.open(tmp_path / "none")


def test_a_folder_that_is_no_repository_is_told(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="not a git repository"):
        UserRepository.open(tmp_path)


def test_a_repository_without_commits_is_told(shop: Any) -> None:
    shop.user.mkdir()
    shop.git("init", "-q")
    with pytest.raises(RepositoryError, match="no commit"):
        UserRepository.open(shop.user)


def test_a_bare_repository_is_told(shop: Any, tmp_path: Path) -> None:
    shop.start({"a": "1"})
    shop.git("clone", "-q", "--bare", str(shop.user), str(tmp_path / "bare.git"))
    with pytest.raises(RepositoryError, match="bare"):
        UserRepository.open(tmp_path / "bare.git")


def test_changed_tracked_files_are_told_by_name(shop: Any) -> None:
    shop.start({"a.py": "x = 1\n"})
    (shop.user / "a.py").write_text("x = 2\n")
    with pytest.raises(RepositoryError, match=r"a\.py"):
        UserRepository.open(shop.user)
    assert UserRepository.open(shop.user, clean=False).root == shop.user


def test_untracked_files_are_a_note(shop: Any) -> None:
    shop.start({"a.py": "x = 1\n"})
    (shop.user / "new.py").write_text("")
    assert UserRepository.open(shop.user).untracked == ("new.py",)


def test_an_unfinished_merge_is_told(shop: Any) -> None:
    shop.start({"a.py": "x = 1\n"})
    shop.git("checkout", "-q", "-b", "side")
    shop.edit({"b.py": "side\n"})
    shop.git("checkout", "-q", "main")
    shop.edit({"c.py": "main\n"})
    shop.git("merge", "-q", "--no-commit", "--no-ff", "side")
    with pytest.raises(RepositoryError, match="merge is unfinished"):
        UserRepository.open(shop.user)


def test_a_partial_clone_is_told(shop: Any) -> None:
    shop.start({"a": "1"})
    shop.git("config", "core.repositoryFormatVersion", "1")
    shop.git("config", "extensions.partialClone", "origin")
    with pytest.raises(RepositoryError, match="partial clone"):
        UserRepository.open(shop.user)


def test_a_branch_in_the_way_is_told(shop: Any) -> None:
    shop.start({"a": "1"})
    shop.git("branch", "wavecrew")
    with pytest.raises(RepositoryError, match="git branch -m wavecrew"):
        UserRepository.open(shop.user)


def test_a_missing_git_is_told(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.start({"a": "1"})
    monkeypatch.setenv("PATH", str(shop.user))
    plumbing.executable.cache_clear()
    try:
        with pytest.raises(GitFailed, match="not on PATH"):
            UserRepository.open(shop.user)
    finally:
        plumbing.executable.cache_clear()


def test_a_linked_worktree_shares_the_common_directory(shop: Any, tmp_path: Path) -> None:
    shop.start({"a": "1"})
    shop.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    found = UserRepository.open(tmp_path / "linked")
    assert (found.root, found.git_dir) == (tmp_path / "linked", shop.user / ".git")


def test_variables_of_a_hook_do_not_lead_elsewhere(
    shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = shop.start({"a": "1"})
    (tmp_path / "other").mkdir()
    shop.git("init", "-q", cwd=tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other" / ".git" / "index"))
    found = UserRepository.open(shop.user)
    assert (found.head, found.read_ref("refs/heads/main")) == (commit, commit)


def test_borrowed_stores_are_named(shop: Any, tmp_path: Path) -> None:
    shop.start({"a": "1"})
    shop.git("clone", "-q", "--shared", str(shop.user), str(tmp_path / "clone"))
    found = UserRepository.open(tmp_path / "clone")
    assert found.objects[1:] == (shop.user / ".git" / "objects",)


def test_opening_changes_no_byte_of_the_git_directory(shop: Any) -> None:
    shop.start({"a": "1"})
    os.utime(shop.user / "a", (1, 1))  # stat data that a refresh would write into the index
    before = _bytes(shop.user / ".git")
    UserRepository.open(shop.user)
    assert _bytes(shop.user / ".git") == before


def test_a_ref_moves_only_from_where_it_was_seen(shop: Any) -> None:
    one = shop.start({"a": "1"})
    two = shop.edit({"a": "2"})
    found = UserRepository.open(shop.user)
    assert found.update_ref(REF, one, None)
    assert not found.update_ref(REF, two, None)
    assert not found.update_ref(REF, one, two)
    assert found.read_ref(REF) == one
    assert found.update_ref(REF, two, one)
    assert found.read_ref(REF) == two


def test_refs_of_the_user_are_never_written(shop: Any) -> None:
    commit = shop.start({"a": "1"})
    with pytest.raises(UsageError):
        UserRepository.open(shop.user).update_ref("refs/heads/main", commit, commit)


def test_a_branch_that_is_checked_out_is_not_moved(shop: Any) -> None:
    one = shop.start({"a": "1"})
    two = shop.edit({"a": "2"})
    found = UserRepository.open(shop.user)
    assert found.update_ref(REF, one, None)
    shop.git("checkout", "-q", "wavecrew/r/integration")
    with pytest.raises(RepositoryError, match="checked out"):
        found.update_ref(REF, two, one)


def test_the_lock_of_a_killed_git_does_not_stop_a_run(shop: Any) -> None:
    commit = shop.start({"a": "1"})
    lock = shop.user / ".git" / f"{REF}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    old = time.time() - 60
    os.utime(lock, (old, old))
    assert UserRepository.open(shop.user).update_ref(REF, commit, None)
    assert not lock.exists()


def test_hooks_of_the_user_do_not_run(shop: Any, tmp_path: Path) -> None:
    commit = shop.start({"a": "1"})
    hook = shop.user / ".git" / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/fired\n")
    hook.chmod(0o755)
    shop.git("tag", "control")
    assert (tmp_path / "fired").exists()
    (tmp_path / "fired").unlink()
    assert UserRepository.open(shop.user).update_ref(REF, commit, None)
    assert not (tmp_path / "fired").exists()


def _bytes(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}

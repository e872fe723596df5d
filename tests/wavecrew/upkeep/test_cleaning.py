"""What of an ended run may go: with real workspaces, mirrors, locks and refs."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wavecrew.run.branches import publish
from wavecrew.run.disk import remove, size_of
from wavecrew.run.parts import Parts
from wavecrew.upkeep.cleaning import Item, Wish, clean
from wavecrew.workspace import attic

SURE = Wish()


def cleaned(parts: Parts, wish: Wish = SURE) -> dict[str, Item]:
    items = clean(parts.folder, parts.state, parts.repository, wish, when=1_700_000_000)
    return {f"{item.kind} {Path(item.path).relative_to(parts.folder.root)}": item for item in items}


def refs(parts: Parts) -> bytes:
    return parts.repository.git.run("for-each-ref")


def test_what_is_on_a_branch_is_freed_and_the_branch_stays(parts: Parts, worked: Any) -> None:
    task = parts.spec.tasks[0]
    tried = worked.attempt(task.id, 1, "echo 'a = 2' >a.py; echo x >junk.pyc")
    publish(parts, task, worked.passed(tried))
    worked.finish()
    before = refs(parts)
    dry = cleaned(parts, Wish(dry_run=True))
    assert tried.folder.joinpath("ws").exists()
    items = cleaned(parts)
    assert set(items) == set(dry)
    assert {item.kind for item in items.values()} == {"workspace", "scratch", "mirror"}
    assert all(item.freed and item.bytes > 0 for item in items.values())
    assert not tried.folder.joinpath("ws").exists()
    assert not parts.folder.mirror.exists()
    assert tried.folder.joinpath("journal.jsonl").exists()
    assert refs(parts) == before
    assert cleaned(parts) == {}


def test_work_that_is_nowhere_else_stays_until_it_is_parked(parts: Parts, worked: Any) -> None:
    tried = worked.attempt("1", 1, "echo 'a = 2' >a.py")
    worked.finish()
    items = cleaned(parts, Wish(history=True))
    assert items["workspace attempts/1/1/ws"].refused.startswith("unmerged: its newest snapshot")
    assert "a workspace needs it" in items["mirror mirror.git"].refused
    assert "must stay" in items["history ."].refused
    assert items["scratch attempts/1/1/home"].freed
    items = cleaned(parts, Wish(park=True))
    assert items["workspace attempts/1/1/ws"].parked == "refs/wavecrew/attic/r1/1/1"
    assert not tried.folder.joinpath("ws").exists()
    (one,) = attic.parked(parts.repository.git)
    assert parts.repository.git.run("show", f"{one.commit}:a.py") == b"a = 2\n"


def test_a_tree_that_was_changed_after_it_was_saved_is_dirty(parts: Parts, worked: Any) -> None:
    task = parts.spec.tasks[0]
    tried = worked.attempt(task.id, 1, "echo 'a = 2' >a.py")
    publish(parts, task, worked.passed(tried))
    worked.change(tried, "echo more >new.py")
    worked.finish()
    (item,) = [i for i in cleaned(parts).values() if i.kind == "workspace"]
    assert item.refused.startswith("dirty: its files differ")
    worked.change(tried, "mkdir inner && git init -q inner && echo x >inner/f")
    (item,) = [i for i in cleaned(parts, Wish(park=True)).values() if i.kind == "workspace"]
    assert "cannot be parked" in item.refused
    assert tried.folder.joinpath("ws").exists()


def test_a_commit_that_no_ref_reaches_keeps_the_mirror(parts: Parts, worked: Any) -> None:
    task = parts.spec.tasks[0]
    tried = worked.attempt(task.id, 1, "echo 'a = 2' >a.py", journal=False)
    commit = worked.passed(tried)
    worked.change(tried, "git checkout -q -- . && git clean -fdq")
    worked.finish()
    items = cleaned(parts, Wish(history=True))
    assert f"unmerged: {commit[:12]}" in items["mirror mirror.git"].refused
    assert "unmerged" in items["history ."].refused


def test_a_run_that_an_engine_holds_or_that_is_not_over_is_left_alone(
    parts: Parts, worked: Any
) -> None:
    worked.attempt("1", 1, "true")
    (item,) = cleaned(parts).values()
    assert "not over" in item.refused
    worked.finish()
    lock = parts.folder.lock()
    (item,) = cleaned(parts, Wish(history=True, park=True)).values()
    assert item.refused.startswith("leased: ")
    os.close(lock)
    assert all(item.freed for item in cleaned(parts).values())


def test_history_takes_the_folder_and_no_ref(parts: Parts, worked: Any) -> None:
    worked.attempt("1", 1, "true")
    worked.finish()
    before = refs(parts)
    dry = cleaned(parts, Wish(history=True, dry_run=True))
    assert sum(item.bytes for item in dry.values()) == size_of(parts.folder.root)
    assert cleaned(parts, Wish(history=True))["history ."].freed
    assert not parts.folder.root.exists()
    assert refs(parts) == before


@pytest.mark.parametrize("gone", ["run.json", "mirror.git", "attempts/1/1/assignment.json"])
def test_of_a_folder_that_is_half_gone_no_work_is_deleted(
    parts: Parts, worked: Any, gone: str
) -> None:
    tried = worked.attempt("1", 1, "echo 'a = 2' >a.py")
    worked.finish()
    path = parts.folder.root / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    items = cleaned(parts, Wish(history=True, park=True))
    assert items["workspace attempts/1/1/ws"].refused
    assert items["history ."].refused
    assert tried.folder.joinpath("ws", "tree", "a.py").exists()


def test_links_are_never_followed(parts: Parts, worked: Any, tmp_path: Path) -> None:
    worked.finish()
    precious = tmp_path / "precious"
    (precious / "ws").mkdir(parents=True)
    (precious / "f").write_text("x")
    attempts = parts.folder.root / "attempts" / "1"
    attempts.mkdir(parents=True)
    (attempts / "1").symlink_to(precious)
    (parts.folder.root / "scratch").symlink_to(precious)
    items = cleaned(parts, Wish(park=True))
    assert all(item.refused for item in items.values() if item.kind != "mirror")
    assert (precious / "f").exists()
    assert (precious / "ws").exists()
    other = replace(parts.folder, root=parts.folder.root.parent / "r2")
    other.root.symlink_to(parts.folder.root)
    (item,) = clean(other, parts.state, parts.repository, SURE, when=1)
    assert "a link" in item.refused


def test_a_folder_of_locked_folders_and_links_out_is_removed_whole(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text("x")
    tree = tmp_path / "tree"
    (tree / "locked" / "deep").mkdir(parents=True)
    (tree / "locked" / "deep" / "f").write_bytes(b"x" * 5000)
    (tree / "out").symlink_to(outside)
    os.link(tree / "locked" / "deep" / "f", tree / "same")
    assert 5000 < size_of(tree) < 40_000
    (tree / "locked").chmod(0)
    remove(tree)
    remove(tree)
    assert not tree.exists()
    assert (outside / "f").exists()

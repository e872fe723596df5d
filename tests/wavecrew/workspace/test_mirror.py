from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from wavecrew.errors import DiskFull, GitFailed
from wavecrew.workspace.git import Git
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import ENGINE, Change, Conflicted, Merged
from wavecrew.workspace.user_repo import UserRepository

REF = "refs/heads/wavecrew/r/1.1"


def test_trees_are_written_and_read_back(shop: Any) -> None:
    base = shop.start({"a.py": "1\n", "d/b.py": "2\n", "run.sh": "x\n"})
    (shop.user / "run.sh").chmod(0o755)
    base = shop.edit({})
    mirror = shop.mirror()
    made: dict[str, bytes | None] = {"a.py": None, "d/ü.py": b"3\n", "run.sh": b"y\n", "z": b"\0"}
    tree = mirror.write_tree(mirror.tree_of(base), made)
    assert mirror.ls(tree) == ("d/b.py", "d/ü.py", "run.sh", "z")
    assert mirror.ls(tree, "d") == ("d/b.py", "d/ü.py")
    assert mirror.read(tree, "d/ü.py") == b"3\n"
    assert mirror.read(tree, "a.py") is None
    assert mirror.read(tree, "d") is None
    assert mirror.read_all(tree, ["z", "run.sh", "none"]) == {"z": b"\0", "run.sh": b"y\n"}
    assert mirror.changes(base, tree) == (
        Change("a.py", "D", "000000", "100644"),
        Change("d/ü.py", "A", "100644", "000000"),
        Change("run.sh", "M", "100755", "100755"),
        Change("z", "A", "100644", "000000"),
    )
    assert "+y" in mirror.diff(base, tree, "run.sh")
    assert "a.py" not in mirror.diff(base, tree, "run.sh")


def test_many_files_are_read_at_once(shop: Any) -> None:
    base = shop.start({f"f{n}": f"{n}\n" for n in range(80)})
    mirror = shop.mirror()
    read = mirror.read_all(base, [f"f{n}" for n in range(70)])
    assert read == {f"f{n}": f"{n}\n".encode() for n in range(70)}


def test_the_same_commit_has_the_same_id(shop: Any) -> None:
    base = shop.start({"a": "1"})
    mirror = shop.mirror()
    tree = mirror.tree_of(base)
    made = {mirror.commit(tree, (base,), "m\n", ENGINE, 1_700_000_000) for _ in range(2)}
    assert len(made) == 1
    assert made != {mirror.commit(tree, (base,), "m\n", ENGINE, 1_700_000_001)}
    assert mirror.is_ancestor(base, made.pop())


def test_an_option_is_no_object(shop: Any) -> None:
    shop.start({"a": "1"})
    mirror = shop.mirror()
    for name in ("--output=x", "HEAD", "a" * 39, "a" * 40 + "\n", ""):
        with pytest.raises(GitFailed, match="object id"):
            mirror.tree_of(name)


def test_branches_that_do_not_touch_merge(shop: Any) -> None:
    base = shop.start({"a": "1\n", "b": "1\n"})
    mirror = shop.mirror()
    ours = shop.branch(mirror, base, {"a": b"2\n"})
    theirs = shop.branch(mirror, base, {"b": b"2\n"})
    merged = mirror.merge(ours, theirs)
    assert isinstance(merged, Merged)
    assert mirror.read_all(merged.tree, ["a", "b"]) == {"a": b"2\n", "b": b"2\n"}
    assert merged.drivers == ()


def test_a_conflict_names_path_kind_and_hunks(shop: Any) -> None:
    base = shop.start({"a": "1\n", "gone": "1\n"})
    mirror = shop.mirror()
    ours = shop.branch(mirror, base, {"a": b"ours\n", "gone": None, "n": b"o\n"})
    theirs = shop.branch(mirror, base, {"a": b"theirs\n", "gone": b"2\n", "n": b"t\n"})
    found = mirror.merge(ours, theirs)
    assert isinstance(found, Conflicted)
    assert [(c.path, c.kind) for c in found.conflicts] == [
        ("a", "content"),
        ("gone", "modify/delete"),
        ("n", "add/add"),
    ]
    assert found.conflicts[0].hunks == (
        "<<<<<<< integration\nours\n=======\ntheirs\n>>>>>>> branch\n"
    )
    assert "deleted in integration and modified in branch" in found.conflicts[1].hunks
    assert b"<<<<<<<" in (mirror.read(found.tree, "a") or b"")


def test_long_hunks_are_cut_and_say_so(shop: Any) -> None:
    base = shop.start({"a": "1\n"})
    mirror = shop.mirror()
    ours = shop.branch(mirror, base, {"a": b"o\n" * 9000})
    theirs = shop.branch(mirror, base, {"a": b"t\n" * 9000})
    found = mirror.merge(ours, theirs)
    assert isinstance(found, Conflicted)
    assert len(found.conflicts[0].hunks) < 4100
    assert "more characters]" in found.conflicts[0].hunks


def test_unrelated_histories_are_an_error_not_a_conflict(shop: Any) -> None:
    base = shop.start({"a": "1\n"})
    mirror = shop.mirror()
    root = mirror.commit(mirror.tree_of(base), (), "root", ENGINE, 1)
    other = mirror.commit(mirror.write_tree(mirror.tree_of(base), {"b": b""}), (), "o", ENGINE, 1)
    with pytest.raises(GitFailed, match="unrelated"):
        mirror.merge(root, other)


def test_publishing_touches_objects_and_the_ref_alone(shop: Any) -> None:
    base = shop.start({"a": "1\n"})
    shop.git("tag", "-a", "v1", "-m", "v1")
    shop.git("pack-refs", "--all")
    shop.git("fetch", "-q", ".", "main")
    (shop.user / "a").write_text("dirty\n")
    (shop.user / "new").write_text("untracked\n")
    mirror = shop.mirror()
    commit = shop.branch(mirror, base, {"b": b"2\n"})
    before = _state(shop.user)
    assert ".git/FETCH_HEAD" in before
    assert ".git/packed-refs" in before
    assert mirror.publish(REF, commit, None)
    after = _state(shop.user)
    assert set(after) - set(before) == {f".git/{REF}"}
    assert {name: after[name] for name in before} == before
    assert shop.git("show", f"{REF}:b") == "2"
    assert shop.git("fsck", "--strict") == ""
    again = shop.branch(mirror, commit, {"b": b"3\n"})
    assert not mirror.publish(REF, again, base)
    assert mirror.tip(REF) == commit


def test_a_shallow_clone_will_do(shop: Any, tmp_path: Path) -> None:
    shop.start({"a": "1\n"})
    shop.edit({"a": "2\n"})
    source = f"file://{shop.user}"
    shop.git("clone", "-q", "--depth", "1", source, str(tmp_path / "shallow"))
    repository = UserRepository.open(tmp_path / "shallow")
    mirror = Mirror.open(tmp_path / "m", repository)
    commit = shop.branch(mirror, repository.head, {"b": b"1\n"})
    assert isinstance(mirror.merge(repository.head, commit), Merged)
    assert mirror.publish(REF, commit, None)
    assert shop.git("log", "--format=%s", REF, cwd=tmp_path / "shallow") == "work\nedit"


def test_a_sha256_repository_will_do(shop: Any) -> None:
    shop.user.mkdir()
    shop.git("init", "-q", "--object-format=sha256", "-b", "main")
    base = shop.edit({"a": "1\n"})
    mirror = shop.mirror()
    workspace = shop.workspace(mirror)
    shop.run(workspace, "echo 2 >b")
    tree = workspace.snapshot()
    mirror.import_pack(workspace.pack(tree), tree, base)
    commit = mirror.commit(tree, (base,), "m", ENGINE, 1)
    assert len(commit) == 64
    assert mirror.publish(REF, commit, None)
    assert shop.git("show", f"{REF}:b") == "2"


def test_a_checkout_has_the_files_and_no_git(shop: Any, tmp_path: Path) -> None:
    base = shop.start({"a": "1\n", "d/b": "2\n"})
    mirror = shop.mirror()
    (tmp_path / "into").mkdir()
    mirror.checkout(mirror.tree_of(base), tmp_path / "into", shop.sandbox)
    found = sorted(str(path.relative_to(tmp_path / "into")) for path in tmp_path.glob("into/**/*"))
    assert found == ["a", "d", "d/b"]


def test_opening_twice_gives_the_same_mirror(shop: Any) -> None:
    base = shop.start({"a": "1\n"})
    commit = shop.branch(shop.mirror(), base, {"b": b"1"})
    assert shop.mirror().is_ancestor(base, commit)


def test_a_full_disk_under_git_is_told(shop: Any) -> None:
    shop.start({"a": "1\n"})
    with pytest.raises(DiskFull):
        Git(shop.user / ".git").call("cat-file", "-p", "HEAD", stdout=Path("/dev/full"))


def test_git_that_hangs_is_stopped(shop: Any, tmp_path: Path) -> None:
    shop.start({"a": "1\n"})
    os.mkfifo(tmp_path / "pipe")
    writer = os.open(tmp_path / "pipe", os.O_RDWR)  # never writes, so git waits
    try:
        with pytest.raises(GitFailed, match="longer than"):
            Git(shop.user / ".git").run(
                "hash-object", "--stdin", stdin=tmp_path / "pipe", timeout_s=0.3
            )
    finally:
        os.close(writer)


def _state(folder: Path) -> dict[str, bytes]:
    """Every file but loose objects, by content and time of change."""
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_file() and not name.startswith(".git/objects/"):
            found[name] = path.read_bytes() + str(path.stat().st_mtime_ns).encode()
    return found

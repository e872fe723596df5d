"""Objects made by hand with every check of git switched off, as an attacker would."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import TreeRejected


class Attacker:
    """A repository of the attacker's own; packs whatever it likes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "--bare")

    def git(self, *args: str, stdin: bytes = b"") -> bytes:
        done = subprocess.run(
            ["git", *args], cwd=self.folder, input=stdin, capture_output=True, check=True
        )
        return done.stdout

    def blob(self, content: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", stdin=content).decode().strip()

    def tree(self, *entries: tuple[str, str, str]) -> str:
        """(mode, object, name) ..., written without any check."""
        raw = b"".join(
            f"{mode} {name}".encode() + b"\0" + bytes.fromhex(oid) for mode, oid, name in entries
        )
        args = ("hash-object", "-t", "tree", "-w", "--stdin", "--literally")
        return self.git(*args, stdin=raw).decode().strip()

    def pack(self, *objects: str) -> Path:
        path = self.folder / "out.pack"
        listed = "".join(f"{oid}\n" for oid in objects).encode()
        path.write_bytes(self.git("pack-objects", "--stdout", "-q", stdin=listed))
        return path


@pytest.fixture
def attacker(tmp_path: Path) -> Attacker:
    return Attacker(tmp_path / "attacker")


@pytest.fixture
def mirror(shop: Any) -> Mirror:
    shop.start({"a": "1\n"})
    return shop.mirror()


def rejected(mirror: Mirror, pack: Path, tree: str) -> str:
    before = sorted((mirror.path / "objects").rglob("*"))
    with pytest.raises(TreeRejected) as caught:
        mirror.import_pack(pack, tree, mirror.repository.head)
    assert sorted((mirror.path / "objects").rglob("*")) == before, "nothing may stay behind"
    assert not list(mirror.path.glob("incoming-*"))
    return str(caught.value)


def test_a_good_pack_comes_in(mirror: Mirror, attacker: Attacker) -> None:
    blob = attacker.blob(b"hello\n")
    tree = attacker.tree(("100644", blob, "b"))
    assert mirror.import_pack(attacker.pack(blob, tree), tree, mirror.repository.head) == ()
    assert mirror.read(tree, "b") == b"hello\n"


def test_the_same_pack_may_come_twice(mirror: Mirror, attacker: Attacker) -> None:
    blob = attacker.blob(b"hello\n")
    tree = attacker.tree(("100644", blob, "b"))
    for _ in range(2):
        mirror.import_pack(attacker.pack(blob, tree), tree, mirror.repository.head)


def test_a_gitlink_is_rejected_by_us_since_git_accepts_it(
    mirror: Mirror, attacker: Attacker
) -> None:
    tree = attacker.tree(("160000", mirror.repository.head, "sub"))
    assert "gitlink" in rejected(mirror, attacker.pack(tree), tree)


@pytest.mark.parametrize("name", [".git", ".GIT", "git~1", "..", ".", "a/b", ".g\u200cit", ""])
def test_names_git_forbids_are_rejected(mirror: Mirror, attacker: Attacker, name: str) -> None:
    blob = attacker.blob(b"x")
    tree = attacker.tree(("100644", blob, name))
    rejected(mirror, attacker.pack(blob, tree), tree)


def test_a_link_out_is_rejected_deep_in_the_tree(mirror: Mirror, attacker: Attacker) -> None:
    blob = attacker.blob(b"../../../etc/passwd")
    inner = attacker.tree(("120000", blob, "link"))
    tree = attacker.tree(("40000", inner, "d"))
    assert "out of the tree" in rejected(mirror, attacker.pack(blob, inner, tree), tree)


def test_a_link_with_an_endless_target_is_rejected(mirror: Mirror, attacker: Attacker) -> None:
    blob = attacker.blob(b"a/" * 50_000)
    tree = attacker.tree(("120000", blob, "link"))
    rejected(mirror, attacker.pack(blob, tree), tree)


def test_a_submodule_file_is_rejected(mirror: Mirror, attacker: Attacker) -> None:
    blob = attacker.blob(b'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c id\n')
    tree = attacker.tree(("100644", blob, ".gitmodules"))
    rejected(mirror, attacker.pack(blob, tree), tree)


def test_attributes_come_in_with_a_note(mirror: Mirror, attacker: Attacker) -> None:
    blob = attacker.blob(b"* filter=evil\n")
    tree = attacker.tree(("100644", blob, ".gitattributes"))
    (note,) = mirror.import_pack(attacker.pack(blob, tree), tree, mirror.repository.head)
    assert (note.path, note.forbidden) == (".gitattributes", False)


def test_a_pack_with_holes_is_rejected(mirror: Mirror, attacker: Attacker) -> None:
    blob = attacker.blob(b"never sent")
    tree = attacker.tree(("100644", blob, "b"))
    rejected(mirror, attacker.pack(tree), tree)


def test_a_pack_without_the_tree_is_rejected(mirror: Mirror, attacker: Attacker) -> None:
    blob = attacker.blob(b"x")
    tree = attacker.tree(("100644", blob, "b"))
    assert "does not hold" in rejected(mirror, attacker.pack(blob), tree)


def test_garbage_is_rejected(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "pack").write_bytes(b"PACK" + b"\xff" * 100)
    rejected(mirror, tmp_path / "pack", "1" * 40)


def test_a_pack_over_the_limit_is_rejected(
    mirror: Mirror, attacker: Attacker, tmp_path: Path
) -> None:
    with (tmp_path / "pack").open("wb") as file:
        file.truncate(513 * 1024 * 1024)
    assert "at most" in rejected(mirror, tmp_path / "pack", "1" * 40)


def test_a_link_or_a_pipe_in_place_of_the_pack_is_not_followed(
    mirror: Mirror, attacker: Attacker, tmp_path: Path
) -> None:
    blob = attacker.blob(b"x")
    tree = attacker.tree(("100644", blob, "b"))
    (tmp_path / "link").symlink_to(attacker.pack(blob, tree))
    rejected(mirror, tmp_path / "link", tree)
    os.mkfifo(tmp_path / "pipe")
    rejected(mirror, tmp_path / "pipe", tree)


def test_gitlinks_of_the_base_may_stay(shop: Any, attacker: Attacker) -> None:
    base = shop.start({"a": "1\n"})
    shop.git("update-index", "--add", "--cacheinfo", f"160000,{base},sub")
    shop.git("commit", "-q", "-m", "submodule")
    mirror = shop.mirror()
    workspace = shop.workspace(mirror)
    shop.run(workspace, "echo 2 >b")
    tree = workspace.snapshot()
    mirror.import_pack(workspace.pack(tree), tree, mirror.repository.head)
    assert [change.path for change in mirror.changes(mirror.repository.head, tree)] == ["b"]

from __future__ import annotations

from collections.abc import Iterable

import pytest

from wavecrew.workspace.drivers.entries import Clash
from wavecrew.workspace.drivers.files import FileDriver
from wavecrew.workspace.model import Change, Conflict, Converged, MergeView

Tree = dict[str, bytes]


class Trees:
    """base, ours, theirs and tree as dictionaries of regular files."""

    def __init__(self, base: Tree, ours: Tree, theirs: Tree, tree: Tree) -> None:
        self.trees = {"base": base, "ours": ours, "theirs": theirs, "tree": tree}

    def read(self, treeish: str, path: str) -> bytes | None:
        return self.trees[treeish].get(path)

    def read_all(self, treeish: str, paths: Iterable[str]) -> dict[str, bytes]:
        return {path: self.trees[treeish][path] for path in paths if path in self.trees[treeish]}

    def ls(self, treeish: str, prefix: str = "") -> tuple[str, ...]:
        return tuple(sorted(self.trees[treeish]))

    def changes(self, base: str, tree: str) -> tuple[Change, ...]:
        one, other = self.trees[base], self.trees[tree]
        paths = sorted(path for path in {*one, *other} if one.get(path) != other.get(path))
        return tuple(Change(path, "M", "100644", "100644") for path in paths)

    def merge_text(self, base: bytes, ours: bytes, theirs: bytes, marker: int) -> bytes:
        raise NotImplementedError


def merge(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """Sorted letters: both sides' letters, capital ones clash, digits are not understood."""
    if any(c in b"0123456789" for c in ours + theirs):
        return None
    if ours.isupper() and theirs.isupper():
        raise Clash("letters", ours.decode(), theirs.decode())
    if b"(" in ours:
        raise RecursionError
    return bytes(sorted({*ours, *theirs}))


def is_sound(data: bytes) -> bool:
    return len(set(data)) == len(data)


PLAIN = FileDriver("letters", lambda path: path.endswith(".l"), merge, largest=10)
CHECKED = FileDriver("letters", lambda path: path.endswith(".l"), merge, 10, is_sound)


def converge(
    driver: FileDriver,
    ours: bytes,
    theirs: bytes,
    *,
    kind: str = "content",
    path: str = "a.l",
    tree: bytes = b"<<<",
) -> Converged | None:
    conflicts = (Conflict(path, kind, "marks"),) if kind else ()
    trees = Trees({path: b"a"}, {path: ours}, {path: theirs}, {path: tree})
    return driver.converge(trees, MergeView("base", "ours", "theirs", "tree", conflicts))


def test_a_marked_file_gets_the_merge() -> None:
    assert converge(PLAIN, b"ab", b"ac") == Converged({"a.l": b"abc"})


def test_a_clash_is_told_and_leaves_the_file_alone() -> None:
    said = "letters: the integration branch has AB; this branch has AC"
    assert converge(PLAIN, b"AB", b"AC") == Converged({}, (Conflict("a.l", "letters", said),))


@pytest.mark.parametrize("kind", ["modify/delete", "rename/delete", "file/directory", ""])
def test_nothing_but_marks_is_resolved(kind: str) -> None:
    assert converge(PLAIN, b"ab", b"ac", kind=kind) is None


def test_other_files_large_files_and_what_is_not_understood_stay() -> None:
    assert converge(PLAIN, b"ab", b"ac", path="a.txt") is None
    assert converge(PLAIN, b"a" * 11, b"ac") is None
    assert converge(PLAIN, b"a1", b"ac") is None
    assert converge(PLAIN, b"((", b"ac") is None


def test_a_link_is_no_file_to_merge() -> None:
    trees = Trees({}, {}, {"a.l": b"ab"}, {"a.l": b"<<<"})
    view = MergeView("base", "ours", "theirs", "tree", (Conflict("a.l", "content", ""),))
    assert PLAIN.converge(trees, view) is None


def test_a_file_that_both_moved_here_has_its_base_elsewhere() -> None:
    trees = Trees({}, {"a.l": b"ab"}, {"a.l": b"ac"}, {"a.l": b"<<<"})
    for kind, made in (("content", None), ("add/add", Converged({"a.l": b"abc"}))):
        conflict = Conflict("a.l", kind, "")
        view = MergeView("base", "ours", "theirs", "tree", (conflict,))
        assert PLAIN.converge(trees, view) == made


def test_a_clean_merge_that_broke_the_file_is_mended_or_told() -> None:
    assert converge(CHECKED, b"ab", b"ac", kind="", tree=b"abca") == Converged({"a.l": b"abc"})
    told = converge(CHECKED, b"AB", b"AC", kind="", tree=b"AA")
    assert told is not None
    assert [c.path for c in told.conflicts] == ["a.l"]
    told = converge(CHECKED, b"a1", b"ac", kind="", tree=b"aa")
    assert told is not None
    assert "broken" in told.conflicts[0].hunks


def test_a_clean_merge_is_left_alone_when_it_is_sound_or_a_side_was_not() -> None:
    assert converge(CHECKED, b"ab", b"ac", kind="", tree=b"abc") is None
    assert converge(CHECKED, b"abb", b"ac", kind="", tree=b"abbc") is None
    assert converge(PLAIN, b"ab", b"ac", kind="", tree=b"aa") is None

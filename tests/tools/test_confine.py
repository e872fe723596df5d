from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tools.confine import (
    Opener,
    best_opener,
    clean,
    is_git_name,
    openat2_beneath,
    walk_beneath,
)
from tools.tree import MissingPath, Tree
from wavecrew.errors import ToolError

BOTH = pytest.mark.parametrize("opener", [openat2_beneath, walk_beneath])
SECRET = b"the host's secret"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree beside a secret that nothing may reach."""
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "tree-evil").mkdir()
    (tmp_path / "tree-evil" / "secret").write_bytes(SECRET)
    root = tmp_path / "tree"
    (root / "folder").mkdir(parents=True)
    (root / "folder" / "file").write_bytes(b"inside")
    return root


@pytest.mark.parametrize(
    ("written", "cleaned"),
    [("a", "a"), ("./a//b/./c", "a/b/c"), ("a/", "a"), (".", "."), ("", "."), ("a b/é", "a b/é")],
)
def test_a_path_is_told_in_one_way(written: str, cleaned: str) -> None:
    assert clean(written) == cleaned


@pytest.mark.parametrize(
    "path",
    [
        *("/etc/passwd", "/proc/self/root/etc/passwd", "..", "a/../b", "a/..", "../tree-evil/x"),
        *("a\0b", "a\nb", "a\\b", "..\\x", "\ud800", "a" * 256, "a/" * 2049),
        *(".git", ".git/config", "a/.git/hooks/x", ".GIT", ".Git", "git~1/config", "GIT~12"),
        *(".git.", ".git ", ".git. .", ".git::$INDEX_ALLOCATION", ".git:x", ".g\u200cit"),
        *("\uff0egit/config", ".\uff27IT", "\ufeff.git", ".gi\u00adt"),
    ],
)
def test_a_path_that_can_name_no_file_of_the_tree_is_refused(path: str) -> None:
    with pytest.raises(ToolError):
        clean(path)


@pytest.mark.parametrize("name", [".gitignore", ".github", "git", "git~", "git~x", "a.git", "..."])
def test_names_that_only_look_like_git_are_allowed(name: str) -> None:
    assert not is_git_name(name)
    assert clean(name) == name


def test_a_path_as_commands_see_it_is_told_how_to_write() -> None:
    with pytest.raises(ToolError, match=r"write 'a/b\.py', relative"):
        clean("/workspace/a/b.py")


def test_this_kernel_resolves_beneath_by_itself() -> None:
    assert best_opener() in (openat2_beneath, walk_beneath)


@BOTH
@pytest.mark.parametrize(
    ("link", "target", "asked"),
    [
        ("out", "../secret", "out"),
        ("out", "..", "out/secret"),
        ("folder/up", "../..", "folder/up/secret"),
        ("abs", "/", "abs/etc/passwd"),
        ("self", "/proc/self/root", "self/etc/passwd"),
        ("inner", "folder", "inner/file"),
        ("loop", "loop", "loop/x"),
    ],
)
def test_no_link_is_followed(
    root: Path, opener: Opener, link: str, target: str, asked: str
) -> None:
    (root / link).symlink_to(target)
    tree = Tree(root, opener)
    with pytest.raises(ToolError):
        tree.read(asked)
    with pytest.raises(ToolError):
        tree.write(asked, b"planted")
    if asked != link:
        with pytest.raises(ToolError):
            tree.delete(asked)
        with pytest.raises(ToolError):
            tree.move("folder/file", f"{link}/moved")
    assert (root.parent / "secret").read_bytes() == SECRET
    assert (root / "folder" / "file").read_bytes() == b"inside"


@BOTH
def test_the_same_link_is_followed_by_an_open_without_care(root: Path, opener: Opener) -> None:
    (root / "out").symlink_to("../secret")
    assert (root / "out").read_bytes() == SECRET
    with pytest.raises(ToolError, match="symbolic link"):
        Tree(root, opener).read("out")


@BOTH
def test_a_second_hard_link_is_neither_read_nor_written(root: Path, opener: Opener) -> None:
    os.link(root.parent / "secret", root / "hard")
    tree = Tree(root, opener)
    with pytest.raises(ToolError, match="hard links"):
        tree.read("hard")
    with pytest.raises(ToolError, match="hard links"):
        tree.write("hard", b"planted")
    with pytest.raises(ToolError, match="hard links"):
        tree.move("hard", "other")
    assert (root.parent / "secret").read_bytes() == SECRET


@BOTH
def test_a_pipe_does_not_hang_the_reader(root: Path, opener: Opener) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(ToolError, match="not a regular file"):
        Tree(root, opener).read("pipe")


@BOTH
def test_another_mount_is_not_entered(tmp_path: Path, opener: Opener) -> None:
    if not os.path.ismount("/proc"):
        pytest.skip("no second mount here")
    with pytest.raises(ToolError, match="mount"):
        Tree(Path("/"), opener).read("proc/version")


@contextmanager
def swapping(root: Path) -> Iterator[Path]:
    """A folder `swapped` in `root` that another thread exchanges for a link out, over and over."""
    (root / "swapped").mkdir()
    (root / "swapped" / "secret").write_bytes(b"inside")
    (root / "link").symlink_to(root.parent)
    names = [os.fsencode(root / name) for name in ("swapped", "link")]
    libc, stop = ctypes.CDLL(None), threading.Event()

    def swap() -> None:
        while not stop.is_set():
            assert libc.renameat2(-100, names[0], -100, names[1], 2) == 0  # RENAME_EXCHANGE

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield root / "swapped"
    finally:
        stop.set()
        thread.join(10)


@BOTH
def test_a_folder_swapped_for_a_link_while_we_work_leaks_nothing(
    root: Path, opener: Opener
) -> None:
    seen: set[bytes] = set()
    tree = Tree(root, opener)
    with swapping(root):
        for _ in range(1500):
            try:
                seen.add(tree.read("swapped/secret").data)
                tree.write("swapped/new", b"ours")
            except ToolError:
                seen.add(b"refused")
    assert SECRET not in seen
    assert sorted(path.name for path in root.parent.iterdir()) == ["secret", "tree", "tree-evil"]


def test_the_same_swap_fools_a_check_before_the_open(root: Path) -> None:
    with swapping(root) as folder:
        for _ in range(50_000):
            if not folder.is_symlink() and (folder / "secret").read_bytes() == SECRET:
                return
    raise AssertionError("the race was never lost: the test above proves nothing here")


PIECES = st.sampled_from(
    [
        "..",
        ".",
        "",
        "/",
        "folder",
        "file",
        "out",
        "up",
        "secret",
        "tree-evil",
        ".git",
        "~",
        "%2e%2e",
    ]
)


@given(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=6).map("/".join)))
@example("../secret")
@example("out/../../secret")
def test_no_path_string_ever_escapes(tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    outside = tmp_path_factory.mktemp("property")
    (outside / "secret").write_bytes(SECRET)
    root = outside / "tree"
    (root / "folder").mkdir(parents=True)
    (root / "folder" / "file").write_bytes(b"inside")
    (root / "out").symlink_to("..")
    (root / "folder" / "up").symlink_to("../../secret")
    for opener in (openat2_beneath, walk_beneath):
        tree = Tree(root, opener)
        try:
            cleaned = clean(path)
            tree.write(cleaned, b"written")
            assert tree.read(cleaned).data == b"written"
            assert (root / cleaned).resolve().is_relative_to(root.resolve())
            tree.delete(cleaned)
        except ToolError:
            pass
    assert sorted(os.listdir(outside)) == ["secret", "tree"]
    assert (outside / "secret").read_bytes() == SECRET


@BOTH
def test_a_write_keeps_the_mode_and_makes_folders(root: Path, opener: Opener) -> None:
    tree = Tree(root, opener)
    (root / "folder" / "file").chmod(0o755)
    tree.write("folder/file", b"new")
    tree.write("deep/er/est/file", b"x")
    assert (root / "folder" / "file").stat().st_mode & 0o777 == 0o755
    assert (root / "deep/er/est/file").read_bytes() == b"x"
    assert sorted(os.listdir(root / "deep/er/est")) == ["file"]


@BOTH
def test_a_failed_write_leaves_nothing_behind(root: Path, opener: Opener) -> None:
    with pytest.raises(ToolError, match="folder"):
        Tree(root, opener).write("folder", b"x")
    assert sorted(os.listdir(root)) == ["folder"]


def test_what_we_make_belongs_to_the_owner_of_the_tree(root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(root, 12345, 12345)
    Tree(root).write("new/file", b"x")
    assert (root / "new").stat().st_uid == 12345
    assert (root / "new" / "file").stat().st_uid == 12345


def test_a_missing_file_is_told_with_the_nearest(root: Path) -> None:
    tree = Tree(root)
    with pytest.raises(MissingPath, match="did you mean 'folder/file'"):
        tree.read("folder/fiel")
    with pytest.raises(MissingPath, match=r"there is no 'foldre'\); did you mean 'folder'"):
        tree.read("foldre/deep/file")


def test_git_is_not_listed(root: Path) -> None:
    (root / ".git").mkdir()
    (root / "GIT~1").mkdir()
    assert [entry.path for entry in Tree(root).entries(".")] == ["folder"]


def test_descriptors_are_given_back(root: Path) -> None:
    tree = Tree(root)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        tree.read("folder/file")
        tree.write("a/b/c", b"x")
        tree.entries(".")
        with pytest.raises(ToolError):
            tree.read("no/such/file")
    assert len(os.listdir("/proc/self/fd")) == before

"""The attic on real repositories: nothing parked gets lost, nothing of the user's moves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavecrew.errors import GitFailed, RepositoryError, UsageError
from wavecrew.workspace import attic
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import Author
from wavecrew.workspace.refs import decode, encode

WHO = Author("Role", "role@localhost")


@pytest.fixture
def mirror(shop: Any) -> Mirror:
    shop.start({"a.py": "a = 1\n", "b.py": "b = 1\n"})
    made: Mirror = shop.mirror()
    return made


def parked(mirror: Mirror, text: str, *, task: str = "1.1", attempt: int = 1, when: int = 9) -> str:
    base = mirror.repository.head
    tree = mirror.write_tree(mirror.tree_of(base), {"a.py": text.encode(), "new.py": b"x\ny\n"})
    note = attic.Note(
        run="r1",
        task=task,
        attempt=attempt,
        base=base,
        title="Make a",
        outcome="stalled",
        detail="it said\nnothing\x1b[31m for long",
    )
    attic.park(mirror, tree, note, author=WHO, when=when)
    return tree


@given(st.text(min_size=1, max_size=30))
def test_a_name_is_read_back_from_its_ref(name: str) -> None:
    assert decode(encode(name)) == name


def test_what_is_parked_says_where_it_comes_from_and_how_large_it_is(mirror: Mirror) -> None:
    parked(mirror, "a = 2\n", when=1_700_000_000)
    (one,) = attic.parked(mirror.repository.git)
    assert (one.run, one.task, one.attempt) == ("r1", "1.1", 1)
    assert (one.base, one.when) == (mirror.repository.head, 1_700_000_000)
    assert (one.outcome, one.detail) == ("stalled", "it said nothing [31m for long")
    assert (one.files, one.added, one.removed) == (2, 3, 1)


def test_an_attic_of_odd_names_lists_them_and_leaves_foreign_refs_out(
    shop: Any, mirror: Mirror
) -> None:
    names = ["../x", "a b", "-", "ä\n", "x.lock"]
    for name in names:
        parked(mirror, name, task=name)
    shop.git("update-ref", "refs/wavecrew/attic/r1/note", "HEAD")
    shop.git("update-ref", "refs/wavecrew/attic/r1/1.1/zero", "HEAD")
    blob = shop.git("hash-object", "-w", "a.py")
    shop.git("update-ref", "refs/wavecrew/attic/r1/1.1/7", blob)
    assert sorted(one.task for one in attic.parked(mirror.repository.git)) == sorted(names)


def test_parking_again_keeps_every_earlier_state(mirror: Mirror) -> None:
    trees = [parked(mirror, text) for text in ("one", "two", "two", "three")]
    (one,) = attic.parked(mirror.repository.git)
    git = mirror.repository.git
    listed = git.run("log", "--format=%T", one.commit, f"^{mirror.repository.head}").decode()
    assert listed.split() == [trees[3], trees[1], trees[0]]
    assert one.base == mirror.repository.head


def test_restore_makes_a_branch_and_touches_nothing_else(shop: Any, mirror: Mirror) -> None:
    tree = parked(mirror, "a = 2\n")
    git = mirror.repository.git
    before = (shop.git("status", "--porcelain=v2", "--branch"), shop.git("stash", "list"))
    one = attic.find(git, "r1", "1.1")
    assert attic.restore(git, one) == "refs/heads/attic/r1/1.1/1"
    assert attic.restore(git, one) == "refs/heads/attic/r1/1.1/1"
    assert shop.git("rev-parse", "attic/r1/1.1/1^{tree}") == tree
    assert (shop.git("status", "--porcelain=v2", "--branch"), shop.git("stash", "list")) == before
    assert attic.parked(git) == (one,)


def test_restore_never_moves_a_branch_nor_fills_an_unborn_one(shop: Any, mirror: Mirror) -> None:
    parked(mirror, "a = 2\n")
    git = mirror.repository.git
    one = attic.find(git, "r1", "1.1", 1)
    shop.git("branch", "mine")
    with pytest.raises(UsageError, match="is not moved"):
        attic.restore(git, one, "mine")
    assert shop.git("rev-parse", "mine") == mirror.repository.head
    with pytest.raises(RepositoryError, match="checked out"):
        attic.restore(git, one, "main")
    shop.git("symbolic-ref", "HEAD", "refs/heads/unborn")
    with pytest.raises(RepositoryError, match="checked out"):
        attic.restore(git, one, "unborn")
    with pytest.raises(RepositoryError, match="cannot make the branch"):
        attic.restore(git, one, "mine/below")


@pytest.mark.parametrize(
    "name", ["../x", "-d", "a..b", "HEAD", "wavecrew", "wavecrew/r1/1.1", "a b", "@{-1}", "x\0"]
)
def test_restore_refuses_names_that_are_no_branch_of_the_users(mirror: Mirror, name: str) -> None:
    parked(mirror, "a = 2\n")
    git = mirror.repository.git
    with pytest.raises(UsageError):
        attic.restore(git, attic.find(git, "r1", "1.1"), name)
    assert git.run("for-each-ref", "--format=%(refname)", "refs/heads").split() == [
        b"refs/heads/main"
    ]


def test_what_is_not_there_is_told_with_what_is(mirror: Mirror) -> None:
    git = mirror.repository.git
    with pytest.raises(UsageError, match="it is empty"):
        attic.find(git, "r1", "1.1")
    parked(mirror, "a = 2\n", attempt=2)
    parked(mirror, "a = 3\n", attempt=10)
    assert attic.find(git, "r1", "1.1").attempt == 10
    for run, task, attempt in [("../x", "1.1", None), ("r1", "../../1.1", None), ("r1", "1.1", 3)]:
        with pytest.raises(UsageError, match=r"r1 1\.1 2"):
            attic.find(git, run, task, attempt)


def test_drop_takes_exactly_what_was_shown_and_knows_who_else_holds_it(mirror: Mirror) -> None:
    parked(mirror, "a = 2\n")
    git = mirror.repository.git
    one = attic.find(git, "r1", "1.1")
    assert attic.held_elsewhere(git, one) == ()
    attic.restore(git, one, "kept")
    assert attic.held_elsewhere(git, one) == ("refs/heads/kept",)
    with pytest.raises(GitFailed):
        attic.drop(git, replace(one, commit=mirror.repository.head))
    assert attic.parked(git) == (one,)
    attic.drop(git, one)
    assert attic.parked(git) == ()

"""The forecast on real repositories, and that it says what landing then does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavecrew.workspace.collisions import TIP, Collision, forecast
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import ENGINE, Conflicted
from wavecrew.workspace.trial import Trial

INIT = "app/__init__.py"
VERSIONS = "db/versions"
POEM = "".join(f"line {number}\n" for number in range(12))
FILES = {
    "poem.txt": POEM,
    "app/other.txt": "other\n",
    INIT: 'from .base import Base\n\n__all__ = ["Base"]\n',
    "db/env.py": "",
    f"{VERSIONS}/a.py": "revision = 'a'\ndown_revision = None\n",
}


def model(name: str) -> bytes:
    return (
        f'from .base import Base\nfrom .x import {name}\n\n__all__ = ["Base", "{name}"]\n'.encode()
    )


def line(number: int, text: str) -> bytes:
    return POEM.replace(f"line {number}\n", f"{text}\n").encode()


Work = dict[str, bytes | None]

CASES: dict[str, tuple[Work, Work, tuple[str, ...]]] = {
    "the same line": ({"poem.txt": line(3, "a")}, {"poem.txt": line(3, "b")}, ("poem.txt",)),
    "lines far apart": ({"poem.txt": line(1, "a")}, {"poem.txt": line(9, "b")}, ()),
    "the same change": ({"poem.txt": line(3, "a")}, {"poem.txt": line(3, "a")}, ()),
    "add/add": ({"new": b"1\n"}, {"new": b"2\n"}, ("new",)),
    "a renamed file is edited": (
        {"poem.txt": None, "verse.txt": POEM.encode()},
        {"poem.txt": line(3, "b")},
        (),
    ),
    "a renamed and edited file is edited": (
        {"poem.txt": None, "verse.txt": line(3, "a")},
        {"poem.txt": line(3, "b")},
        ("verse.txt",),
    ),
    "a deleted file is edited": ({"poem.txt": None}, {"poem.txt": line(3, "b")}, ("poem.txt",)),
    "a file where a folder is": ({"new": b"1\n"}, {"new/inner": b"2\n"}, ("new",)),
    "imports of one file": ({INIT: model("One")}, {INIT: model("Two")}, ()),
    "two migrations": (
        {f"{VERSIONS}/b.py": b"revision = 'b'\ndown_revision = 'a'\n"},
        {f"{VERSIONS}/c.py": b"revision = 'c'\ndown_revision = 'a'\n"},
        (),
    ),
    "two migrations with one id": (
        {f"{VERSIONS}/b.py": b"revision = 'b'\ndown_revision = 'a'\n"},
        {f"{VERSIONS}/c.py": b"revision = 'b'\ndown_revision = 'a'\n"},
        (f"{VERSIONS}/c.py",),
    ),
    "bytes that are no text": ({"blob": b"\0\1"}, {"blob": b"\0\2"}, ("blob",)),
    "names that need quotes": ({'a "b"\\ é': b"1\n"}, {'a "b"\\ é': b"2\n"}, ('a "b"\\ é',)),
}


@pytest.mark.parametrize("name", CASES)
def test_two_branches_collide_where_the_second_would_conflict(shop: Any, name: str) -> None:
    ours, theirs, paths = CASES[name]
    base = shop.start(FILES)
    mirror = shop.mirror()
    branches = {"1.1": shop.branch(mirror, base, ours), "1.2": shop.branch(mirror, base, theirs)}
    expected = (Collision("1.1", "1.2", paths),) if paths else ()
    assert forecast(mirror, base, branches) == expected


def test_branches_from_older_tips_are_judged_on_the_tip(shop: Any) -> None:
    old = shop.start(FILES)
    stale = {INIT: model("Old"), f"{VERSIONS}/b.py": b"revision = 'b'\ndown_revision = 'a'\n"}
    mirror = shop.mirror()
    fits, beaten, late = (
        shop.branch(mirror, old, files)
        for files in (stale, {"poem.txt": line(3, "beaten")}, {INIT: model("Late")})
    )
    tip = shop.edit({"poem.txt": line(3, "landed").decode(), INIT: model("Landed").decode()})
    new = shop.branch(mirror, tip, {"poem.txt": line(4, "new")})
    branches = {"fits": fits, "beaten": beaten, "late": late, "new": new}
    assert forecast(mirror, tip, branches) == (Collision(TIP, "beaten", ("poem.txt",)),)


def test_a_tree_is_work_on_the_tip(shop: Any) -> None:
    base = shop.start(FILES)
    mirror = shop.mirror()
    tree = mirror.write_tree(mirror.tree_of(base), {"poem.txt": line(3, "a")})
    branch = shop.branch(mirror, base, {"poem.txt": line(3, "b")})
    expected = (Collision("a", "b", ("poem.txt",)),)
    assert forecast(mirror, base, {"a": tree, "b": branch}) == expected


def test_three_that_collide_are_three_pairs_in_the_order_of_landing(shop: Any) -> None:
    base = shop.start(FILES)
    mirror = shop.mirror()
    branches = {
        name: shop.branch(mirror, base, {"poem.txt": line(3, name)}) for name in ("c", "a", "b")
    }
    found = forecast(mirror, base, branches)
    assert [(c.one, c.other) for c in found] == [("c", "a"), ("c", "b"), ("a", "b")]


def test_no_branch_or_one_collides_with_nothing(shop: Any) -> None:
    base = shop.start(FILES)
    mirror = shop.mirror()
    assert forecast(mirror, base, {}) == ()
    assert forecast(mirror, base, {"1": shop.branch(mirror, base, {"new": b"1\n"})}) == ()
    assert forecast(mirror, base, {"1": base, "2": base}) == ()


def test_what_a_trial_writes_waits_for_no_disk_and_what_the_mirror_writes_does(shop: Any) -> None:
    base = shop.start({"a": "1\n"})
    mirror = shop.mirror()
    asked = ("config", "--get", "core.fsync")
    with Trial.open(mirror, base) as trial:
        assert trial.scratch.git.run(*asked) == b"none\n"
    assert mirror.git.run(*asked) == b"committed\n"


def test_a_forecast_leaves_nothing_in_the_mirror(shop: Any) -> None:
    base = shop.start(FILES)
    mirror = shop.mirror()
    branches = {n: shop.branch(mirror, base, {INIT: model(f"M{n}")}) for n in ("1", "2", "3")}
    before = sorted(mirror.path.rglob("*"))
    assert forecast(mirror, base, branches) == ()
    assert sorted(mirror.path.rglob("*")) == before


LINES = ("a", "b", "c", "d")
TEXTS = st.lists(st.sampled_from(LINES), max_size=6).map(lambda x: "".join(f"{y}\n" for y in x))
LISTS = st.lists(st.sampled_from(LINES), max_size=4, unique=True).map(
    lambda names: "".join(f"from .m import {name}\n" for name in names) + "\nVALUE = 1\n"
)
TREES = st.fixed_dictionaries(
    {},
    optional={
        "one": TEXTS,
        "two": TEXTS,
        "moved": TEXTS,
        "folder/one": TEXTS,
        "folder": TEXTS,
        "init.py": LISTS,
    },
).filter(lambda files: not {"folder", "folder/one"} <= files.keys())


@settings(max_examples=40)
@given(old=TREES, new=TREES, works=st.lists(TREES, min_size=2, max_size=3), cut=st.booleans())
def test_a_collision_is_forecast_exactly_when_landing_conflicts(
    old: dict[str, str],
    new: dict[str, str],
    works: list[dict[str, str]],
    cut: bool,
    land_shop: tuple[Mirror, str],
) -> None:
    mirror, root = land_shop

    def commit(files: dict[str, str], parent: str) -> str:
        gone: Work = dict.fromkeys(mirror.ls(parent))
        content: Work = {path: text.encode() for path, text in files.items()}
        tree = mirror.write_tree(mirror.write_tree(mirror.tree_of(parent), gone), content)
        return mirror.commit(tree, (parent,), "work", ENGINE, 1_700_000_000)

    older = commit(old, root)
    tip = commit(new, older)
    starts = (tip, older, tip) if cut else (older, tip, older)
    branches = {
        str(number): commit(files, start)
        for number, (files, start) in enumerate(zip(works, starts, strict=False))
    }
    assert {(c.one, c.other): c.paths for c in forecast(mirror, tip, branches)} == landing(
        mirror, tip, branches
    )


def landing(
    mirror: Mirror, tip: str, branches: dict[str, str]
) -> dict[tuple[str, str], tuple[str, ...]]:
    """The conflicts there are when they land for real: (first, second) -> paths."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    alone = {task: mirror.merge(tip, commit) for task, commit in branches.items()}
    for task, merged in alone.items():
        if isinstance(merged, Conflicted):
            found[TIP, task] = plain(merged, tip, branches[task])
    fit = [task for task in branches if (TIP, task) not in found]
    for place, one in enumerate(fit):
        tip_then = mirror.commit(alone[one].tree, (tip, branches[one]), "landed", ENGINE, 1)
        for other in fit[place + 1 :]:
            merged = mirror.merge(tip_then, branches[other])
            if isinstance(merged, Conflicted):
                found[one, other] = plain(merged, tip_then, branches[other])
    return found


def plain(merged: Conflicted, ours: str, theirs: str) -> tuple[str, ...]:
    """Paths without the commit that git appends when a folder takes a file's name."""
    paths = {path.removesuffix(f"~{ours}").removesuffix(f"~{theirs}") for path in merged.paths}
    return tuple(sorted(paths))


@pytest.fixture(scope="module")
def land_shop(module_shop: Any) -> tuple[Mirror, str]:
    """One mirror for all generated histories, and a commit of it."""
    base = module_shop.start({"one": "a\n"})
    return module_shop.mirror(), base

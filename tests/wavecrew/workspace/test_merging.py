"""Merges through the real mirror, drivers included."""

from __future__ import annotations

from typing import Any

from wavecrew.workspace.model import Conflicted, Merged

INIT = "app/models/__init__.py"
VERSIONS = "db/versions"
FILES = {
    INIT: 'from .base import Base\n\n__all__ = ["Base"]\n',
    "app/models/base.py": "class Base: ...\n",
    "db/env.py": "",
    f"{VERSIONS}/a.py": "revision = 'a'\ndown_revision = None\n",
}


def model(name: str) -> bytes:
    return (
        f'from .base import Base\nfrom .x import {name}\n\n__all__ = ["Base", "{name}"]\n'.encode()
    )


def revision(name: str, down: str) -> bytes:
    return f"revision = '{name}'\ndown_revision = '{down}'\n".encode()


def test_two_models_with_migrations_land_without_a_person(shop: Any) -> None:
    base = shop.start(FILES)
    mirror = shop.mirror()
    one = {INIT: model("One"), f"{VERSIONS}/b.py": revision("b", "a")}
    two = {INIT: model("Two"), f"{VERSIONS}/c.py": revision("c", "a")}
    ours, theirs = shop.branch(mirror, base, one), shop.branch(mirror, base, two)
    merged = mirror.merge(ours, theirs)
    assert isinstance(merged, Merged)
    assert merged.drivers == ("python_imports", "alembic")
    assert mirror.read(merged.tree, INIT) == (
        b'from .base import Base\nfrom .x import One, Two\n\n__all__ = ["Base", "One", "Two"]\n'
    )
    assert mirror.read(merged.tree, f"{VERSIONS}/c.py") == revision("c", "b")
    assert mirror.read(merged.tree, f"{VERSIONS}/b.py") == revision("b", "a")
    assert mirror.merge(ours, theirs) == merged


def test_what_a_driver_cannot_mend_stays_with_what_it_could(shop: Any) -> None:
    base = shop.start(FILES)
    mirror = shop.mirror()
    ours = shop.branch(mirror, base, {INIT: model("One"), "app/models/base.py": b"x = 1\n"})
    theirs = shop.branch(mirror, base, {INIT: model("Two"), "app/models/base.py": b"x = 2\n"})
    found = mirror.merge(ours, theirs)
    assert isinstance(found, Conflicted)
    assert (found.paths, found.drivers) == (("app/models/base.py",), ("python_imports",))
    assert b"<<<<" not in (mirror.read(found.tree, INIT) or b"<<<<")


def test_one_revision_id_twice_is_a_conflict_though_git_merges_it(shop: Any) -> None:
    base = shop.start(FILES)
    mirror = shop.mirror()
    ours = shop.branch(mirror, base, {f"{VERSIONS}/b.py": revision("b", "a")})
    theirs = shop.branch(mirror, base, {f"{VERSIONS}/c.py": revision("b", "a")})
    found = mirror.merge(ours, theirs)
    assert isinstance(found, Conflicted)
    assert [(c.path, c.kind) for c in found.conflicts] == [
        (f"{VERSIONS}/c.py", "alembic: same revision id")
    ]


def test_a_file_deleted_on_one_side_is_never_resolved_by_a_driver(shop: Any) -> None:
    base = shop.start(FILES)
    mirror = shop.mirror()
    ours = shop.branch(mirror, base, {INIT: None})
    theirs = shop.branch(mirror, base, {INIT: model("Two")})
    found = mirror.merge(ours, theirs)
    assert isinstance(found, Conflicted)
    assert found.conflicts[0].kind == "modify/delete"


def test_a_file_in_the_place_of_a_folder_is_a_conflict(shop: Any) -> None:
    base = shop.start(FILES)
    mirror = shop.mirror()
    ours = shop.branch(mirror, base, {"new": b"file\n"})
    theirs = shop.branch(mirror, base, {"new/inner.py": b"x = 1\n"})
    found = mirror.merge(ours, theirs)
    assert isinstance(found, Conflicted)
    assert any("file/directory" in conflict.kind for conflict in found.conflicts)


def test_merge_drivers_named_by_the_tree_do_not_run(shop: Any, tmp_path: Any) -> None:
    base = shop.start({"a": "1\n", ".gitattributes": "a merge=evil\n"})
    shop.git("config", "merge.evil.driver", f"touch {tmp_path}/fired; true")
    mirror = shop.mirror()
    ours = shop.branch(mirror, base, {"a": b"2\n"})
    theirs = shop.branch(mirror, base, {"a": b"3\n"})
    assert isinstance(mirror.merge(ours, theirs), Conflicted)
    assert not (tmp_path / "fired").exists()

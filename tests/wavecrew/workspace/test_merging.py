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


PROJECT = '[project]\nname = "shop"\ndependencies = [\n    "m",\n]\n'
LOCK = 'version = 1\nrequires-python = ">=3.11"\n'
SHARED = {
    "pyproject.toml": PROJECT,
    "uv.lock": LOCK,
    "web/package.json": '{\n  "name": "web",\n  "scripts": {\n    "m": "m"\n  }\n}\n',
    "CHANGELOG.md": "# Changelog\n\n## Unreleased\n\n- m\n",
    "compose.yaml": "services:\n  m:\n    image: m\n",
    "app/registry.py": 'HANDLERS = {\n    "m": m,\n}\n',
}


def locked(*names: str) -> str:
    """A lock of the project `shop` with packages that need nothing."""
    listed = "".join(f'    {{ name = "{name}" }},\n' for name in names)
    packages = {
        name: f'name = "{name}"\nversion = "1.0"\nsource = {{ registry = "dist" }}\n'
        for name in names
    }
    packages["shop"] = (
        'name = "shop"\nversion = "0.1.0"\nsource = { virtual = "." }\n'
        f"dependencies = [\n{listed}]\n\n[package.metadata]\nrequires-dist = [\n{listed}]\n"
    )
    return LOCK + "".join(f"\n[[package]]\n{packages[name]}" for name in sorted(packages))


def work(name: str) -> dict[str, bytes]:
    """What a branch does to every shared file when it adds something called `name`."""
    return {
        "pyproject.toml": PROJECT.replace('    "m",\n', f'    "m",\n    "{name}",\n').encode(),
        "uv.lock": locked("k", "m", name).encode(),
        "web/package.json": SHARED["web/package.json"]
        .replace('"m": "m"', f'"m": "m",\n    "{name}": "{name}"')
        .encode(),
        "CHANGELOG.md": f"{SHARED['CHANGELOG.md']}- {name}\n".encode(),
        "compose.yaml": f"{SHARED['compose.yaml']}  {name}:\n    image: {name}\n".encode(),
        "app/registry.py": SHARED["app/registry.py"]
        .replace("m,\n", f'm,\n    "{name}": {name},\n')
        .encode(),
    }


def test_files_that_every_branch_appends_to_hold_what_both_appended(shop: Any) -> None:
    base = shop.start({**SHARED, "uv.lock": locked("k", "m")})
    mirror = shop.mirror()
    ours, theirs = (shop.branch(mirror, base, work(name)) for name in ("one", "two"))
    merged = mirror.merge(ours, theirs)
    assert isinstance(merged, Merged)
    assert merged.drivers == (
        *("python_imports", "toml", "uv_lock"),
        *("package_json", "ordered_yaml", "changelog"),
    )
    made = mirror.read_all(merged.tree, SHARED)
    assert made["uv.lock"] == locked("k", "m", "one", "two").encode()
    for path, content in made.items():
        assert content.count(b"one") == work("one")[path].count(b"one"), path
        assert content.count(b"two") == work("two")[path].count(b"two"), path
        assert content.index(b"one") < content.index(b"two"), path
    assert mirror.merge(ours, theirs) == merged


def test_a_clash_stays_a_conflict_with_the_reason_above_gits_marks(shop: Any) -> None:
    base = shop.start(SHARED)
    mirror = shop.mirror()
    ours, theirs = (
        shop.branch(mirror, base, {"compose.yaml": text.encode()})
        for text in ("services:\n  m:\n    image: o\n", "services:\n  m:\n    image: t\n")
    )
    found = mirror.merge(ours, theirs)
    assert isinstance(found, Conflicted)
    (conflict,) = found.conflicts
    assert (conflict.path, conflict.kind) == ("compose.yaml", "content")
    assert conflict.hunks.startswith("ordered_yaml: services > m > image: the integration branch")
    assert "<<<<<<< integration\n    image: o\n" in conflict.hunks


def test_a_lock_that_git_merges_into_a_package_twice_is_mended(shop: Any) -> None:
    """Each branch adds `zeta` beside other neighbours, so that no line of one is the other's."""
    names = [f"{letter}{letter}" for letter in "abcdefghijklmnop"]
    before, after = locked(*names), locked(*names, "zeta")
    start = after.index('\n[[package]]\nname = "zeta"')
    entry = after[start:]
    top = after[:start].replace("\n[[package]]", entry + "\n[[package]]", 1)
    base = shop.start({"uv.lock": before})
    mirror = shop.mirror()
    ours = shop.branch(mirror, base, {"uv.lock": after.encode()})
    theirs = shop.branch(mirror, base, {"uv.lock": top.encode()})
    merged = mirror.merge(ours, theirs)
    assert isinstance(merged, Merged)
    assert merged.drivers == ("uv_lock",)
    assert mirror.read(merged.tree, "uv.lock") == after.encode()


def test_a_link_in_the_place_of_a_changelog_is_no_text_to_merge(shop: Any) -> None:
    links = {}
    for name in ("base", "ours", "theirs"):
        if name == "base":
            shop.user.mkdir()
            shop.git("init", "-q", "-b", "main")
        else:
            shop.git("checkout", "-q", "-b", name, links["base"])
            (shop.user / "CHANGES").unlink()
        (shop.user / "CHANGES").symlink_to(name)
        links[name] = shop.edit({"other": "x"} if name == "base" else {})
    found = shop.mirror().merge(links["ours"], links["theirs"])
    assert isinstance(found, Conflicted)
    assert found.drivers == ()

"""Locks that npm itself wrote, offline, of packages in folders; npm judges every merge."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavecrew.workspace.drivers.npm_json import read
from wavecrew.workspace.drivers.npm_lock import NPM_LOCK, NPM_MANIFEST

NPM = shutil.which("npm")
VENDOR: dict[str, dict[str, str]] = {
    "anchor": {"zinc": "file:../zinc"},
    "binder": {"zinc": "file:../zinc", "clasp": "file:../clasp"},
    "clasp": {},
    "dowel": {"eyelet": "file:../eyelet"},
    "eyelet": {},
    "zinc": {},
}
Json = dict[str, Any]


def manifest(*names: str, dev: tuple[str, ...] = (), optional: tuple[str, ...] = ()) -> bytes:
    tables = {"dependencies": names, "devDependencies": dev, "optionalDependencies": optional}
    value: Json = {"name": "shop", "version": "1.0.0"}
    for kind, listed in tables.items():
        if listed:
            value[kind] = {name: f"file:vendor/{name}" for name in listed}
    return (json.dumps(value, indent=2) + "\n").encode()


class Desk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, needs in VENDOR.items():
            home = folder / "vendor" / name
            home.mkdir(parents=True)
            told = {"name": name, "version": "1.0.0", "dependencies": needs}
            (home / "package.json").write_text(json.dumps(told))

    def npm(self, *words: str) -> tuple[int, str]:
        assert NPM is not None
        env = {
            "PATH": f"{Path(NPM).parent}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "npm_config_cache": str(self.folder / "cache"),
            "npm_config_update_notifier": "false",
        }
        quiet = ("--offline", "--ignore-scripts", "--no-audit", "--no-fund")
        ended = subprocess.run(
            [NPM, *words, *quiet],
            cwd=self.folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=55,
        )
        return ended.returncode, ended.stdout + ended.stderr

    def lock(self, package: bytes, version: int = 3) -> bytes:
        (self.folder / "package.json").write_bytes(package)
        (self.folder / "package-lock.json").unlink(missing_ok=True)
        words = ("install", "--package-lock-only", f"--lockfile-version={version}")
        code, said = self.npm(*words)
        assert code == 0, said
        return (self.folder / "package-lock.json").read_bytes()

    def assert_accepted(self, package: bytes, lock: bytes) -> None:
        (self.folder / "package.json").write_bytes(package)
        (self.folder / "package-lock.json").write_bytes(lock)
        for words in (("ls", "--all", "--package-lock-only"), ("ci",)):
            code, said = self.npm(*words)
            assert code == 0, said


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    if NPM is None:
        pytest.skip("npm is not installed")
    return Desk(tmp_path)


def merged(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    made, clash = NPM_LOCK.merged(base, ours, theirs)
    assert made is not None, clash
    return made


@pytest.mark.parametrize("version", [2, 3])
def test_each_branch_installs_packages_and_npm_accepts_both(desk: Desk, version: int) -> None:
    base, ours, theirs = (
        manifest("clasp"),
        manifest("binder", "clasp"),
        manifest("clasp", "dowel", dev=("anchor",)),
    )
    package, said = NPM_MANIFEST.merged(base, ours, theirs)
    assert package == manifest("binder", "clasp", "dowel", dev=("anchor",)), said
    locks = [desk.lock(one, version) for one in (base, ours, theirs)]
    made = merged(*locks)
    assert made == desk.lock(package, version)
    assert merged(locks[0], locks[2], locks[1]) == made
    desk.assert_accepted(package, made)


def test_who_needs_a_package_is_worked_out_anew(desk: Desk) -> None:
    """Ours leaves anchor, and zinc with it, to development; theirs has a new use for zinc."""
    base = manifest("anchor", "clasp", optional=("dowel",))
    ours = manifest("clasp", dev=("anchor", "eyelet"), optional=("dowel",))
    theirs = manifest("anchor", "binder", "clasp", optional=("dowel",))
    package, said = NPM_MANIFEST.merged(base, ours, theirs)
    wanted = manifest("binder", "clasp", dev=("anchor", "eyelet"), optional=("dowel",))
    assert package is not None, said
    assert json.loads(package) == json.loads(wanted)
    made = merged(*(desk.lock(one) for one in (base, ours, theirs)))
    assert made == desk.lock(wanted)
    packages = json.loads(made)["packages"]
    marks = [packages[f"vendor/{name}"].get("dev") for name in ("anchor", "zinc", "eyelet")]
    assert marks == [True, None, None]
    assert packages["vendor/eyelet"]["devOptional"] is True


def test_what_one_side_dropped_stays_when_the_other_needs_it(desk: Desk) -> None:
    locks = [
        desk.lock(manifest(*names)) for names in (("anchor",), ("clasp",), ("anchor", "binder"))
    ]
    assert merged(*locks) == desk.lock(manifest("binder", "clasp"))


def lock(**packages: Json) -> bytes:
    """A lock as npm writes it, of packages from a registry that is never asked."""
    listed: Json = {"": {"name": "shop", "version": "1.0.0", **packages.pop("root", {})}}
    for place, package in sorted(packages.items()):
        version = package.get("version", "1.0.0")
        listed[f"node_modules/{place.replace('__', '/node_modules/')}"] = {
            "version": version,
            "resolved": f"registry/{place}-{version}.tgz",
            **package,
        }
    value = {"name": "shop", "version": "1.0.0", "lockfileVersion": 3, "requires": True}
    return (json.dumps(value | {"packages": listed}, indent=2) + "\n").encode()


def needs(**names: str) -> Json:
    return {"dependencies": names}


def test_two_versions_at_one_place_are_a_conflict_that_shows_both() -> None:
    base = lock(root=needs())
    ours = lock(root=needs(a="1"), a=needs(x="1"), x={"version": "1.5.0"})
    theirs = lock(root=needs(b="1"), b=needs(x="2"), x={"version": "2.0.0"})
    assert NPM_LOCK.merged(base, ours, theirs) == (
        None,
        "node_modules/x: the integration branch has 1.5.0; this branch has 2.0.0",
    )


def test_an_upgrade_beside_a_new_user_of_the_old_version_is_a_conflict() -> None:
    base = lock(root=needs(x="*"), x={"version": "1.0.0"})
    ours = lock(root=needs(x="*"), x={"version": "2.0.0"})
    theirs = lock(root=needs(b="1", x="*"), b=needs(x="1"), x={"version": "1.0.0"})
    made, said = NPM_LOCK.merged(base, ours, theirs)
    assert made is None
    assert "node_modules/b 1.0.0 needs x" in said


def test_a_new_package_nearer_by_never_hides_the_one_that_was_meant() -> None:
    base = lock(root=needs(a="1", x="1"), a={}, x={})
    ours = lock(root=needs(a="1", x="1"), a=needs(x="1"), x={})
    theirs = lock(root=needs(a="1", x="1"), a={"bundled": 1}, a__x={"version": "2.0.0"}, x={})
    made, _ = NPM_LOCK.merged(base, ours, theirs)
    assert made is None or b"a/node_modules/x" not in made


def test_both_add_the_same_package_once_and_marks_follow_its_users() -> None:
    base = lock(root={})
    ours = lock(
        root={"devDependencies": {"a": "1"}}, a={"dev": True, **needs(x="1")}, x={"dev": True}
    )
    theirs = lock(root=needs(b="1"), b=needs(x="1"), x={})
    made = json.loads(merged(base, ours, theirs))["packages"]
    assert made["node_modules/a"]["dev"] is True
    assert "dev" not in made["node_modules/x"]
    assert list(made) == ["", "node_modules/a", "node_modules/b", "node_modules/x"]


NAMES = st.sets(st.sampled_from(["a", "b-b", "@s/c", "D", "e_e", "f1"]))


@settings(deadline=None, max_examples=60)
@given(NAMES, NAMES, NAMES)
def test_disjoint_installs_are_both_there_in_either_order(
    base: set[str], ours: set[str], theirs: set[str]
) -> None:
    def text(names: set[str]) -> bytes:
        listed = sorted(names)
        root = {"dependencies": dict.fromkeys(listed, "1")} if names else {}
        made = json.loads(lock(root=root, **{name: {} for name in listed}))
        document = read(json.dumps(made, indent=2).encode() + b"\n")
        assert document is not None
        return document.written(_npms_order(document.value))

    sides = [base, base | ours, base | theirs]
    made = merged(*map(text, sides))
    assert made == text(base | ours | theirs)
    assert made == merged(text(sides[0]), text(sides[2]), text(sides[1]))


def _npms_order(value: Json) -> Json:
    """What npm's own sort gives for these names, written down by hand."""
    order = ["@s/c", "a", "b-b", "D", "e_e", "f1"]
    made = copy.deepcopy(value)
    places = ["", *(f"node_modules/{name}" for name in order)]
    made["packages"] = {
        place: made["packages"][place] for place in places if place in made["packages"]
    }
    root = made["packages"][""]
    if "dependencies" in root:
        root["dependencies"] = {
            n: root["dependencies"][n] for n in order if n in root["dependencies"]
        }
    return made


GOOD = lock(root=needs())
HOSTILE = {
    "no json": b"<<<<<<<",
    "not a number": GOOD.replace(b'"1.0.0"', b"NaN", 1),
    "a key twice": GOOD.replace(
        b'  "requires": true,\n', b'  "requires": true,\n  "requires": true,\n'
    ),
    "deep": b'{"packages":' * 60_000,
    "an old lock": GOOD.replace(b'"lockfileVersion": 3', b'"lockfileVersion": 1'),
    "by hand": GOOD.replace(b"  ", b" ", 1),
    "a list": b"[]\n",
    "no packages": b'{\n  "lockfileVersion": 3\n}\n',
    "a package of text": GOOD.replace(b'"packages": {', b'"packages": {\n    "x": "y",'),
    "bytes": b"\xff\xfe{}",
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "a long number": GOOD.replace(b"true", b"1" * 10_000),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_npm_did_not_write_is_left_alone(case: str) -> None:
    bad, other = HOSTILE[case], lock(root=needs(a="1"), a={})
    for sides in ((GOOD, bad, other), (GOOD, other, bad), (bad, GOOD, other)):
        assert NPM_LOCK.merged(*sides) == (None, "")


@pytest.mark.parametrize("indent", [2, 4, "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("ending", ["\n", ""])
def test_the_form_of_a_manifest_stays(indent: int | str, newline: str, ending: str) -> None:
    def text(value: Json) -> bytes:
        return (
            (json.dumps(value, indent=indent, ensure_ascii=False) + ending)
            .replace("\n", newline)
            .encode()
        )

    base: Json = {"scripts": {"b": "é"}, "dependencies": {"m": "1"}, "files": ["x"], "n": None}
    ours, theirs = copy.deepcopy(base), copy.deepcopy(base)
    ours["dependencies"] = {"b": "1", "m": "1"}
    ours["scripts"]["a"] = "o"
    theirs["dependencies"] = {"a": "1", "m": "1"}
    theirs["files"].append("y")
    both = copy.deepcopy(ours)
    both["dependencies"] = {"a": "1", "b": "1", "m": "1"}
    both["files"] = ["x", "y"]
    assert NPM_MANIFEST.merged(text(base), text(ours), text(theirs)) == (text(both), "")


def test_two_ranges_for_one_dependency_are_a_conflict() -> None:
    said = NPM_MANIFEST.merged(
        *(f'{{\n  "dependencies": {{\n    "m": "{n}"\n  }}\n}}'.encode() for n in (1, 2, 3))
    )
    assert said == (None, "dependencies > m: the integration branch has 2; this branch has 3")

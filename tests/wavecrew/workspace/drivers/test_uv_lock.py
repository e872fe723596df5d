"""Locks that uv itself wrote, offline, from wheels made here; uv judges every merge."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from wavecrew.workspace.drivers.toml_lists import TOML
from wavecrew.workspace.drivers.uv_lock import UV_LOCK, is_sound

_BESIDE = Path(sys.executable).with_name("uv")
UV = str(_BESIDE) if _BESIDE.is_file() else shutil.which("uv")
WHEELS: dict[str, Sequence[str]] = {
    "anchor-1.0": ["zlib1"],
    "binder-1.0": ["zlib1", "clasp; sys_platform == 'win32'"],
    "clasp-1.0": [],
    "dowel-1.0": ["eyelet"],
    "eyelet-1.0": [],
    "fork-1.0": ["zlib1<2"],
    "grip-1.0": ["hook[steel]"],
    "hook-1.0": ["clasp; extra == 'steel'", "eyelet; extra == 'brass'"],
    "zlib1-1.0": [],
    "zlib1-2.0": [],
}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels") / "dist"
    folder.mkdir()
    for full, requires in WHEELS.items():
        name, version = full.split("-")
        lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"]
        lines += [f"Provides-Extra: {extra}\n" for extra in ("steel", "brass") if name == "hook"]
        lines += [f"Requires-Dist: {one}\n" for one in requires]
        info = f"{name}-{version}.dist-info"
        tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{info}/METADATA", "".join(lines))
            wheel.writestr(f"{info}/WHEEL", tag)
            wheel.writestr(f"{info}/RECORD", "")
    return folder


class Desk:
    """One project in many states, each locked by uv once."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        self.folder, self.wheels = folder, wheels
        self.count = itertools.count()

    def project(self, *wishes: str, dev: Sequence[str] = (), extra: Sequence[str] = ()) -> bytes:
        def listed(items: Sequence[str]) -> str:
            return "[\n" + "".join(f'    "{item}",\n' for item in items) + "]"

        return (
            '[project]\nname = "shop"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n'
            f"dependencies = {listed(wishes)}\n\n"
            f"[project.optional-dependencies]\nmore = {listed(extra)}\n\n"
            f"[dependency-groups]\ndev = {listed(dev)}\n\n"
            '[tool.uv]\nno-index = true\nfind-links = ["dist"]\n'
        ).encode()

    def uv(self, project: bytes, lock: bytes | None, *words: str) -> tuple[int, str, bytes]:
        home = self.folder / f"p{next(self.count)}"
        home.mkdir()
        (home / "dist").symlink_to(self.wheels)
        (home / "pyproject.toml").write_bytes(project)
        if lock is not None:
            (home / "uv.lock").write_bytes(lock)
        assert UV is not None
        command = [UV, "lock", "--offline", "--no-python-downloads", "--python", sys.executable]
        env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder),
            "UV_CACHE_DIR": str(self.folder / "c"),
        }
        ended = subprocess.run(
            [*command, *words], cwd=home, env=env, capture_output=True, text=True, timeout=50
        )
        return ended.returncode, ended.stderr, (home / "uv.lock").read_bytes()

    def lock(self, project: bytes, start: bytes | None = None, *words: str) -> bytes:
        code, said, lock = self.uv(project, start, *words)
        assert code == 0, said
        return lock

    def assert_accepted(self, project: bytes, lock: bytes) -> None:
        code, said, _ = self.uv(project, lock, "--check")
        assert code == 0, said


@pytest.fixture
def desk(tmp_path: Path, wheels: Path) -> Desk:
    if UV is None:
        pytest.skip("uv is not installed")
    return Desk(tmp_path, wheels)


def merged(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    made, clash = UV_LOCK.merged(base, ours, theirs)
    assert made is not None, clash
    return made


def clash(base: bytes, ours: bytes, theirs: bytes) -> str:
    made, said = UV_LOCK.merged(base, ours, theirs)
    assert made is None
    return said


def test_each_branch_adds_packages_and_uv_accepts_both(desk: Desk) -> None:
    projects = [
        desk.project("anchor"),
        desk.project("anchor", "binder>=1", extra=["clasp"]),
        desk.project("anchor", "dowel", dev=["eyelet<2"]),
    ]
    base = desk.lock(projects[0])
    ours, theirs = (desk.lock(project, base) for project in projects[1:])
    made = merged(base, ours, theirs)
    project, said = TOML.merged(*projects)
    assert project is not None, said
    desk.assert_accepted(project, made)
    assert made == desk.lock(project, base)
    assert merged(base, theirs, ours) == made


def test_a_first_list_of_one_and_another_of_one_are_written_as_uv_writes_two(desk: Desk) -> None:
    base = desk.lock(desk.project())
    ours, theirs = (desk.lock(desk.project(dev=[one]), base) for one in ("clasp", "eyelet"))
    assert merged(base, ours, theirs) == desk.lock(desk.project(dev=["clasp", "eyelet"]), base)


def test_what_one_side_dropped_stays_when_the_other_needs_it(desk: Desk) -> None:
    base = desk.lock(desk.project("anchor", "clasp"))
    ours = desk.lock(desk.project("clasp"), base)
    theirs = desk.lock(desk.project("anchor", "binder", "clasp"), base)
    assert merged(base, ours, theirs) == desk.lock(desk.project("binder", "clasp"), base)


def test_what_nothing_leads_to_any_more_goes(desk: Desk) -> None:
    base = desk.lock(desk.project("anchor", "binder"))
    ours, theirs = (desk.lock(desk.project(one), base) for one in ("anchor", "binder"))
    assert b"zlib1" in ours
    assert merged(base, ours, theirs) == desk.lock(desk.project(), base)


def test_extras_that_each_side_switched_on_are_both_on(desk: Desk) -> None:
    base = desk.lock(desk.project("hook"))
    ours = desk.lock(desk.project("grip", "hook"), base)
    theirs = desk.lock(desk.project("dowel", "hook", extra=["hook[brass]"]), base)
    made = merged(base, ours, theirs)
    project = desk.project("dowel", "grip", "hook", extra=["hook[brass]"])
    desk.assert_accepted(project, made)
    assert made == desk.lock(project, base)


def test_two_versions_of_one_package_are_a_conflict_that_shows_both(desk: Desk) -> None:
    base = desk.lock(desk.project("clasp"))
    ours = desk.lock(desk.project("clasp", "zlib1>=2"), base)
    theirs = desk.lock(desk.project("clasp", "fork"), base)
    said = clash(base, ours, theirs)
    assert said.startswith("zlib1: the integration branch has 2.0")
    assert "this branch has 1.0" in said


def test_an_upgrade_beside_a_new_user_of_the_old_version_is_a_conflict(desk: Desk) -> None:
    base = desk.lock(desk.project("anchor", "zlib1"), None, "--resolution", "lowest")
    assert b'name = "zlib1"\nversion = "1.0"' in base
    ours = desk.lock(desk.project("anchor", "zlib1>=2"), base)
    theirs = desk.lock(desk.project("anchor", "fork", "zlib1"), base)
    assert "zlib1 was never resolved together" in clash(base, ours, theirs)


def test_locks_made_under_other_settings_are_not_joined(desk: Desk) -> None:
    base = desk.lock(desk.project("clasp"))
    ours = desk.lock(desk.project("clasp", "dowel").replace(b">=3.11", b">=3.11,<3.14"), base)
    theirs = desk.lock(desk.project("clasp", "anchor"), base)
    assert clash(base, ours, theirs).startswith("requires-python")


def test_a_package_that_stands_twice_is_told_from_a_sound_lock(desk: Desk) -> None:
    lock = desk.lock(desk.project("anchor"))
    start = lock.index(b"\n[[package]]")
    package = lock[start : lock.index(b"\n[[package]]", start + 1)]
    assert is_sound(lock)
    assert not is_sound(lock[:start] + package + lock[start:])
    assert not is_sound(lock[: lock.rindex(b"\n[[package]]")])
    assert not is_sound(lock.replace(b"version = 1", b"version = ", 1))


PACKAGE = b'\n[[package]]\nname = "a"\nversion = "1"\nsource = { registry = "r" }\n'
HOSTILE = {
    "no toml": b"\x00\xff<<<<<<<",
    "deep": b"version = 1\n" + PACKAGE + b"x = " + b"[" * 50_000 + b"]" * 50_000 + b"\n",
    "one name ten thousand times": b"version = 1\n" + PACKAGE * 10_000,
    "windows line ends": (b"version = 1\n" + PACKAGE).replace(b"\n", b"\r\n"),
    "a byte order mark": b"\xef\xbb\xbfversion = 1\n" + PACKAGE,
    "no last line end": (b"version = 1\n" + PACKAGE)[:-1],
    "a package of numbers": b"version = 1\n" + PACKAGE.replace(b'"a"', b"1"),
    "a text for a source": b"version = 1\n" + PACKAGE.replace(b'{ registry = "r" }', b'"r"'),
    "dependencies of numbers": b"version = 1\n" + PACKAGE + b"dependencies = [\n    1,\n]\n",
    "metadata of text": b"version = 1\n" + PACKAGE + b'metadata = "x"\n',
    "extras of text": b"version = 1\n"
    + PACKAGE
    + b'dependencies = [\n    { name = "b", extra = "x" },\n]\n',
    "markers of numbers": b"version = 1\n" + PACKAGE + b"resolution-markers = 1\n",
    "package of text": b'package = "x"\n',
    "packages by hand": b"version = 1\n" + PACKAGE.replace(b"name", b"  name"),
}


def test_a_date_for_a_source_is_odd_but_no_error() -> None:
    start = b"version = 1\n"
    ours, theirs = (start + PACKAGE.replace(b'"r"', b"1979-05-2%d" % n) for n in (7, 8))
    assert "registry 1979-05-27" in clash(start, ours, theirs)


@pytest.mark.parametrize("case", HOSTILE)
def test_what_uv_did_not_write_is_left_alone(case: str) -> None:
    good, bad = b"version = 1\n" + PACKAGE, HOSTILE[case]
    started = time.monotonic()
    for sides in ((good, bad, good + b"\n"), (good, good + b"#", bad), (bad, good, bad + b"\n")):
        assert UV_LOCK.merged(*sides) == (None, "")
    assert time.monotonic() - started < 20

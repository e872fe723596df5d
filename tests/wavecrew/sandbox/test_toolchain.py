from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from wavecrew.errors import SandboxUnavailable
from wavecrew.plan.settings import SandboxSettings
from wavecrew.sandbox.toolchain import reachable, toolchain


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment over an installation that is reached by links, as uv makes it."""
    base = tmp_path / "pythons/cpython-3.11.9"
    venv = tmp_path / "project/.venv"
    shims = tmp_path / "home/bin"
    for folder in (base / "bin", venv / "bin", shims):
        folder.mkdir(parents=True)
    (base / "bin/python3.11").touch()
    (tmp_path / "pythons/cpython-3.11").symlink_to("cpython-3.11.9")
    (shims / "python3.11").symlink_to("../../pythons/cpython-3.11/bin/python3.11")
    (venv / "bin/python").symlink_to(shims / "python3.11")
    monkeypatch.setattr(sys, "prefix", str(venv))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "pythons/cpython-3.11"))
    monkeypatch.setattr(sys, "base_exec_prefix", str(tmp_path / "pythons/cpython-3.11"))
    monkeypatch.setattr(sys, "executable", str(venv / "bin/python"))
    return tmp_path


def test_every_folder_on_the_way_to_the_interpreter_is_there(installed: Path) -> None:
    base = installed / "pythons/cpython-3.11.9"
    venv = installed / "project/.venv"
    found = toolchain(SandboxSettings())
    assert set(found.folders) == {
        (venv, venv),
        (base, base),
        (base, installed / "pythons/cpython-3.11"),
    }
    assert found.path.split(":")[0] == str(venv / "bin")


def test_a_link_outside_of_all_folders_is_made_again(installed: Path) -> None:
    assert toolchain(SandboxSettings()).links == (
        ("../../pythons/cpython-3.11/bin/python3.11", installed / "home/bin/python3.11"),
    )


def test_a_folder_below_another_is_not_mounted_twice(installed: Path) -> None:
    inner = str(installed / "project/.venv/bin")
    folders = toolchain(SandboxSettings(read=(inner,))).folders
    assert inner not in [str(inside) for _, inside in folders]


def test_what_stands_in_usr_is_there_already(installed: Path) -> None:
    folders = toolchain(SandboxSettings(read=("/usr/share",))).folders
    assert "/usr/share" not in [str(inside) for _, inside in folders]


def test_the_settings_path_comes_first_and_is_readable(installed: Path) -> None:
    node = installed / "node/bin"
    node.mkdir(parents=True)
    found = toolchain(SandboxSettings(path=(str(node),)))
    assert found.path.split(":")[:2] == [str(node), str(installed / "project/.venv/bin")]
    assert (node, node) in found.folders


@pytest.mark.parametrize("entry", ["/", "/etc", "/proc", "~", "/home", "/root", "/tmp"])
def test_a_folder_that_would_open_the_machine_is_refused(entry: str) -> None:
    with pytest.raises(SandboxUnavailable):
        toolchain(SandboxSettings(read=(entry,)))


def test_a_link_to_such_a_folder_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "innocent").symlink_to("/etc")
    with pytest.raises(SandboxUnavailable):
        toolchain(SandboxSettings(read=(str(tmp_path / "innocent"),)))


@pytest.mark.parametrize("entry", ["relative/folder", "/no/such/folder"])
def test_a_folder_that_is_not_there_is_named(entry: str) -> None:
    with pytest.raises(SandboxUnavailable, match=entry):
        toolchain(SandboxSettings(path=(entry,)))


def test_a_folder_is_reachable_only_through_open_folders(tmp_path: Path) -> None:
    folder = Path("/usr/bin")
    assert reachable(folder, 65534)
    shut = tmp_path / "shut/inner"
    shut.mkdir(parents=True)
    (tmp_path / "shut").chmod(0o700)
    assert not reachable(shut, 65534)
    assert reachable(shut, os.getuid()) == all(
        reachable(above, os.getuid()) for above in shut.parents
    )

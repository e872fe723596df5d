"""The wheel is whole: what is installed works with the sources out of reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel, as `site-packages` would hold it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def wavecrew(installed: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        "PYTHONPATH": str(installed),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-P", "-m", "wavecrew", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_packaged_plan_is_found_and_sound(installed: Path, tmp_path: Path) -> None:
    done = wavecrew(installed, tmp_path, "plan", "check", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["ok"]
    assert Path(said["files"]["tasks"]).is_relative_to(installed)


def test_the_demo_has_all_it_needs(installed: Path) -> None:
    example = installed / "wavecrew" / "defaults" / "examples" / "discovery"
    for needed in ("target/wavecrew.toml", "target/alembic.ini", "acceptance", "rehearsal"):
        assert (example / needed).exists()


def test_three_packages_and_nothing_stray_are_installed(installed: Path) -> None:
    tops = {p.name for p in installed.iterdir() if not p.name.endswith(".dist-info")}
    assert tops == {"wavecrew", "crews", "tools"}
    strays = [p for p in installed.rglob("*") if p.name in {"__pycache__", ".ruff_cache", ".git"}]
    assert strays == []


def test_no_other_installed_distribution_ships_our_package_names() -> None:
    from importlib.metadata import packages_distributions

    owners = packages_distributions()
    for name in ("wavecrew", "crews", "tools"):
        assert set(owners.get(name, ["wavecrew"])) == {"wavecrew"}

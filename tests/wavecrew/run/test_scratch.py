"""One temporary folder a process: gone with it, or with the next one when it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from wavecrew.run.scratch import own_scratch, sweep_scratch

KILLED = """
import os, tempfile, time
from wavecrew.run.scratch import own_scratch
with own_scratch() as folder:
    tempfile.mkdtemp(prefix="within-")
    print(folder, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def tmpdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def begun(tmp_path: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED],
        env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def ended(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=10)


def test_everything_temporary_is_made_below_it_and_goes_with_it(tmp_path: Path) -> None:
    with own_scratch() as folder:
        assert Path(tempfile.mkdtemp()).parent == folder
        assert folder.stat().st_mode & 0o777 == 0o700
        with own_scratch() as again:
            assert again == folder
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []
    assert Path(tempfile.gettempdir()) == tmp_path


def test_what_a_killed_process_left_goes_when_the_next_one_begins(tmp_path: Path) -> None:
    process, left = begun(tmp_path)
    ended(process)
    assert [entry.name.startswith("within-") for entry in left.iterdir()] == [True]
    with own_scratch() as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_the_folder_of_a_living_process_stays(tmp_path: Path) -> None:
    process, other = begun(tmp_path)
    try:
        assert sweep_scratch(tmp_path) == 0
        assert other.is_dir()
    finally:
        ended(process)


def test_a_folder_of_another_machine_or_of_another_name_stays(tmp_path: Path) -> None:
    mine = f"wavecrew-ffffff-{os.getpid()}-{int(time.time())}"
    for name in (mine, "wavecrew-demo-1-2", "else"):
        (tmp_path / name).mkdir()
    (tmp_path / "wavecrew-link").symlink_to(tmp_path / "else")
    assert sweep_scratch(tmp_path) == 0
    assert len(list(tmp_path.iterdir())) == 4

"""Locks on files, between real processes' descriptors."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from wavecrew.errors import UsageError
from wavecrew.run.hold import hold, hold_shared

HOLDS = """
import sys
from pathlib import Path
from wavecrew.run.hold import hold
hold(Path(sys.argv[1]), "taken", mend="wait")
print("holds", flush=True)
sys.stdin.read()
"""


def test_one_holds_and_the_next_is_told(tmp_path):
    path = tmp_path / "lock"
    mine = hold(path, "taken", mend="wait")
    for other in (hold, hold_shared):
        with pytest.raises(UsageError, match="taken") as told:
            other(path, "taken", mend="wait")
        assert (told.value.where, told.value.mend) == (str(tmp_path), "wait")
    os.close(mine)
    os.close(hold(path, "taken", mend="wait"))


def test_readers_keep_each_other_company_and_a_writer_out(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    readers = [hold_shared(path, "taken", mend="wait") for _ in range(2)]
    with pytest.raises(UsageError):
        hold(path, "taken", mend="wait")
    for reader in readers:
        os.close(reader)
    os.close(hold(path, "taken", mend="wait"))


def test_readers_make_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        hold_shared(tmp_path / "lock", "taken", mend="wait")
    assert not list(tmp_path.iterdir())


def test_the_lock_goes_with_a_killed_process(tmp_path):
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDS, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "holds\n"
        with pytest.raises(UsageError):
            hold(path, "taken", mend="wait")
        process.kill()
        process.wait()
        os.close(hold(path, "taken", mend="wait"))

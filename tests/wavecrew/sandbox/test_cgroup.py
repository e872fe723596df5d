from __future__ import annotations

import os
from pathlib import Path

import pytest

from wavecrew.sandbox.bubblewrap import Bubblewrap
from wavecrew.sandbox.cgroup import Cgroups, Group
from wavecrew.sandbox.model import Caps
from wavecrew.testing.sandbox_contract import run

FOUND = Cgroups.found()
limited = pytest.mark.skipif(FOUND.pids is None, reason="no group can be made on this machine")


def folders() -> list[Path]:
    own = f"wavecrew-{os.getpid()}-*"
    return [one for parent in (FOUND.pids, FOUND.memory) if parent for one in parent.glob(own)]


@limited
def test_a_group_carries_its_limits_and_is_removed() -> None:
    with FOUND.entered(Caps(processes=20, memory_mb=64)) as group:
        assert group is not None
        (pids,) = [one for one in group.folders if (one / "pids.max").exists()]
        assert (pids / "pids.max").read_text().strip() == "24"
        assert len(folders()) == len(group.folders)
    assert folders() == []


@limited
def test_no_group_is_left_behind_by_commands(bubblewrap: Bubblewrap, tree: Path) -> None:
    run(bubblewrap, tree, "true")
    run(bubblewrap, tree, "sh", "-c", "setsid sleep 50 & sleep 50", caps=Caps(wall_s=0.3))
    assert folders() == []


@limited
def test_the_groups_of_a_killed_engine_are_swept() -> None:
    assert FOUND.pids is not None
    dead = FOUND.pids / f"wavecrew-{2**22 + 1}-0"
    ours = FOUND.pids / f"wavecrew-{os.getpid()}-sweep"
    dead.mkdir()
    ours.mkdir()
    try:
        Cgroups.found()
        assert not dead.exists()
        assert ours.exists()
    finally:
        ours.rmdir()


def test_a_machine_without_groups_limits_nothing() -> None:
    assert Cgroups(None, None).group(Caps()) is None


def test_one_folder_serves_both_limits_in_the_second_version(tmp_path: Path) -> None:
    group = Cgroups(tmp_path, tmp_path).group(Caps(processes=8))
    assert group is not None
    assert len(group.folders) == 1
    assert group.doors == (str(group.folders[0] / "cgroup.procs"),)


@pytest.mark.parametrize(
    ("name", "text", "ran_out"),
    [
        ("memory.events", "low 0\noom 3\noom_kill 2\n", True),
        ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", True),
        ("memory.events", "low 0\noom 3\noom_kill 0\n", False),
    ],
)
def test_a_kill_for_memory_is_read_from_either_version(
    tmp_path: Path, name: str, text: str, ran_out: bool
) -> None:
    (tmp_path / name).write_text(text)
    assert Group((tmp_path,)).memory_ran_out() is ran_out

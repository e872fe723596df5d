"""A sandbox that cannot be set up never runs the command, and says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from wavecrew.errors import SandboxUnavailable
from wavecrew.plan.settings import SandboxSettings
from wavecrew.sandbox import open_sandbox
from wavecrew.sandbox.bubblewrap import Bubblewrap
from wavecrew.sandbox.cgroup import Cgroups, Group
from wavecrew.sandbox.choose import is_degraded, tried
from wavecrew.sandbox.launcher import Landlock, Unsandboxed
from wavecrew.sandbox.model import TREE, Caps, Command, Mount
from wavecrew.sandbox.probe import examined, probe
from wavecrew.sandbox.toolchain import Toolchain, toolchain
from wavecrew.testing.sandbox_contract import SMALL, run

ROOT = Path(__file__).parents[3]
NO_TOOLS = Toolchain()


PROCESSES = "the kernel limits the number of processes"
"""Kept or not by who runs the engine, and whether there is a cgroup it may write to."""


def test_a_missing_bubblewrap_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="not installed"):
        Bubblewrap(NO_TOOLS, program_path="/no/such/bwrap")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable) as caught:
        open_sandbox(SandboxSettings(mode="bubblewrap"))
    assert "apt install bubblewrap" in caught.value.mend


def test_auto_falls_back_to_landlock_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox = open_sandbox(SandboxSettings())
    assert sandbox.mode == "landlock"
    assert is_degraded(sandbox)
    found = probe()
    assert (found.mode, found.degraded, found.works) == ("landlock", True, True)
    lacking = [item for item in found.items if not item.holds and item.name != PROCESSES]
    (bubblewrap,) = lacking
    assert not bubblewrap.required
    assert "not installed" in bubblewrap.name
    assert "apt install bubblewrap" in bubblewrap.mend


def test_a_launcher_that_ends_at_once_never_ran_the_command(tree: Path) -> None:
    sandbox = Bubblewrap(NO_TOOLS, program_path="/bin/false")
    with pytest.raises(SandboxUnavailable):
        run(sandbox, tree, "touch", "ran")
    assert list(tree.iterdir()) == []


def test_a_launcher_that_isolates_nothing_is_not_mistaken_for_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tree: Path
) -> None:
    """It runs the command without any set-up; the gate and the missing status stop it."""
    monkeypatch.setattr("wavecrew.sandbox.supervise.SETUP_S", 0.5)
    fake = tmp_path / "bwrap"
    fake.write_text('#!/bin/sh\nshift 3\nexec "$@"\n')
    fake.chmod(0o755)
    sandbox = Bubblewrap(NO_TOOLS, program_path=str(fake), cgroups=Cgroups(None, None))
    with pytest.raises(SandboxUnavailable):
        run(sandbox, tree, "touch", str(tree / "ran"), caps=Caps(wall_s=1))
    assert not (tree / "ran").exists()


def test_a_working_directory_that_is_gone_never_ran_the_command(
    bubblewrap: Bubblewrap, tree: Path
) -> None:
    mounts = (Mount(tree, TREE, writable=True),)
    with pytest.raises(SandboxUnavailable) as caught:
        bubblewrap.run(Command(("touch", f"{TREE}/ran"), mounts, cwd=f"{TREE}/gone", caps=SMALL))
    assert "must exist inside one of the mounts" in caught.value.mend
    assert list(tree.iterdir()) == []


def test_a_folder_that_is_gone_never_ran_the_command(tree: Path) -> None:
    tools = Toolchain(folders=((tree / "gone", Path("/opt/gone")),))
    with pytest.raises(SandboxUnavailable) as caught:
        run(Bubblewrap(tools), tree, "touch", "ran")
    assert "gone or cannot be read" in caught.value.mend
    assert list(tree.iterdir()) == []


def test_a_group_that_cannot_be_joined_never_ran_the_command(tree: Path, tmp_path: Path) -> None:
    """An ordinary folder takes the place of the group, and something in the way of its door."""
    parent = tmp_path / "group"
    parent.mkdir()

    class Blocked(Cgroups):
        def group(self, caps: Caps) -> Group:
            group = super().group(caps)
            assert group is not None
            for folder in group.folders:
                (folder / "cgroup.procs").mkdir()
            return group

    with pytest.raises(SandboxUnavailable):
        run(Bubblewrap(NO_TOOLS, cgroups=Blocked(parent, None)), tree, "touch", "ran")
    assert list(tree.iterdir()) == []


def test_a_mount_over_the_toolchain_is_refused(tree: Path, tmp_path: Path) -> None:
    sandbox = Bubblewrap(toolchain(SandboxSettings()))
    for inside in (sys.prefix, f"{sys.prefix}/lib", str(Path(sys.prefix).parent)):
        with pytest.raises(SandboxUnavailable, match="overlap"):
            run(sandbox, tree, "touch", "ran", mounts=(Mount(tmp_path, inside),))


def test_a_command_too_long_for_the_kernel_is_told(bubblewrap: Bubblewrap, tree: Path) -> None:
    with pytest.raises(SandboxUnavailable) as caught:
        run(bubblewrap, tree, "echo", "x" * 200_000)
    assert "too long" in caught.value.mend


def test_no_sandbox_takes_the_setting_and_the_flag() -> None:
    with pytest.raises(SandboxUnavailable, match="does not allow it"):
        open_sandbox(SandboxSettings(mode="none"))
    assert open_sandbox(SandboxSettings(mode="none"), allow_unsandboxed=True).mode == "none"
    assert open_sandbox(SandboxSettings(), allow_unsandboxed=True).mode == "bubblewrap"


def test_a_sandbox_that_confines_nothing_does_not_pass_its_trial() -> None:
    with pytest.raises(SandboxUnavailable, match="does not confine"):
        tried(Unsandboxed(NO_TOOLS))


def test_the_probe_notices_what_is_not_confined() -> None:
    items = {
        item.name: item.holds for item in examined(Unsandboxed(toolchain(SandboxSettings()))).items
    }
    assert {name for name, holds in items.items() if not holds} >= {
        "files outside cannot be read",
        "files outside cannot be written",
        "files outside cannot be created",
        "TCP to this machine is refused",
        "socket files of this machine cannot be reached",
        "the canary is untouched",
    }


@pytest.mark.parametrize("mode", ["bubblewrap", "landlock"])
def test_the_probe_finds_every_promise_kept(mode: str) -> None:
    found = probe(SandboxSettings(mode=mode))
    lacking = [item for item in found.items if not item.holds]
    assert [item.name for item in lacking] in ([], [PROCESSES])
    assert not any(item.required for item in lacking)
    assert found.works
    assert found.mode == mode
    assert found.degraded is (mode == "landlock")


def test_the_probe_says_when_a_toolchain_is_out_of_reach(tmp_path: Path) -> None:
    found = examined(Bubblewrap(Toolchain(path=str(tmp_path))))
    lacking = [item for item in found.items if not item.holds]
    assert "running Python works inside" in lacking[0].name
    assert "`read`" in lacking[0].mend


def test_a_probe_of_impossible_settings_is_an_answer() -> None:
    found = probe(SandboxSettings(read=("/no/such/folder",)))
    assert (found.mode, found.works) == ("", False)
    assert "/no/such/folder" in found.items[0].name


NESTED = """
import sys
from wavecrew.errors import SandboxUnavailable
from wavecrew.plan.settings import SandboxSettings
from wavecrew.sandbox import open_sandbox
try:
    print(open_sandbox(SandboxSettings(mode=sys.argv[1])).mode)
except SandboxUnavailable as error:
    print(error)
"""


def on_a_machine_without_user_namespaces(mode: str) -> str:
    """A container may look so; here, a view of this very machine in which none can be made."""
    box = ["bwrap", "--unshare-user", "--disable-userns", "--dev-bind", "/", "/", "--proc", "/proc"]
    return subprocess.run(
        [*box, "--unshare-pid", "--die-with-parent", "--", sys.executable, "-c", NESTED, mode],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
        text=True,
        timeout=30,
    ).stdout


def test_where_namespaces_are_refused_the_mend_says_how_to_allow_them() -> None:
    assert "user.max_user_namespaces" in on_a_machine_without_user_namespaces("bubblewrap")
    assert on_a_machine_without_user_namespaces("auto") == "landlock\n"


@pytest.fixture
def open_tree() -> Iterator[Path]:
    """A tree that an ordinary user can reach, which a test's own folder is not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        tree = Path(folder).resolve() / "tree"
        tree.mkdir()
        yield tree


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of files")


@as_root
def test_root_works_as_the_owner_of_the_tree_where_it_can(open_tree: Path) -> None:
    os.chown(open_tree, 4711, 4712)
    sandbox = Bubblewrap(NO_TOOLS)
    command = Command(("true",), (Mount(open_tree, TREE, writable=True),))
    assert sandbox.uid_mode(command) == "dropped"
    done = run(sandbox, open_tree, "sh", "-c", "id -u; echo x >made; cat /etc/passwd | wc -l")
    assert done.stdout == b"1000\n2\n"
    made = (open_tree / "made").stat()
    assert (made.st_uid, made.st_gid) == (4711, 4712)


@as_root
def test_root_stays_root_where_the_tree_is_its_own_or_cannot_be_reached(
    open_tree: Path, tree: Path
) -> None:
    sandbox = Bubblewrap(NO_TOOLS)
    os.chown(tree, 4711, 4712)
    for where, owner in ((open_tree, 0), (tree, 4711)):
        command = Command(("true",), (Mount(where, TREE, writable=True),))
        assert sandbox.uid_mode(command) == "root", owner
    assert run(sandbox, open_tree, "touch", "made").exit_code == 0
    assert (open_tree / "made").stat().st_uid == 0


@as_root
def test_a_dropped_sandbox_has_the_limit_on_processes_from_the_kernel(open_tree: Path) -> None:
    os.chown(open_tree, 4711, 4712)
    sandbox = Bubblewrap(NO_TOOLS, cgroups=Cgroups(None, None))
    script = "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do sleep 1 & done; wait; echo all"
    done = run(sandbox, open_tree, "sh", "-c", script, caps=Caps(wall_s=10, processes=8))
    assert b"Cannot fork" in done.stdout
    assert b"all" not in done.stdout
    roomy = run(sandbox, open_tree, "sh", "-c", script, caps=Caps(wall_s=10, processes=30))
    assert roomy.stdout == b"all\n"


ORDINARY = """
import os, sys
from types import SimpleNamespace
from pathlib import Path
from wavecrew.sandbox import open_sandbox
from wavecrew.sandbox.model import TREE, Caps, Command, Mount
sandbox = open_sandbox(SimpleNamespace(mode=sys.argv[1], read=(), path=(), env={}))
mounts = (Mount(Path(sys.argv[2]), TREE, writable=True),)
script = "touch made; for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 1 & done; wait; echo all"
done = sandbox.run(Command(("sh", "-c", script), mounts, caps=Caps(wall_s=20, processes=8)))
print(sandbox.mode, done.killed_by, b"all" in done.stdout, Path(sys.argv[2], "made").stat().st_uid)
"""


@as_root
@pytest.mark.skipif(
    not Path("/usr/bin/python3").exists()
    or subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], check=False
    ).returncode
    != 0,
    reason="an ordinary user has no Python here that can run this",
)
@pytest.mark.parametrize(("mode", "killed_by"), [("bubblewrap", ""), ("landlock", "processes")])
def test_an_ordinary_user_has_the_same_sandbox(open_tree: Path, mode: str, killed_by: str) -> None:
    code = open_tree.parent / "code"
    shutil.copytree(ROOT / "wavecrew", code / "wavecrew")
    os.chown(open_tree, 4711, 4711)
    done = subprocess.run(
        ["/usr/bin/python3", "-B", "-c", ORDINARY, mode, str(open_tree)],
        env={"PYTHONPATH": str(code), "PATH": "/usr/bin:/bin", "HOME": str(open_tree)},
        user=4711,
        group=4711,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.stdout == f"{mode} {killed_by} False 4711\n", done.stderr


def test_landlock_refuses_a_kernel_that_lets_signals_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wavecrew.sandbox.jail.landlock_abi", lambda: 5)
    with pytest.raises(SandboxUnavailable, match="version 5"):
        Landlock(NO_TOOLS)

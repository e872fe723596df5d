"""The hub as workers see it: refs by compare-and-swap, over lines that fail in every way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from wavecrew.errors import (
    DiskFull,
    EnvironmentBroken,
    GitFailed,
    HubRefused,
    HubUnreachable,
    UsageError,
)
from wavecrew.workspace.hub import HubRepository
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.refs import attic_ref, ref_for, snapshots_ref
from wavecrew.workspace.remote import Patience, Remote

QUICK = Patience(quick_s=1.5, transfer_s=1.5, tries=3, pause_s=0.05)


def edit(hub: Any, mirror: Mirror, text: bytes = b"2\n", base: str = "") -> str:
    return str(hub.shop.branch(mirror, base or hub.base, {"a": text}))


# reading and moving refs


def test_a_worker_reads_a_branch_and_all_it_stands_on_from_the_hub(hub: Any) -> None:
    mirror = hub.worker()
    assert mirror.tip(hub.ref) == hub.base
    assert mirror.read(hub.base, "a") == b"1\n"
    assert mirror.tip(ref_for("r1", "1.1")) is None


@pytest.mark.parametrize("kind", ["path", "file", "ssh", "scp"])
def test_what_one_worker_publishes_another_reads(hub: Any, kind: str) -> None:
    urls = {"file": f"file://{hub.path}", "ssh": hub.ssh, "scp": f"hub:{hub.path}"}
    one, other = (hub.worker(name, urls.get(kind, "")) for name in ("w1", "w2"))
    assert other.tip(hub.ref) == one.tip(hub.ref) == hub.base
    commit = edit(hub, one)
    assert one.publish(hub.ref, commit, hub.base)
    assert (hub.at(), other.tip(hub.ref)) == (commit, commit)
    assert other.read(commit, "a") == b"2\n"


def test_a_ref_moves_only_from_where_it_was_expected(hub: Any) -> None:
    mirror = hub.worker()
    mirror.tip(hub.ref)
    first, second = edit(hub, mirror), edit(hub, mirror, b"3\n")
    assert mirror.publish(hub.ref, first, hub.base)
    assert not mirror.publish(hub.ref, second, hub.base)
    assert not mirror.publish(hub.ref, second, None)
    assert not mirror.publish(hub.ref, first, hub.base)
    assert hub.at() == first
    assert mirror.publish(hub.ref, second, first)
    assert mirror.publish(hub.ref, second, second)


def test_a_branch_that_is_gone_from_the_hub_is_gone_here(hub: Any) -> None:
    mirror = hub.worker()
    mirror.tip(hub.ref)
    hub.git("update-ref", "-d", hub.ref)
    assert mirror.tip(hub.ref) is None
    assert mirror.repository.tips() == ()
    assert mirror.publish(hub.ref, edit(hub, mirror), None)


def test_only_refs_of_runs_are_read_and_pushed(hub: Any) -> None:
    repository = hub.worker().repository
    repository.read_ref(hub.ref)
    for name in ("refs/heads/main", "refs/heads/wavecrew/../main", "refs/tags/x", "HEAD", "-f"):
        with pytest.raises(UsageError):
            repository.update_ref(name, hub.base, None)
        with pytest.raises(UsageError):
            repository.read_ref(name)


def test_only_snapshots_are_ever_removed(hub: Any) -> None:
    repository = hub.worker().repository
    repository.read_ref(hub.ref)
    for name in (hub.ref, attic_ref("r1", "1.1", 1), "refs/heads/main"):
        with pytest.raises(UsageError):
            repository.drop_snapshot(name, hub.base)
    name = snapshots_ref("r1", "1.1", 1)
    assert repository.update_ref(name, hub.base, None)
    assert not repository.drop_snapshot(name, "1" * 40)
    assert repository.drop_snapshot(name, hub.base)
    assert hub.at(name) == ""


def test_a_commit_that_is_not_here_cannot_be_pushed(hub: Any) -> None:
    with pytest.raises(GitFailed, match="is not here"):
        hub.worker().repository.update_ref(hub.ref, "1" * 40, hub.base)


@pytest.mark.parametrize("version", ["2", "0"])
def test_a_commit_another_machine_made_is_brought_when_it_is_first_looked_at(
    hub: Any, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = hub.shop.folder / "config"
    config.write_text(f"[protocol]\n\tversion = {version}\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    one, other = hub.worker("w1"), hub.worker("w2")
    one.tip(hub.ref)
    first = edit(hub, one)
    second = edit(hub, one, b"3\n", first)
    assert one.publish(ref_for("r1", "1.1"), second, None)
    assert other.read(first, "a") == b"2\n"
    assert other.is_ancestor(hub.base, second)
    with pytest.raises(GitFailed, match="on no machine"):
        other.read("1" * 40, "a")


def test_an_empty_hub_tells_its_object_format(hub: Any) -> None:
    for kind in ("sha1", "sha256"):
        empty = hub.shop.folder / f"{kind}.git"
        hub.shop.git("init", "-q", "--bare", f"--object-format={kind}", str(empty))
        repository = HubRepository.open(str(empty), hub.shop.folder / f"w-{kind}")
        assert repository.object_format == kind


def test_a_hub_of_sha256_works_like_any(hub: Any) -> None:
    user, path = hub.shop.folder / "other", hub.shop.folder / "other.git"
    hub.shop.git("init", "-q", "--object-format=sha256", str(user))
    hub.shop.git("init", "-q", "--bare", "--object-format=sha256", str(path))
    (user / "a").write_text("1\n")
    hub.shop.git("add", "-A", cwd=user)
    hub.shop.git("commit", "-q", "-m", "first", cwd=user)
    hub.shop.git("push", "-q", str(path), f"HEAD:{hub.ref}", cwd=user)
    mirror = hub.worker("w3", str(path))
    base = mirror.tip(hub.ref)
    assert base is not None
    assert mirror.publish(hub.ref, edit(hub, mirror, base=base), base)


def test_each_folder_is_a_machine_of_its_own_and_stays_it(hub: Any) -> None:
    names = [hub.worker(name).repository.machine for name in ("w1", "w2", "w1")]
    assert names[0] == names[2] != names[1]
    assert all(len(name) == 8 for name in names)


# what a call may cost


def test_reading_costs_one_call_and_a_new_commit_one_more(hub: Any) -> None:
    one, other = hub.worker("w1"), hub.worker("w2", hub.ssh)
    other.tip(hub.ref)
    hub.calls()
    other.tip(hub.ref)
    assert hub.calls() == ["upload"]
    one.tip(hub.ref)
    assert one.publish(hub.ref, edit(hub, one), hub.base)
    other.tip(hub.ref)
    assert hub.calls() == ["upload", "upload"]
    mine = edit(hub, other, b"3\n")
    assert other.publish(ref_for("r1", "1.2"), mine, None)
    assert hub.calls() == ["receive"]


def test_what_is_pushed_is_only_what_the_hub_lacks(hub: Any) -> None:
    big = os.urandom(3_000_000)
    mirror = hub.worker(url=hub.ssh)
    mirror.tip(hub.ref)
    first = str(hub.shop.branch(mirror, hub.base, {"big": big}))
    assert mirror.publish(hub.ref, first, hub.base)
    hub.harm("cut receive 100000", "cut receive 100000", "cut receive 100000")
    assert mirror.publish(hub.ref, edit(hub, mirror, base=first), first)
    assert hub.calls().count("receive") == 2


# lines that fail


def test_a_refused_call_is_made_again(hub: Any) -> None:
    mirror = hub.worker(url=hub.ssh)
    hub.harm("refuse upload", "refuse upload", "refuse receive")
    assert mirror.tip(hub.ref) == hub.base
    assert mirror.publish(hub.ref, edit(hub, mirror), hub.base)


def test_a_hub_that_stays_away_is_named_after_a_bounded_number_of_calls(hub: Any) -> None:
    mirror = hub.worker(url=hub.ssh, patience=QUICK)
    hub.harm(*["refuse upload"] * 9)
    hub.calls()
    with pytest.raises(HubUnreachable, match="Connection refused") as caught:
        mirror.tip(hub.ref)
    assert caught.value.where == hub.ssh
    assert caught.value.mend
    assert hub.calls() == ["upload"] * QUICK.tries


def test_no_try_begins_when_too_much_time_has_passed(hub: Any) -> None:
    hasty = replace(QUICK, tries=50, give_up_s=0.3)
    mirror = hub.worker(url=hub.ssh, patience=hasty)
    hub.harm(*["refuse upload"] * 50)
    hub.calls()
    with pytest.raises(HubUnreachable):
        mirror.tip(hub.ref)
    assert len(hub.calls()) < 10


@pytest.mark.parametrize("service", ["upload", "receive"])
def test_a_hung_call_is_ended_with_all_its_processes_and_made_again(hub: Any, service: str) -> None:
    mirror = hub.worker(url=hub.ssh, patience=QUICK)
    mirror.tip(hub.ref)
    hub.harm(f"hang {service}")
    commit = edit(hub, mirror)
    assert mirror.publish(hub.ref, commit, hub.base)
    assert mirror.tip(hub.ref) == commit
    assert processes_of(hub.control) == []


def test_a_push_that_breaks_half_way_is_made_again(hub: Any) -> None:
    mirror = hub.worker(url=hub.ssh)
    mirror.tip(hub.ref)
    commit = str(hub.shop.branch(mirror, hub.base, {"big": os.urandom(400_000)}))
    hub.harm("cut receive 1000", "cut receive 200000")
    assert mirror.publish(hub.ref, commit, hub.base)
    assert hub.at() == commit
    hub.git("fsck", "--strict", "--connectivity-only")


def test_a_push_whose_reply_was_lost_is_not_made_twice(hub: Any) -> None:
    mirror = hub.worker(url=hub.ssh)
    mirror.tip(hub.ref)
    commit = edit(hub, mirror)
    hub.harm("mute receive")
    hub.calls()
    assert mirror.publish(hub.ref, commit, hub.base)
    assert hub.at() == commit
    assert hub.calls() == ["receive", "upload"]


@pytest.mark.parametrize("is_built_on", [True, False])
def test_after_a_lost_reply_a_ref_that_went_on_from_ours_counts_as_moved(
    hub: Any, is_built_on: bool
) -> None:
    other = hub.worker("w2")
    other.tip(hub.ref)
    mine = edit(hub, other)
    theirs = edit(hub, other, b"3\n", mine if is_built_on else hub.base)
    assert other.publish(ref_for("r1", "x"), theirs, None)
    hub.hook("post-receive", f"git update-ref {hub.ref} {theirs}")
    mirror = hub.worker(url=hub.ssh)
    mirror.tip(hub.ref)
    hub.harm("mute receive")
    assert mirror.publish(hub.ref, edit(hub, mirror), hub.base) is is_built_on
    assert hub.at() == theirs


def test_a_worker_killed_in_the_middle_of_a_push_leaves_nothing_that_hinders(hub: Any) -> None:
    mirror = hub.worker(url=hub.ssh)
    mirror.tip(hub.ref)
    commit = str(hub.shop.branch(mirror, hub.base, {"big": os.urandom(400_000)}))
    hub.harm("hang receive")
    hub.calls()
    code = (
        "import sys; from pathlib import Path\n"
        "from wavecrew.workspace.hub import HubRepository\n"
        "from wavecrew.workspace.mirror import Mirror\n"
        "folder = Path(sys.argv[2])\n"
        "mirror = Mirror.open(folder/'run'/'mirror.git', HubRepository.open(sys.argv[1], folder))\n"
        "mirror.publish(*sys.argv[3:])"
    )
    argv = [sys.executable, "-c", code, hub.ssh, str(hub.shop.folder / "w1")]
    killed = subprocess.Popen([*argv, hub.ref, commit, hub.base])
    until(lambda: "receive" in hub.calls())
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    until(lambda: not git_processes_at(mirror.repository.git_dir))
    again = hub.worker(url=hub.ssh)
    assert again.publish(hub.ref, commit, hub.base)
    assert hub.at() == commit
    for pid in processes_of(hub.control):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_what_killed_calls_left_is_swept_once_it_is_old(hub: Any) -> None:
    git_dir = hub.worker().repository.git_dir
    litter = [
        git_dir / name
        for name in ("objects/pack/tmp_pack_x", "objects/ab/tmp_obj_x", "refs/incoming/x/one")
    ]
    for path in litter:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{hub.base}\n")
    hub.worker()
    assert all(path.exists() for path in litter)
    for path in (*litter, litter[-1].parent):
        os.utime(path, (1, 1))
    hub.worker()
    assert not any(path.exists() for path in litter)


def test_a_lock_that_a_dead_push_left_in_a_hub_on_this_machine_is_removed(hub: Any) -> None:
    mirror = hub.worker()
    mirror.tip(hub.ref)
    lock = hub.path / f"{hub.ref}.lock"
    lock.touch()
    os.utime(lock, (1, 1))
    assert mirror.publish(hub.ref, edit(hub, mirror), hub.base)


def test_a_living_lock_at_the_hub_is_waited_for_and_then_named(hub: Any) -> None:
    mirror = hub.worker()
    mirror.tip(hub.ref)
    lock = hub.path / f"{hub.ref}.lock"
    lock.touch()
    with pytest.raises(HubUnreachable, match=r"\.lock"):
        mirror.publish(hub.ref, edit(hub, mirror), hub.base)
    assert lock.exists()


# hubs that will not do


def test_what_a_hook_of_the_hub_declines_is_refused_at_once(hub: Any) -> None:
    hub.hook("pre-receive", "echo not today >&2; exit 1")
    mirror = hub.worker(url=hub.ssh)
    mirror.tip(hub.ref)
    hub.calls()
    with pytest.raises(HubRefused, match="not today") as caught:
        mirror.publish(hub.ref, edit(hub, mirror), hub.base)
    assert "hook" in str(caught.value)
    assert hub.calls().count("receive") == 1
    assert hub.at() == hub.base


def test_a_hub_with_a_checkout_works_unless_a_runs_branch_is_open(hub: Any) -> None:
    mirror = hub.worker(url=str(hub.shop.user))
    hub.shop.git("update-ref", hub.ref, hub.base)
    assert mirror.tip(hub.ref) == hub.base
    first = edit(hub, mirror)
    assert mirror.publish(hub.ref, first, hub.base)
    hub.shop.git("checkout", "-q", hub.ref.removeprefix("refs/heads/"))
    with pytest.raises(HubRefused, match="has a checkout") as caught:
        mirror.publish(hub.ref, edit(hub, mirror, b"3\n", first), first)
    assert "bare" in caught.value.mend


def test_a_shallow_hub_is_refused_by_name(hub: Any) -> None:
    hub.shop.edit({"a": "2\n"})
    cut = hub.shop.folder / "cut.git"
    hub.shop.git("clone", "-q", "--bare", "--depth=1", f"file://{hub.shop.user}", str(cut))
    hub.shop.git("update-ref", hub.ref, "main", cwd=cut)
    with pytest.raises(HubRefused, match="shallow"):
        hub.worker(url=str(cut)).tip(hub.ref)


def test_a_hub_that_lacks_objects_is_an_error_and_no_broken_copy(hub: Any) -> None:
    hub.shop.git("config", "uploadpack.allowFilter", "true")
    part = hub.shop.folder / "part.git"
    source = f"file://{hub.shop.user}"
    hub.shop.git("clone", "-q", "--bare", "--filter=blob:none", source, str(part))
    hub.shop.git("update-ref", hub.ref, "main", cwd=part)
    hub.shop.git("config", "remote.origin.url", "file:///nowhere", cwd=part)
    mirror = hub.worker(url=str(part), patience=QUICK)
    with pytest.raises(EnvironmentBroken):
        mirror.tip(hub.ref)
    assert mirror.repository.tips() == ()


@pytest.fixture
def small(hub: Any) -> Iterator[Path]:
    """A folder with room for a megabyte."""
    folder: Path = hub.shop.folder / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_at_the_hub_stops_a_push_and_loses_nothing(hub: Any, small: Path) -> None:
    path = small / "hub.git"
    hub.shop.git("clone", "-q", "--bare", "--template=", str(hub.path), str(path))
    mirror = hub.worker(url=str(path))
    mirror.tip(hub.ref)
    filler = small / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    commit = str(hub.shop.branch(mirror, hub.base, {"big": os.urandom(300_000)}))
    with pytest.raises(HubRefused, match="disk is full") as caught:
        mirror.publish(hub.ref, commit, hub.base)
    assert caught.value.where == str(path)
    assert mirror.tip(hub.ref) == hub.base
    filler.unlink()
    assert mirror.publish(hub.ref, commit, hub.base)


def test_a_full_disk_of_the_worker_is_told_as_its_own(hub: Any, small: Path) -> None:
    author = hub.worker("author")
    author.tip(hub.ref)
    mirror = hub.worker("small/w1")
    commit = str(hub.shop.branch(author, hub.base, {"big": os.urandom(3_000_000)}))
    assert author.publish(hub.ref, commit, hub.base)
    with pytest.raises(DiskFull) as caught:
        mirror.tip(hub.ref)
    assert str(small) in caught.value.where


@pytest.mark.parametrize("url", ["", "--upload-pack=touch x", "a\nb", "/nowhere/at/all"])
def test_what_cannot_be_an_address_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError):
        HubRepository.open(url, tmp_path / "w")


def test_an_address_cannot_name_a_program(tmp_path: Path) -> None:
    with pytest.raises(HubRefused, match="kind"):
        HubRepository.open(f"ext::touch {tmp_path}/ran", tmp_path / "w", QUICK)
    assert not (tmp_path / "ran").exists()


def test_a_password_in_the_address_is_never_shown(tmp_path: Path) -> None:
    url = "http://user:secret@127.0.0.1:9/hub.git"
    assert Remote.at(url).shown == "http://127.0.0.1:9/hub.git"
    with pytest.raises(HubUnreachable) as caught:
        HubRepository.open(url, tmp_path / "w", QUICK)
    assert "secret" not in str(caught.value)


# helpers


def until(true: Any) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def processes_of(path: Path) -> list[int]:
    """Processes other than this one that have `path` among their arguments."""
    return [pid for pid, argv in _processes() if str(path) in argv and pid != os.getpid()]


def git_processes_at(git_dir: Path) -> list[int]:
    found = []
    for pid, argv in _processes():
        with suppress(OSError):
            if Path(argv.split("\0")[0]).name == "git" and os.readlink(f"/proc/{pid}/cwd") == str(
                git_dir
            ):
                found.append(pid)
    return found


def _processes() -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):
                yield int(entry.name), (entry / "cmdline").read_bytes().decode(errors="replace")

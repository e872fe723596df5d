"""A hub behind an address is fetched from and pushed to, and gone with its server."""

from __future__ import annotations

import subprocess

import pytest
from git_daemon import GitDaemon


def git(*words):
    return subprocess.run(["git", *words], capture_output=True, text=True)


@pytest.fixture
def hub(tmp_path):
    made = tmp_path / "runs" / "hub.git"
    git("init", "-q", "--bare", "-b", "main", str(made))
    return made


def test_what_is_pushed_there_can_be_cloned(hub, tmp_path):
    work = str(tmp_path / "work")
    git("init", "-q", "-b", "main", work)
    who = ("-c", "user.name=N", "-c", "user.email=n@localhost")
    git("-C", work, *who, "commit", "-q", "--allow-empty", "-m", "first")
    with GitDaemon(tmp_path) as server:
        pushed = git("-C", work, "push", "-q", server.url(hub), "main")
        assert pushed.returncode == 0, pushed.stderr
        cloned = git("clone", "-q", server.url(hub), str(tmp_path / "clone"))
        assert cloned.returncode == 0, cloned.stderr
    assert git("-C", str(tmp_path / "clone"), "log", "--format=%s").stdout == "first\n"
    assert git("ls-remote", server.url(hub)).returncode != 0


def test_only_what_lies_below_its_folder_is_served(hub, tmp_path):
    with GitDaemon(tmp_path) as server:
        with pytest.raises(ValueError, match="subpath"):
            server.url(tmp_path.parent / "elsewhere.git")
        assert git("ls-remote", f"{server.url(hub)}/../../../..").returncode != 0

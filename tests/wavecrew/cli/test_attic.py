"""`wavecrew attic` as a person or a script meets it: a real process, a real repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CLEAN = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}


def git(repo: Path, *args: str) -> str:
    who = ("-c", "user.name=User", "-c", "user.email=user@localhost")
    done = subprocess.run(
        ["git", *who, *args], cwd=repo, env=CLEAN, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def wavecrew(repo: Path, *args: str) -> subprocess.CompletedProcess[str]:
    env = CLEAN | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "wavecrew", *args, "--repo", str(repo)]
    return subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """One commit on main, one parked in the attic as r1, 1.1, attempt 2."""
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a.py").write_text("a = 1\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "first")
    tree = git(tmp_path, "rev-parse", "HEAD^{tree}")
    message = "1.1: A (unfinished: crashed)"
    commit = git(tmp_path, "commit-tree", tree, "-p", "HEAD", "-m", message)
    git(tmp_path, "update-ref", "refs/wavecrew/attic/r1/1.1/2", commit)
    return tmp_path


def test_a_script_reads_the_list(repo: Path) -> None:
    (one,) = json.loads(wavecrew(repo, "attic", "list", "--json").stdout)
    assert (one["run"], one["task"], one["attempt"], one["outcome"]) == ("r1", "1.1", 2, "crashed")
    assert one["base"] == git(repo, "rev-parse", "HEAD")
    assert json.loads(wavecrew(repo, "attic", "list", "--run", "../x", "--json").stdout) == []
    assert "r1  1.1  attempt 2" in wavecrew(repo, "attic", "list").stdout


def test_restore_names_the_branch_it_made(repo: Path) -> None:
    done = wavecrew(repo, "attic", "restore", "r1", "1.1", "--branch", "again", "--json")
    assert json.loads(done.stdout)["branch"] == "again"
    assert git(repo, "rev-parse", "again") == git(repo, "rev-parse", "refs/wavecrew/attic/r1/1.1/2")


def test_without_a_terminal_nothing_is_dropped_unless_told_so(repo: Path) -> None:
    refused = wavecrew(repo, "attic", "drop", "r1", "1.1")
    assert refused.returncode == 2
    assert "add --yes" in refused.stderr
    assert "nothing else holds it" in refused.stderr
    assert git(repo, "for-each-ref", "refs/wavecrew") != ""
    done = wavecrew(repo, "attic", "drop", "r1", "1.1", "--yes")
    assert done.returncode == 0
    assert git(repo, "for-each-ref", "refs/wavecrew") == ""


@pytest.mark.parametrize(
    "args",
    [
        ("restore", "../x", "1.1"),
        ("restore", "r1", "../../heads/main"),
        ("restore", "r1", "1.1", "9"),
        ("restore", "r1", "1.1", "--branch", "../x"),
        ("drop", "r9", "--yes"),
        ("drop", "", "--yes"),
        ("drop", "r1", "", "--yes"),
        ("drop", "r1", "../x", "--yes"),
    ],
)
def test_hostile_and_unknown_names_are_refused_in_one_sentence(
    repo: Path, args: tuple[str, ...]
) -> None:
    before = git(repo, "for-each-ref")
    done = wavecrew(repo, "attic", *args)
    assert done.returncode == 2
    assert done.stderr.startswith("wavecrew: ")
    assert "Traceback" not in done.stderr
    assert git(repo, "for-each-ref") == before


def test_help_has_examples_and_a_folder_without_git_is_told(tmp_path: Path) -> None:
    assert "Examples:" in wavecrew(tmp_path, "attic", "drop", "--help").stdout
    done = wavecrew(tmp_path, "attic", "list")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)

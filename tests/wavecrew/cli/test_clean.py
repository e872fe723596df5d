"""`wavecrew clean` and `status` before odd repositories: a real process, one clear answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wavecrew.journal import events as e
from wavecrew.journal.log import SqliteEventLog

CLEAN = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}


def git(repo: Path, *args: str) -> None:
    who = ("-c", "user.name=User", "-c", "user.email=user@localhost")
    subprocess.run(["git", *who, *args], cwd=repo, env=CLEAN, capture_output=True, check=True)


def wavecrew(repo: Path, *args: str) -> subprocess.CompletedProcess[str]:
    env = CLEAN | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "wavecrew", *args, "--repo", str(repo)]
    return subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """One commit, and of run r1 an event log that says it ended long ago."""
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    ended_run(tmp_path, "r1", at="2024-01-01T00:00:00.000Z")
    return tmp_path


def ended_run(repo: Path, name: str, *, at: str, over: bool = True) -> Path:
    folder = repo / ".git" / "wavecrew" / "runs" / name
    (folder / "scratch").mkdir(parents=True)
    (folder / "scratch" / "big").write_bytes(b"x" * 100_000)
    log = SqliteEventLog(folder / "events.db", name, clock=lambda: at)
    log.append(e.RunStarted("p", "0" * 40, "i", "m", True, "bubblewrap", [], [], []))
    if over:
        log.append(e.RunFinished("done", 0, 0, 0, ""))
    log.close()
    return folder


def test_a_finished_run_is_freed_and_the_bytes_are_told(repo: Path) -> None:
    dry = wavecrew(repo, "clean", "--all-finished", "--dry-run", "--json")
    assert json.loads(dry.stdout)["freed_bytes"] == 0
    assert "Would free" in wavecrew(repo, "clean", "r1", "--dry-run").stdout
    done = wavecrew(repo, "clean", "--all-finished", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["freed_bytes"] >= 100_000
    assert [item["kind"] for item in said["items"]] == ["scratch"]
    assert wavecrew(repo, "status", "r1").returncode == 0


def test_only_what_ended_long_enough_ago_is_meant(repo: Path) -> None:
    young = ended_run(repo, "r2", at="2999-01-01T00:00:00.000Z")
    paused = ended_run(repo, "r3", at="2024-01-01T00:00:00.000Z", over=False)
    done = wavecrew(repo, "clean", "--all-finished", "--older-than", "30", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert {item["run"] for item in json.loads(done.stdout)["items"]} == {"r1"}
    assert (young / "scratch").exists()
    assert (paused / "scratch").exists()
    refused = wavecrew(repo, "clean", "r3", "--yes")
    assert refused.returncode == 2
    assert "--resume" in refused.stdout


def test_without_a_word_from_a_person_nothing_goes(repo: Path) -> None:
    for args in (("clean", "r1"), ("clean",), ("clean", "r1", "--all-finished", "--yes")):
        done = wavecrew(repo, *args)
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert (repo / ".git" / "wavecrew" / "runs" / "r1" / "scratch").exists()


@pytest.mark.parametrize("name", ["../x", "r9", "..", "r1/../r1", "/etc", "", "r1\n"])
@pytest.mark.parametrize("command", [("status",), ("clean", "--yes", "--history")])
def test_names_that_are_no_runs_are_refused(
    repo: Path, command: tuple[str, ...], name: str
) -> None:
    done = wavecrew(repo, *command, name)
    if command == ("status",) and not name:
        assert done.returncode == 0
        return
    assert done.returncode == 2
    assert "there is no run" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("damage", ["corrupt", "missing", "text", "foreign"])
def test_a_damaged_event_log_is_told_and_its_run_left_alone(repo: Path, damage: str) -> None:
    folder = repo / ".git" / "wavecrew" / "runs" / "r1"
    for file in folder.glob("events.db*"):
        file.unlink()
    if damage == "corrupt":
        (folder / "events.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    elif damage == "text":
        (folder / "events.db").write_text("hello")
    elif damage == "foreign":
        (folder / "events.db").write_bytes(b"")
    told = wavecrew(repo, "status", "r1")
    assert told.returncode == 7
    assert "event log" in told.stderr
    assert "Traceback" not in told.stderr
    done = wavecrew(repo, "clean", "r1", "--history", "--yes", "--json")
    assert done.returncode == 2, done.stderr
    (item,) = json.loads(done.stdout)["items"]
    assert "event log" in item["refused"]
    assert (folder / "scratch").exists()


def test_help_has_examples(repo: Path) -> None:
    assert "Examples:" in wavecrew(repo, "clean", "--help").stdout

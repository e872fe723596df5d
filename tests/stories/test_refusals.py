"""What cannot be done is refused with its exit code, with a mend, and with nothing half-made."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from wavecrew.cli.request import RunRequest
from wavecrew.cli.start import start_or_resume
from wavecrew.errors import DiskFull


@pytest.fixture(scope="module")
def story(stories):
    return stories("refusals")


def refused(story, code, *options, **environment):
    """What it says; nothing of a run is in the repository afterwards."""
    done = story.wavecrew("run", *story.files(), *story.model(), *options, **environment)
    assert done.code == code, done
    assert done.out == ""
    assert "Traceback" not in done.err
    assert not (story.repo / ".git" / "wavecrew").exists()
    assert list(story.refs()) == ["refs/heads/main"]
    assert list(story.tmp.iterdir()) == []
    return done.err


def given(story, name, text):
    file = story.root / name
    file.write_text(text)
    return file


def test_yaml_that_is_none_is_told_with_its_line(story):
    broken = given(story, "broken.yaml", "plan:\n  title: [unclosed\n")
    assert "broken.yaml:" in refused(story, 2, f"--tasks={broken}")


def test_an_unknown_agent_is_told_with_the_nearest_name(story):
    text = (story.root / "tasks.yaml").read_text().replace("agent: reporter", "agent: reportr", 1)
    said = refused(story, 2, f"--tasks={given(story, 'agent.yaml', text)}")
    assert "'reportr'" in said
    assert "'reporter'" in said


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--wave=wave-9"], "no wave 'wave-9'"),
        (["--task=9.9"], "no task '9.9'"),
        (["--task=2.1"], "depends on '1.1', '1.2'"),
        (["--barrier=nonsense"], "'nonsense'"),
        (["--approve=nowhere"], "no sync point 'nowhere'"),
        (["--resume"], "no paused run of this plan"),
        (["--limit=0"], "--limit"),
    ],
)
def test_an_option_that_means_nothing_here(story, options, told):
    assert told in refused(story, 2, *options)


def test_a_file_with_changes_that_are_in_no_commit(story):
    file = story.repo / "README.md"
    before = file.read_text()
    file.write_text("changed")
    said = refused(story, 2)
    file.write_text(before)
    assert "README.md" in said


@pytest.mark.parametrize("kind", ["missing", "plain", "empty", "bare"])
def test_what_is_no_repository_to_work_in(story, kind):
    path = story.root / f"is-{kind}"
    if kind != "missing":
        path.mkdir()
    if kind in ("empty", "bare"):
        bare = ["--bare"] if kind == "bare" else []
        subprocess.run(["git", "init", "-q", *bare, path], check=True)
    assert str(path) in refused(story, 2, f"--repo={path}")
    assert not list(path.rglob("wavecrew"))


def path_without(story, program):
    """A PATH with everything but one program."""
    folder = story.root / f"without-{program}"
    folder.mkdir()
    for directory in [*os.environ["PATH"].split(os.pathsep), "/usr/bin", "/bin"]:
        for file in Path(directory).glob("*"):
            link = folder / file.name
            if file.name != program and not link.is_symlink():
                link.symlink_to(file)
    return str(folder)


@pytest.mark.parametrize("command", ["run", "status"])
def test_no_git_at_all(story, command):
    path = path_without(story, "git") if command == "run" else str(story.root / "without-git")
    options = story.files() if command == "run" else [f"--repo={story.repo}"]
    done = story.wavecrew(command, *options, PATH=path)
    assert done.code == 7
    assert "git" in done.err
    assert "Traceback" not in done.err
    assert not (story.repo / ".git" / "wavecrew").exists()


def test_no_sandbox_where_one_is_asked_for(story):
    text = (story.root / "wavecrew.toml").read_text().replace(
        "[sandbox.env]", '[sandbox]\nmode = "bubblewrap"\n\n[sandbox.env]'
    )  # fmt: skip
    file = given(story, "jailed.toml", text)
    assert "bubblewrap" in refused(
        story, 7, f"--settings={file}", PATH=path_without(story, "bwrap")
    )


def test_no_sandbox_at_all_needs_a_word_on_the_command_line(story):
    text = (story.root / "wavecrew.toml").read_text().replace(
        "[sandbox.env]", '[sandbox]\nmode = "none"\n\n[sandbox.env]'
    )  # fmt: skip
    said = refused(story, 7, f"--settings={given(story, 'open.toml', text)}")
    assert "--allow-unsandboxed" in said


def test_a_full_disk_is_told_before_anything_is_made(story, monkeypatch):
    nearly_full = shutil.disk_usage(story.root)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: nearly_full)
    request = RunRequest(
        repo=story.repo,
        agents=story.root / "agents.yaml",
        tasks=story.root / "tasks.yaml",
        settings=story.root / "wavecrew.toml",
        rehearsal=story.rehearsal,
    )
    with pytest.raises(DiskFull) as refusal:
        start_or_resume(request)
    assert refusal.value.exit_code == 7
    assert not (story.repo / ".git" / "wavecrew").exists()


def test_a_rehearsal_that_is_wrong(story):
    folder = story.root / "wrong-rehearsal"
    folder.mkdir()
    (folder / "rehearsal.yaml").write_text("modl: x\n")
    assert "rehearsal.yaml:1" in refused(story, 2, f"--rehearsal={folder}")


def test_a_dry_run_says_what_would_run_and_makes_nothing(story):
    done = story.run("--dry-run")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == ["1.1", "1.2", "2.1", "sync"]
    assert not (story.repo / ".git" / "wavecrew").exists()

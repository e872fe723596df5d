"""A run that the previous commit of Wavecrew started: this one goes on with it, or says why not.

UPGRADE_FROM=REVISION tries another commit than the previous one.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import zipfile
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
BEFORE = os.environ.get("UPGRADE_FROM", "HEAD~1")
TASKS = {"one": 1, "two": 2}


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """The code of the previous commit, in a folder of its own."""
    made = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=zip", BEFORE],
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip("the history here does not have the previous commit (a shallow clone?)")
    folder = tmp_path_factory.mktemp("earlier")
    with zipfile.ZipFile(io.BytesIO(made.stdout)) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def begun(stories, say, earlier):
    """Begun by the earlier code, killed behind the first task, and resumed by this one."""
    story = stories("upgrade")
    story.agents("author")
    story.plan(
        {"id": "one", "agent": "author"}, {"id": "two", "agent": "author", "depends_on": ["one"]}
    )
    for task, number in TASKS.items():
        story.talk(f"task/{task}", say.function(task, number))
    run = story.start(PYTHONPATH=str(earlier))
    story.wait_for_event(run, "agent_step", task="two", what="write_file")
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=30)
    paid = [r for r in story.journal("one") if r["record"] == "reply"]
    return SimpleNamespace(story=story, paid=paid, done=story.resume())


@pytest.mark.slow
def test_it_goes_on_or_is_refused_with_the_mend(begun):
    story, done = begun.story, begun.done
    assert "Traceback" not in done.err
    if done.code == 2:
        assert "another Wavecrew" in done.err
        assert "go on with Wavecrew" in done.err
        return
    assert done.code == 0, done.err
    assert story.landed() == list(TASKS)
    assert [r for r in story.journal("one") if r["record"] == "reply"] == begun.paid
    assert story.left_over() == []


def changed(story, **fields):
    spec = story.folder / "run.json"
    spec.write_text(json.dumps(json.loads(spec.read_text()) | fields))


def paused(stories, say, name):
    """A run that was killed after its first task."""
    story = stories(name)
    story.agents("author")
    story.plan(
        {"id": "one", "agent": "author"}, {"id": "two", "agent": "author", "depends_on": ["one"]}
    )
    for task, number in TASKS.items():
        story.talk(f"task/{task}", say.function(task, number))
    run = story.start()
    story.wait_for_event(run, "task_completed", task="one")
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=30)
    return story


@pytest.mark.slow
def test_a_newer_run_is_refused_by_its_version_and_started_afresh_when_asked(stories, say):
    story = paused(stories, say, "newer")
    changed(story, format=99, wavecrew="9.9.9")
    refused = story.resume()
    assert (refused.code, "Traceback" in refused.err) == (2, False)
    assert "go on with Wavecrew 9.9.9" in refused.err
    assert story.run().code == 2
    afresh = story.run("--new")
    assert afresh.code == 0, afresh.err


@pytest.mark.slow
def test_steps_of_another_engine_are_looked_at_again_and_none_is_done_twice(stories, say):
    story = paused(stories, say, "older")
    with closing(sqlite3.connect(story.folder / "engine.db")) as database, database:
        database.execute("update workflow_status set application_version = '0'")
    done = story.resume()
    assert done.code == 0, done.err
    assert story.landed() == list(TASKS)
    assert "another Wavecrew's engine (version 0)" in story.events("rolled_back")[0]["what"]
    assert [r["record"] for r in story.journal("one")].count("restored") == 0

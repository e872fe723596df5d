"""A machine loses its power: each file a run relies on loses its tail, and the run goes on.

One run is killed where an attempt is in flight behind a landed task. For each
kind of damage the repository is put back to that moment, damaged, and resumed.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest

TASKS = {"one": 1, "two": 2}


@pytest.fixture(scope="module")
def cut_off(stories, say):
    """The story at the moment of the power cut, and a copy of its repository to go back to."""
    story = stories("power")
    flags = story.flags()
    story.agents("author")
    story.plan(
        {"id": "one", "agent": "author"}, {"id": "two", "agent": "author", "depends_on": ["one"]}
    )
    story.talk("task/one", say.function("one", 1))
    wait = say.call("run_command", command=f"test -e {flags}/go || sleep 54.5", timeout_s=60)
    module, test, submission = say.function("two", 2)
    story.talk("task/two", [module, test, wait, submission])
    run = story.start()
    story.wait_for(lambda: any(b"sleep\x0054.5" in x for x in story.command_lines()), run)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=30)
    (flags / "go").touch()
    assert story.left_over_processes() == []
    shutil.copytree(story.repo, story.root / "kept", symlinks=True)
    return SimpleNamespace(story=story, answers={"one": 3, "two": 3})


def damaged(cut_off):
    """The story, back at the power cut."""
    story = cut_off.story
    shutil.rmtree(story.repo)
    shutil.copytree(story.root / "kept", story.repo, symlinks=True)
    return story


def halve(path):
    os.truncate(path, path.stat().st_size // 2)


def settle(path):
    """Everything of a database into its main file."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("pragma wal_checkpoint(truncate)")


def last_pages(path, pages=2):
    settle(path)
    os.truncate(path, path.stat().st_size - pages * 4096)


def garble(path):
    settle(path)
    data = bytearray(path.read_bytes())
    data[4096 : 4096 + 3000] = b"\xa5" * 3000
    path.write_bytes(data)


def empty(path):
    settle(path)
    path.write_bytes(b"")


def forget(path, after):
    """The last rows of the log are gone, cleanly: a commit that never reached the disk."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("delete from events where seq > ?", (after,))


def cut_tail(path, size=150):
    os.truncate(path, path.stat().st_size - size)


TWO = "attempts/two/1"
LOSSES = {
    "the log's newest frames": (lambda run: halve(run / "events.db-wal"), True),
    "the log's last pages": (lambda run: last_pages(run / "events.db"), True),
    "a page of the log": (lambda run: garble(run / "events.db"), True),
    "the whole log": (lambda run: empty(run / "events.db"), True),
    "all but the log's first event": (lambda run: forget(run / "events.db", 1), True),
    "the log's landing": (lambda run: forget(run / "events.db", 9), True),
    "the engine's newest frames": (lambda run: halve(run / "engine.db-wal"), False),
    "the engine's last pages": (lambda run: last_pages(run / "engine.db", 20), True),
    "a page of the engine": (lambda run: garble(run / "engine.db"), True),
    "the whole engine": (lambda run: empty(run / "engine.db"), False),
    "the journal's last bytes": (lambda run: cut_tail(run / TWO / "journal.jsonl"), False),
    "half the journal": (lambda run: halve(run / TWO / "journal.jsonl"), True),
    "the workspace": (lambda run: shutil.rmtree(run / TWO / "ws"), True),
    "the snapshots": (lambda run: shutil.rmtree(run / TWO / "ws" / "snap" / "objects"), True),
    "the assignment": (lambda run: halve(run / TWO / "assignment.json"), False),
    "the gates' reports": (lambda run: [halve(r) for r in run.glob("reports/*.json")], False),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", LOSSES)
def test_a_run_goes_on_after_the_loss_of(cut_off, what):
    story, (lose, must_tell) = damaged(cut_off), LOSSES[what]
    lose(story.folder)
    done = story.resume()
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    assert story.landed() == ["one", "two"]
    tree = story.git("ls-tree", "-r", "--name-only", "wavecrew/r1/integration").split()
    assert {"calculator/one.py", "calculator/two.py", "tests/test_two.py"} <= set(tree)
    ids = [event["id"] for event in story.events()]
    assert len(ids) == len(set(ids))
    assert {f"task_completed/{task}" for task in TASKS} <= {i.rsplit("/", 1)[0] for i in ids}
    told = [event["what"] for event in story.events("rolled_back")]
    assert bool(told) >= must_tell, "silently lost"
    assert all(what in done.err for what in told)


def test_a_run_whose_request_is_lost_is_refused_with_the_mend(cut_off):
    story = damaged(cut_off)
    halve(story.folder / "run.json")
    done = story.resume()
    assert done.code == 7
    assert "cannot be read any more" in done.err
    assert "wavecrew run --new" in done.err
    assert "Traceback" not in done.err


def test_leases_that_cannot_be_read_are_refused_with_the_mend(cut_off):
    story = damaged(cut_off)
    leases = story.repo / ".git" / "wavecrew" / "leases.db"
    with closing(sqlite3.connect(leases)) as database:
        database.execute("create table leases (x)")
    leases.write_bytes(b"\xa5" * leases.stat().st_size)
    spec = story.folder / "run.json"
    spec.write_text(spec.read_text().replace('"databases": []', '"databases": ["app"]'))
    done = story.resume()
    assert done.code == 7
    assert "delete that file" in done.err

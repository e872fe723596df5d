"""Steps that the engine holds for done and the log does not know: the log lost its tail."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from wavecrew.journal import events as e
from wavecrew.run.done import engine_is_ahead

PASSED = e.GateFinished("1.1", 1, 1, "pass", [], "t", "c", 1, 0, "s", "r")
ENDED = e.AttemptEnded("1.1", 1, "passed", "")
QUEUED = e.LandingQueued("1.1", 1, "c")
MERGED = e.MergeFinished("1.1", 1, "merged", "m", "mc", [], "", "r")
COMPLETED = e.TaskCompleted("1.1", "a", "Pass", [], "", "mc")
ATTEMPT = ("r1/task/1.1/1/0", "attempt", {"outcome": "passed", "commit": "c"})
MERGE = ("r1/land/1.1/1/0", "merge", {"outcome": "merged", "tree": "m"})
STEPS: list[tuple[tuple[str, str, Any], list[e.Fact]]] = [
    (ATTEMPT, [PASSED, ENDED, QUEUED]),
    (
        ("r1/task/1.1/1/0", "attempt", {"outcome": "held", "commit": ""}),
        [e.TaskHeld("1.1", 1, 1, "the wave's budget is used up")],
    ),
    (MERGE, [MERGED, COMPLETED]),
    (
        ("r1/land/1.1/1/0", "merge", {"outcome": "red", "tree": "m"}),
        [e.MergeFinished("1.1", 1, "red", "m", "", [], "", "r")],
    ),
    (("r1/sync/s/1", "look", {"id": "s", "status": "open"}), [e.SyncOpened("s", "t", 1, "r")]),
    (
        ("r1/sync/s/1", "look", {"id": "s", "status": "closed"}),
        [e.SyncClosed("s", 1, "fail", "", "r")],
    ),
    (("r1/task/1.1/1/0", "block", None), [e.TaskBlocked("1.1", "a", "why", "")]),
    (("r1", "block", None), [e.TaskBlocked("1.1", "a", "it waits for 1.2", "")]),
    (("r1", "finish", None), [e.RunFinished("done", 0, 1, 1, "tip")]),
]


def engine(path: Path, *steps: tuple[str, str, Any]) -> Path:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "create table operation_outputs (workflow_uuid, function_name, output, error, "
            "child_workflow_id)"
        )
        for workflow, name, output in steps:
            row = (workflow, f"Workflows.{name}", json.dumps(output))
            database.execute("insert into operation_outputs values (?, ?, ?, null, null)", row)
    return path


@pytest.mark.parametrize(
    ("step", "facts"), STEPS, ids=[f"{s[1]}-{n}" for n, (s, _) in enumerate(STEPS)]
)
def test_a_step_needs_each_of_its_facts(
    tmp_path: Path, step: tuple[str, str, Any], facts: list[e.Fact]
) -> None:
    path = engine(tmp_path / "engine.db", step)
    assert not engine_is_ahead(path, "r1", facts)
    for missing in facts:
        assert engine_is_ahead(path, "r1", [fact for fact in facts if fact is not missing])


def test_a_log_that_knows_more_is_no_loss(tmp_path: Path) -> None:
    path = engine(tmp_path / "engine.db", ATTEMPT)
    assert not engine_is_ahead(path, "r1", [PASSED, ENDED, QUEUED, MERGED, COMPLETED])


def test_a_database_that_cannot_be_read_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "engine.db"
    assert not engine_is_ahead(path, "r1", [])
    path.write_bytes(b"no database at all" * 300)
    assert engine_is_ahead(path, "r1", [])


def test_an_attempt_that_was_held_and_went_on_ended_once(tmp_path: Path) -> None:
    held = ("r1/task/1.1/1/0", "attempt", {"outcome": "held", "commit": ""})
    passed = ("r1/task/1.1/1/1", "attempt", {"outcome": "passed", "commit": "c"})
    path = engine(tmp_path / "engine.db", held, passed)
    facts = [e.TaskHeld("1.1", 1, 1, "why"), e.TaskFreed("1.1", 1), PASSED, ENDED, QUEUED]
    assert not engine_is_ahead(path, "r1", facts)

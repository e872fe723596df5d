"""Does the engine remember steps whose facts are not in the event log? Then the log lost its tail.

Reads the durable engine's own table. Where that does not look as expected the
answer is yes: to look at every step again is always right, only slower.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from wavecrew.journal import events as e


def engine_is_ahead(path: Path, run: str, facts: Sequence[e.Fact]) -> bool:
    """`path`: the engine's database, which no engine has open."""
    if not path.exists() or path.stat().st_size == 0:
        return False
    asked = (
        "select workflow_uuid, function_name, output from operation_outputs "
        "where function_name like 'Workflows.%' and child_workflow_id is null and error is null"
    )
    try:
        with closing(sqlite3.connect(path)) as database:
            tables = database.execute("select 1 from sqlite_master where name='operation_outputs'")
            if tables.fetchone() is None:
                return False
            rows = database.execute(asked).fetchall()
        done = [_Done(uuid, name, json.loads(text or "null")) for uuid, name, text in rows]
    except (sqlite3.Error, ValueError):
        return True
    known = _Known(facts)
    return any(not known.covers(step, run) for step in done)


class _Done:
    """A step that the engine holds for done."""

    def __init__(self, workflow: str, name: str, output: Any) -> None:
        self.workflow = workflow
        self.name = name.removeprefix("Workflows.")
        self.output: dict[str, Any] = output if isinstance(output, dict) else {}

    def subject(self, run: str, kind: str, numbers: int) -> str:
        """The task or sync point in a workflow's name, before its closing numbers."""
        return self.workflow.removeprefix(f"{run}/{kind}/").rsplit("/", numbers)[0]


class _Known:
    """What the log says, as far as steps can be compared with it."""

    def __init__(self, facts: Sequence[e.Fact]) -> None:
        self.passed = {f.commit for f in facts if isinstance(f, e.GateFinished) and f.commit}
        self.merges = [f for f in facts if isinstance(f, e.MergeFinished)]
        self.landed = {(f.task, f.attempt) for f in self.merges if f.outcome == "merged"}
        self.queued = {f.commit for f in facts if isinstance(f, e.LandingQueued)}
        self.refused = Counter(f.task for f in self.merges if f.outcome != "merged")
        self.completed = {f.task for f in facts if isinstance(f, e.TaskCompleted)}
        self.held = {f.task for f in facts if isinstance(f, e.TaskHeld)}
        self.ended = Counter(f.task for f in facts if isinstance(f, e.AttemptEnded))
        self.blocked = {f.task for f in facts if isinstance(f, e.TaskBlocked)}
        self.opened = {f.sync for f in facts if isinstance(f, e.SyncOpened)}
        self.closed = {f.sync for f in facts if isinstance(f, e.SyncClosed)}
        self.is_finished = any(isinstance(f, e.RunFinished) for f in facts)
        self._attempts: Counter[str] = Counter()

    def covers(self, step: _Done, run: str) -> bool:
        """True when the log has what this step must have written."""
        if step.name == "attempt":
            task = step.subject(run, "task", 2)
            if step.output.get("outcome") == "held":
                return task in self.held
            self._attempts[task] += 1
            commit = step.output.get("commit", "")
            return (not commit or commit in self.passed & self.queued) and (
                self._attempts[task] <= self.ended[task]
            )
        if step.name == "merge":
            task, attempt, _lap = step.workflow.removeprefix(f"{run}/land/").rsplit("/", 2)
            if step.output.get("outcome") == "merged":
                return (task, int(attempt)) in self.landed and task in self.completed
            return self.refused[task] > 0
        if step.name == "look":
            there = self.opened if step.output.get("status") == "open" else self.closed
            return step.output.get("id") in there
        if step.name == "block" and step.workflow == run:
            return bool(self.blocked)  # along with another; whom it blocked is not told here
        if step.name == "block":
            return step.subject(run, "task", 2) in self.blocked
        return step.name != "finish" or self.is_finished

"""Do the log, the engine's database, the journals and the history of a run still agree?

After `kill -9` they do, but for what was under way. After a power cut each may
have lost its tail on its own. What the log has lost is found out again: attempts
from their assignments and journals, verdicts from the reports of the gates, and
all else by letting the engine look at every step anew, since each step first
checks what an earlier try has done. What cannot be found out is rolled back, and told.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from wavecrew.budget.prices import Usage
from wavecrew.errors import EnvironmentBroken, ToolError
from wavecrew.journal import events as e
from wavecrew.journal.attempt import keep_first, last_snapshot, read_records
from wavecrew.run.again import again
from wavecrew.run.parts import Parts
from wavecrew.run.reports import report_name, saved_report
from wavecrew.run.spec import file_name
from wavecrew.run.submission import accepted_commit, gate_finished
from wavecrew.run.wire import Assignment
from wavecrew.upkeep.done import engine_is_ahead
from wavecrew.upkeep.torn import set_aside
from wavecrew.workspace.workspace import Workspace


def reconcile(parts: Parts) -> list[str]:
    """Bring them together again; one sentence for each thing that was lost.

    For the start of an engine, when nothing of the run is at work yet and the
    log has the run's start.
    """
    told: list[str] = []
    facts = [event.fact for event in parts.log.read()]
    if engine_is_ahead(parts.folder.engine, parts.spec.run, facts):
        aside = set_aside(parts.folder.engine)
        told.append(
            "the event log lost its newest events; they are found out again, and every step of "
            f"the engine is looked at anew (its database is kept as {aside.name})"
        )
    steps = Counter((f.task, f.attempt) for f in facts if isinstance(f, e.AgentStep))
    for one in _begun(parts):
        told += _attempt(one, parts, steps[one.given.subject, one.given.attempt])
    return told


@dataclass(frozen=True)
class Begun:
    """An attempt at a task that has a journal."""

    given: Assignment
    folder: Path

    @property
    def name(self) -> str:
        return f"{self.given.subject}/{self.given.attempt}"

    @cached_property
    def records(self) -> tuple[dict[str, Any], ...]:
        return read_records(self.folder / "journal.jsonl")

    def exchanges(self) -> Iterator[tuple[int, dict[str, Any], dict[str, Any]]]:
        """(how many records stand before it, request, reply) of each, without the start."""
        before, request = 0, dict[str, Any]()
        for number, record in enumerate(self.records):
            if record["record"] == "intent":
                before, request = number, record["request"]
            elif record["record"] == "reply" and request.get("tool") != "start":
                yield before, request | {"kind": record["kind"]}, record["reply"]


def _begun(parts: Parts) -> Iterator[Begun]:
    for file in sorted(parts.folder.root.glob("attempts/*/*/assignment.json")):
        try:
            given = Assignment.model_validate_json(file.read_bytes())
        except ValidationError:
            continue
        begun = Begun(given, file.parent)
        if given.kind == "task" and given.subject in parts.spec.only and begun.records:
            yield begun


def _attempt(one: Begun, parts: Parts, steps: int) -> list[str]:
    """`steps`: how many of the attempt's exchanges the log told of."""
    told = _facts_again(one, parts)
    task, number = one.given.subject, one.given.attempt
    ended = parts.log.has(e.id_with(e.AttemptEnded, task, number))
    known = parts.state.attempt(task, number)
    if not (ended or (known and known.commit)):
        told += _exchanges_lost(one, steps) + _workspace_lost(one, parts)
    return told


def _facts_again(one: Begun, parts: Parts) -> list[str]:
    """What journal and reports know of an attempt and the log does not."""
    given, missing = one.given, 0
    rework = given.rework.reason if given.rework else ""
    started = e.TaskStarted(
        task=given.subject,
        attempt=given.attempt,
        role=given.role.name,
        base=given.workspace.base,
        dependencies_verified=[dependency.id for dependency in given.dependencies],
        estimate_h=given.task.estimate_h if given.task else None,
        reason=rework,
    )
    missing += parts.log.append(started) is not None
    steps_missing = 0
    for step, (before, request, reply) in enumerate(one.exchanges(), 1):
        number = reply.get("submissions", 0) if request.get("tool") == "submit" else 0
        if number and not _verdict_again(one, parts, request, number):
            keep_first(one.folder / "journal.jsonl", before)
            return [f"the verdict on a submission of {one.name} was lost; it is judged again"]
        steps_missing += parts.log.append(_step(given, parts, step, request, reply)) is not None
    missing += max(0, steps_missing - 1)  # the newest one may just not have been told yet
    return [f"{missing} events of {one.name} were lost and written again"] if missing else []


def _step(
    given: Assignment, parts: Parts, step: int, request: dict[str, Any], reply: dict[str, Any]
) -> e.AgentStep:
    """What was told of an exchange, with what it cost."""
    what = str(request.get("tool", "model"))
    brief = " ".join(str(reply.get("text", reply.get("say", ""))).split())[:200]
    told = {"prompt": 0, "completion": 0, "cached": 0, "total": 0} | (reply.get("usage") or {})
    usage = Usage(int(told["prompt"]), int(told["completion"]), int(told["cached"]))
    cost_usd = parts.purse.prices.cost_usd(given.role.llm or given.model.name, usage)
    tries = int(reply.get("tries", 1)) if what == "model" else 0
    about = (given.subject, given.attempt, step, what, brief)
    return e.AgentStep(*about, int(told["total"]), cost_usd, tries)


def _verdict_again(one: Begun, parts: Parts, request: dict[str, Any], number: int) -> bool:
    """True when the log has the verdict on a submission, or its report gave it back."""
    given = one.given
    if parts.log.has(e.id_with(e.GateFinished, given.subject, given.attempt, number)):
        return True
    stem = f"{file_name(given.subject)}-{given.attempt}-{number}"
    report = saved_report(parts, stem)
    if report is None or not parts.mirror.has(report.tree) or given.task is None:
        return False
    summary = str(_arguments(request).get("summary", ""))
    commit = ""
    if report.verdict == "pass":
        base = given.workspace.base
        commit = accepted_commit(parts, given.task, given.role, base, report.tree, summary)
    about = (given.subject, given.attempt, number)
    parts.log.append(gate_finished(about, report, commit, summary, report_name(stem)))
    return True


def _arguments(request: dict[str, Any]) -> dict[str, Any]:
    try:
        found = json.loads(request.get("arguments", ""))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _exchanges_lost(one: Begun, told: int) -> list[str]:
    """Exchanges that were reported and are not in the journal any more."""
    kept = sum(1 for _ in one.exchanges())
    if told <= kept:
        return []
    return [f"the journal of {one.name} lost its last {told - kept} exchanges; they are made again"]


def _workspace_lost(one: Begun, parts: Parts) -> list[str]:
    """Go back to the newest snapshot whose objects are all there."""
    journal = one.folder / "journal.jsonl"
    records = list(read_records(journal))
    if not last_snapshot(records):
        return []
    base, sandbox = one.given.workspace.base, parts.parking or parts.sandbox
    try:
        workspace = Workspace.open(one.folder / "ws", parts.mirror.objects, base, sandbox)
    except EnvironmentBroken:
        keep_first(journal, 0)
        return [f"the workspace of {one.name} was lost; the attempt begins anew"]
    kept = records
    while (tree := last_snapshot(kept)) and not _holds(workspace, tree):
        newest = max(n for n, r in enumerate(kept) if (r.get("reply") or {}).get("snapshot"))
        kept = kept[: newest - 1]
    if len(kept) == len(records):
        return []
    keep_first(journal, len(kept) if last_snapshot(kept) else 0)
    lost = sum(r["record"] == "reply" for r in records[len(kept) :])
    return [
        f"files of {one.name} were lost; it goes back by {lost} exchanges, which are made again"
    ]


def _holds(workspace: Workspace, tree: str) -> bool:
    try:
        return again(lambda: workspace.holds(tree))
    except ToolError:
        return False

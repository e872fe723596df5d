"""The manager crew's sessions: triage of a red landing, and the report on a sync point.

The crew judges and writes; it decides nothing that evidence decides. Without a
usable answer from it the engine falls back to the plain rule: the branch that
turned the tree red mends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wavecrew.gates.model import GateReport
from wavecrew.gates.text import as_text
from wavecrew.journal import events as e
from wavecrew.journal.attempt import read_records
from wavecrew.plan.model import Role, Task
from wavecrew.run import wire
from wavecrew.run.branches import first_parent
from wavecrew.run.desk import Desk
from wavecrew.run.parts import Parts
from wavecrew.run.session import run_session, socket_for
from wavecrew.run.spec import file_name
from wavecrew.workspace.workspace import Workspace

DIFF_SHOWN = 20_000
"""Characters of a branch's diff that the manager crew sees."""


@dataclass(frozen=True, slots=True)
class Word:
    """What the manager crew said."""

    summary: str
    send_back: str = ""
    reason: str = ""
    raise_to_human: bool = False
    by: str = "engine"


class ManagerDesk(Desk):
    """Adds what only the manager crew may ask: evidence, branch diffs, and its report."""

    def __init__(self, parts: Parts, task: str, number: int, report: GateReport, crew: str) -> None:
        super().__init__(parts, task, number)
        self._report = report
        self._crew = crew
        self.word: Word | None = None
        self._answers[wire.Integrate] = self._integrate
        self._answers[wire.BranchDiff] = self._branch_diff
        self._answers[wire.CrewReport] = self._take_report

    def _step(self, request: wire.Step) -> wire.Reply:
        """The manager crew's steps are no task's; its tokens still count in the purse."""
        return wire.Noted()

    def _integrate(self, request: wire.Integrate) -> wire.Reply:
        accepted = self._report.verdict == "pass"
        return wire.Gated(report=self._report, accepted=accepted, attempts_left=0)

    def _branch_diff(self, request: wire.BranchDiff) -> wire.Reply:
        with self.parts.reading:
            state = self.parts.state.tasks.get(request.task)
        if state is None or not state.commit:
            return wire.Refused(why=f"task {request.task!r} has no branch in this run")
        parent = first_parent(self.parts, state.commit)
        return wire.BoardText(text=self.parts.mirror.diff(parent, state.commit)[:DIFF_SHOWN])

    def _take_report(self, request: wire.CrewReport) -> wire.Reply:
        known = {t.id for t in self.parts.spec.tasks}
        if request.send_back and request.send_back not in known:
            return wire.Refused(
                why=f"{request.send_back!r} is no task of this run: {sorted(known)}"
            )
        self.word = Word(
            request.summary,
            request.send_back,
            request.reason,
            request.raise_to_human,
            by=self._crew,
        )
        return wire.Noted()


def triage(parts: Parts, task: Task, attempt: int, tree: str, report: GateReport) -> Word:
    """Who mends a landing that went red, and why: the manager crew's word, or the plain rule."""
    brief = (
        f"Task {task.id} ({task.title}) passed its own gate. Merged with the integration branch, "
        f"the checks are red at tree {tree}. Find out which task broke it and who mends it.\n\n"
        f"{as_text(report)}"
    )
    fallback = Word(
        "The landing turned the integration tree red.", task.id, "see the failing tests"
    )
    if not _managers(parts):
        return fallback
    assignment = _assignment(parts, "triage", task, task.id, attempt, tree, brief)
    desk = ManagerDesk(parts, task.id, attempt, report, assignment.role.name)
    return _hear(parts, f"triage/{task.id}/{attempt}", assignment, desk) or fallback


def record_triage(
    parts: Parts, task: Task, attempt: int, word: Word, rework: dict[str, Any]
) -> dict[str, Any]:
    """Write down who was sent back and why; the rework that goes with it, as JSON."""
    culprit = word.send_back or task.id
    reason = word.reason or rework["reason"]
    stem = f"{file_name(task.id)}-{attempt}-integration"
    parts.log.append(e.SentBack(culprit, attempt, word.by, reason, f"reports/{stem}.json"))
    theirs = "" if culprit == task.id else f"{task.id} {task.title}, which cannot land until then"
    return rework | {"reason": reason, "by": word.by, "theirs": theirs}


def sync_word(
    parts: Parts, sync: str, title: str, number: int, tree: str, report: GateReport
) -> Word:
    """The manager crew's report on a sync point whose evidence is already there."""
    brief = (
        f"Sync point {sync} ({title}), round {number}: everything before it is merged. The checks "
        f"ran at tree {tree}.\n\n{as_text(report)}"
    )
    plain = Word(f"Verdict {report.verdict} at tree {tree}.")
    if not _managers(parts):
        return plain
    assignment = _assignment(parts, "sync", None, sync, number, tree, brief)
    desk = ManagerDesk(parts, sync, number, report, assignment.role.name)
    return _hear(parts, f"sync/{sync}/{number}", assignment, desk) or plain


def _hear(parts: Parts, name: str, assignment: wire.Assignment, desk: ManagerDesk) -> Word | None:
    run_session(parts, name, assignment, desk.answer)
    parts.sessions.discard(name)
    if parts.stop.requested.is_set() and desk.word is None:
        parts.stop.halt()
    return desk.word


def _managers(parts: Parts) -> tuple[Role, ...]:
    return tuple(role for role in parts.spec.roles if role.manager)


def _assignment(
    parts: Parts,
    kind: str,
    task: Task | None,
    subject: str,
    number: int,
    tree: str,
    brief: str,
) -> wire.Assignment:
    spec = parts.spec
    managers = _managers(parts)
    folder = parts.folder.attempt(f"{kind}-{file_name(subject)}", number)
    folder.mkdir(parents=True, exist_ok=True)
    base = parts.tip()
    place = wire.WorkspacePlace(root=folder / "ws", objects=parts.mirror.objects, base=base)
    if not read_records(folder / "journal.jsonl"):
        Workspace.create(place.root, place.objects, base, parts.sandbox, tree=tree)
    return wire.Assignment(
        run=spec.run,
        kind="triage" if kind == "triage" else "sync",
        subject=subject,
        task=task,
        attempt=number,
        role=managers[0],
        roles=managers,
        model=spec.settings.model,
        limits=spec.settings.limits,
        sandbox=spec.settings.sandbox,
        allow_unsandboxed=spec.allow_unsandboxed,
        mcp=spec.settings.mcp,
        policy=spec.settings.policy,
        workspace=place,
        journal=folder / "journal.jsonl",
        home=folder / "home",
        socket=socket_for(parts),
        deadline_s=spec.settings.limits.attempt_minutes * 60,
        brief=brief,
    )

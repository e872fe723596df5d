"""The manager crew's sessions: triage of a red landing, and the report on a sync point.

The crew judges and writes; it decides nothing that evidence decides. Without a
usable answer from it the engine falls back to the plain rule: the branch that
turned the tree red mends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from wavecrew.errors import ModelUnreachable
from wavecrew.gates.model import GateReport
from wavecrew.gates.text import as_text
from wavecrew.journal import events as e
from wavecrew.journal.account import RUN
from wavecrew.plan.model import Role, SyncPoint, Task
from wavecrew.run import wire
from wavecrew.run.branches import first_parent
from wavecrew.run.desk import Desk
from wavecrew.run.parts import Parts
from wavecrew.run.session import run_session, socket_for
from wavecrew.run.spec import file_name

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

    def __init__(self, parts: Parts, matter: Matter, role: Role) -> None:
        super().__init__(
            parts,
            matter.subject,
            matter.number,
            session=matter.session,
            nodes=(RUN,),
            model=role.llm or parts.spec.settings.model.name,
        )
        self._matter = matter.kind
        self._report = matter.report
        self._crew = role.name
        self._own = {matter.task.id} if matter.task else set()
        self.word: Word | None = None
        self._answers[wire.Integrate] = self._integrate
        self._answers[wire.BranchDiff] = self._branch_diff
        self._answers[wire.CrewReport] = self._take_report

    def _fact_of(self, step: wire.Step, cost_usd: float) -> e.Fact:
        """The manager crew's steps are no task's; its tokens and money are the run's."""
        return e.CrewStep(
            self._matter,
            self.task,
            self.attempt,
            step.step,
            step.what,
            step.brief,
            step.tokens,
            cost_usd,
            step.tries,
        )

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
        with self.parts.reading:
            may_mend = self.parts.state.merged | self._own
        if request.send_back and request.send_back not in may_mend:
            return wire.Refused(
                why=f"only a task that has landed can be sent back, and {request.send_back!r} is "
                f"none: {sorted(may_mend)}"
            )
        self.word = Word(
            request.summary,
            request.send_back,
            request.reason,
            request.raise_to_human,
            by=self._crew,
        )
        return wire.Noted()


@dataclass(frozen=True, slots=True)
class Matter:
    """What the crew is asked about; kind, subject and number name the conversation."""

    kind: Literal["triage", "sync"]
    subject: str
    """Task id or sync point id."""
    number: int
    """Attempt or round."""
    report: GateReport
    brief: str
    task: Task | None = None

    @property
    def session(self) -> str:
        return f"{self.kind}/{self.subject}/{self.number}"


def triage(parts: Parts, task: Task, attempt: int, tree: str, report: GateReport) -> Word:
    """Who mends a landing that went red, and why: the manager crew's word, or the plain rule."""
    brief = (
        f"Task {task.id} ({task.title}) passed its own gate. Merged with the integration branch, "
        f"the checks are red at tree {tree}. Find out which task broke it and who mends it.\n\n"
        f"{as_text(report)}"
    )
    heard = _hear(parts, Matter("triage", task.id, attempt, report, brief, task))
    return heard or Word("The landing turned the integration tree red.", task.id)


def sync_word(parts: Parts, sync: SyncPoint, number: int, report: GateReport) -> Word:
    """The manager crew's report on a sync point whose evidence is already there."""
    brief = (
        f"Sync point {sync.id} ({sync.title}), round {number}: everything before it is merged. "
        f"The checks ran at tree {report.tree}.\n\n{as_text(report)}"
    )
    heard = _hear(parts, Matter("sync", sync.id, number, report, brief))
    return heard or Word(f"Verdict {report.verdict} at tree {report.tree}.")


def record_triage(
    parts: Parts, task: Task, attempt: int, word: Word, landed: dict[str, Any]
) -> dict[str, Any]:
    """Write down who was sent back and why; the rework that goes with it, as JSON.

    `landed` is how the landing ended: its `rework` and its `evidence`.
    """
    rework: dict[str, Any] = landed["rework"]
    culprit = word.send_back or task.id
    reason = word.reason or rework["reason"]
    parts.log.append(e.SentBack(culprit, attempt, word.by, reason, landed["evidence"]))
    theirs = "" if culprit == task.id else f"{task.id} {task.title}, which cannot land until then"
    return rework | {"reason": reason, "by": word.by, "theirs": theirs}


def _hear(parts: Parts, matter: Matter) -> Word | None:
    """One conversation of one manager role; None when there is no such role or no report."""
    managers = tuple(role for role in parts.spec.roles if role.manager)
    if not managers:
        return None
    assignment = _assignment(parts, matter, _in_charge(managers, matter), managers)
    desk = ManagerDesk(parts, matter, assignment.role)
    ended = run_session(parts, matter.session, assignment, desk.answer)
    parts.sessions.discard(matter.session)
    if desk.word is None:
        if parts.stop.requested.is_set():
            parts.stop.halt()
        if ended.outcome == "model_failed":
            mend = "mend the endpoint, then --resume"
            parts.stop.halt(ModelUnreachable(ended.detail, where=matter.session, mend=mend))
    return desk.word


def _in_charge(managers: tuple[Role, ...], matter: Matter) -> Role:
    """The first manager role takes what is red, the last one reviews what is green."""
    return managers[-1] if matter.report.verdict == "pass" else managers[0]


def _assignment(
    parts: Parts, matter: Matter, role: Role, managers: tuple[Role, ...]
) -> wire.Assignment:
    """The manager crew reads evidence and diffs over the line; it is given no workspace."""
    spec = parts.spec
    folder = parts.folder.attempt(f"{matter.kind}-{file_name(matter.subject)}", matter.number)
    folder.mkdir(parents=True, exist_ok=True)
    place = wire.WorkspacePlace(root=folder / "ws", objects=parts.mirror.objects, base=parts.tip())
    return wire.Assignment(
        run=spec.run,
        kind=matter.kind,
        subject=matter.subject,
        task=matter.task,
        attempt=matter.number,
        role=role,
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
        brief=matter.brief,
    )

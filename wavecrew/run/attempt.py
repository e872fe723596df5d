"""One attempt: an agent, a task, a private workspace, and the gate that judges it.

The verdict is the engine's own: what counts is the gate's report at the
submitted tree, never how the agent process says it ended.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from wavecrew.errors import EnvironmentBroken, LimitReached, ModelUnreachable
from wavecrew.gates.gate import GateInput, gate
from wavecrew.gates.model import Finding, GateReport
from wavecrew.journal import events as e
from wavecrew.journal.attempt import read_records
from wavecrew.plan.model import Role, Task
from wavecrew.run import wire
from wavecrew.run.branches import park, publish
from wavecrew.run.desk import Desk
from wavecrew.run.parts import Parts
from wavecrew.run.session import Ended, run_session, socket_for
from wavecrew.run.spec import file_name
from wavecrew.workspace.model import Author, TreeRejected
from wavecrew.workspace.refs import attic_ref
from wavecrew.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of an attempt."""

    outcome: str
    """passed, or one of AttemptEnded's."""
    commit: str = ""
    """The branch's commit, when it passed."""
    detail: str = ""
    model_calls: int = 0
    tokens: int = 0


class AttemptDesk(Desk):
    """Adds `submit`: import the tree, run the gate, commit what passed."""

    def __init__(self, parts: Parts, task: Task, role: Role, attempt: int, base: str) -> None:
        super().__init__(parts, task.id, attempt)
        self._task = task
        self._role = role
        self._base = base
        self._answers[wire.Submit] = self._submit

    def _submit(self, request: wire.Submit) -> wire.Reply:
        stem = f"{file_name(self.task)}-{self.attempt}-{request.submission}"
        known = self._recorded(stem, request.tree)
        with self.parts.gates:
            report = known or self.parts.unless_stopping(self._judge(request, stem))
        accepted = report.verdict == "pass"
        commit = self._commit(request, report) if accepted else ""
        self._record(request, report, commit, stem)
        left = max(0, self._role.attempts - self._refused())
        return wire.Gated(report=report, accepted=accepted, attempts_left=left)

    def _refused(self) -> int:
        """Submissions of this attempt that did not pass, before a resume too."""
        facts = [event.fact for event in self.parts.log.read()]
        return sum(
            isinstance(fact, e.GateFinished)
            and (fact.task, fact.attempt) == (self.task, self.attempt)
            and fact.verdict != "pass"
            for fact in facts
        )

    def _judge(self, request: wire.Submit, stem: str) -> GateReport:
        try:
            self.parts.mirror.import_pack(request.pack, request.tree, self._base)
        except TreeRejected as rejected:
            return self._rejected(request.tree, rejected)
        given = gate_input(self.parts, self._task, self._role, self._base, request.tree, stem)
        sandbox = self.parts.lessor.gate(f"{session_name(self.task, self.attempt)}/gate")
        return gate(replace(given, sandbox=sandbox))

    def _rejected(self, tree: str, rejected: TreeRejected) -> GateReport:
        findings = tuple(
            Finding(rule="forbidden_entry", message=found.message, path=found.path)
            for found in rejected.findings
        )
        return GateReport(tree=tree, base=self._base, verdict="fail", findings=findings)

    def _recorded(self, stem: str, tree: str) -> GateReport | None:
        """The report of this very submission, when an earlier engine wrote it and then died."""
        report = saved_report(self.parts, stem)
        return report if report and report.tree == tree else None

    def _commit(self, request: wire.Submit, report: GateReport) -> str:
        message = f"{self._task.id}: {self._task.title}\n\n{request.summary}\n"
        return self.parts.mirror.commit(
            report.tree, (self._base,), message, author_of(self._role), self.parts.clock()
        )

    def _record(self, request: wire.Submit, report: GateReport, commit: str, stem: str) -> None:
        path = save_report(self.parts, stem, report)
        self.parts.log.append(
            e.GateFinished(
                task=self.task,
                attempt=self.attempt,
                submission=request.submission,
                verdict=report.verdict,
                rules=list(report.rules),
                tree=report.tree,
                commit=commit,
                passed=sum(evidence.passed for evidence in report.evidence),
                failed=sum(evidence.failed for evidence in report.evidence),
                summary=request.summary,
                report=path,
            )
        )


def try_task(parts: Parts, task: Task, attempt: int, rework: wire.Rework | None) -> Tried:
    """Work on `task` until its gate passes or the attempt is over.

    Carried out again after a crash it goes on where it was: the same base, the
    journal replayed, the workspace at its last snapshot.
    """
    done = _accepted(parts, task.id, attempt)
    if done is None:
        role = parts.spec.role(task.agent)
        base = _begin(parts, task, role, attempt, rework)
        assignment = _assignment(parts, task, role, attempt, base, rework)
        desk = AttemptDesk(parts, task, role, attempt, base)
        ended = run_session(parts, session_name(task.id, attempt), assignment, desk.answer)
        done = _accepted(parts, task.id, attempt)
        if done is None:
            done = _ended_without(parts, task, attempt, assignment.workspace, ended)
        else:
            done = replace(done, model_calls=ended.model_calls, tokens=ended.tokens)
    name = session_name(task.id, attempt)
    parts.sessions.discard(name)
    parts.lessor.release(name, f"{name}/gate")
    return _conclude(parts, task, attempt, done)


def session_name(task: str, attempt: int) -> str:
    return f"{task}/{attempt}"


def author_of(role: Role) -> Author:
    return Author(role.role, f"{role.name}@wavecrew.localhost")


def gate_input(parts: Parts, task: Task, role: Role, base: str, tree: str, stem: str) -> GateInput:
    """What the gate needs to judge one submitted tree."""
    spec = parts.spec
    return GateInput(
        mirror=parts.mirror,
        sandbox=parts.sandbox,
        base=base,
        tree=tree,
        scope=scope_of(role, task),
        checks=spec.settings.at("gate"),
        done_when=task.done_when,
        provides=task.provides,
        settings=spec.settings,
        run_dir=parts.folder.root,
        name=stem,
        held_out_root=Path(spec.held_out_root) if spec.held_out_root else None,
    )


def scope_of(role: Role, task: Task) -> tuple[tuple[str, ...], ...]:
    """Groups of globs; a path must match one of each. Where neither says anything, none does."""
    return tuple(group for group in (role.may_write, task.may_write) if group) or ((),)


def report_path(parts: Parts, stem: str) -> Path:
    return parts.folder.root / "reports" / f"{stem}.json"


def save_report(parts: Parts, stem: str, report: GateReport) -> str:
    """Write the report whole; its path relative to the run's folder."""
    path = report_path(parts, stem)
    path.parent.mkdir(exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(report.model_dump_json(indent=1), encoding="utf-8")
    partial.replace(path)
    return str(path.relative_to(parts.folder.root))


def saved_report(parts: Parts, stem: str) -> GateReport | None:
    """A report that was written whole; None when there is none yet."""
    path = report_path(parts, stem)
    return GateReport.model_validate_json(path.read_bytes()) if path.exists() else None


def _accepted(parts: Parts, task: str, attempt: int) -> Tried | None:
    """The accepted submission of this attempt, if the log has one."""
    for event in parts.log.read():
        fact = event.fact
        if isinstance(fact, e.GateFinished) and (fact.task, fact.attempt, fact.verdict) == (
            task,
            attempt,
            "pass",
        ):
            return Tried("passed", commit=fact.commit)
    return None


def _begin(parts: Parts, task: Task, role: Role, attempt: int, rework: wire.Rework | None) -> str:
    """Announce the attempt once, with the base it is cut from and the proof of its dependencies."""
    for event in parts.log.read():
        fact = event.fact
        if isinstance(fact, e.TaskStarted) and (fact.task, fact.attempt) == (task.id, attempt):
            return fact.base
    base = parts.tip()
    verified = [_proven(parts, dependency, base) for dependency in task.depends_on]
    parts.log.append(
        e.TaskStarted(
            task=task.id,
            attempt=attempt,
            role=role.name,
            base=base,
            dependencies_verified=verified,
            estimate_h=task.estimate_h,
            reason=rework.reason if rework else "",
        )
    )
    return base


def _proven(parts: Parts, dependency: str, base: str) -> str:
    """`dependency`, after checking that its merge commit is an ancestor of `base`."""
    with parts.reading:
        state = parts.state.tasks.get(dependency)
    if state is None:
        return f"{dependency} (before this run)"
    if not state.commit or not parts.mirror.is_ancestor(state.commit, base):
        raise EnvironmentBroken(
            f"the integration branch does not contain the merge of {dependency!r}",
            where=parts.spec.integration_ref,
            mend="someone moved the branch; put it back to its tip and --resume",
        )
    return dependency


def _assignment(
    parts: Parts, task: Task, role: Role, attempt: int, base: str, rework: wire.Rework | None
) -> wire.Assignment:
    spec = parts.spec
    folder = parts.folder.attempt(task.id, attempt)
    folder.mkdir(parents=True, exist_ok=True)
    return wire.Assignment(
        run=spec.run,
        kind="task",
        subject=task.id,
        task=task,
        attempt=attempt,
        role=role,
        model=spec.settings.model,
        limits=spec.settings.limits,
        sandbox=spec.settings.sandbox,
        allow_unsandboxed=spec.allow_unsandboxed,
        lease=parts.lessor.lease(session_name(task.id, attempt), folder / "cache"),
        checks=spec.settings.at("gate"),
        mcp=spec.settings.mcp,
        policy=spec.settings.policy,
        scope=scope_of(role, task),
        dependencies=_dependencies(parts, task),
        rework=rework,
        workspace=_workspace(parts, task, attempt, base, folder),
        journal=folder / "journal.jsonl",
        home=folder / "home",
        socket=socket_for(parts),
        deadline_s=spec.settings.limits.attempt_minutes * 60,
    )


def _dependencies(parts: Parts, task: Task) -> tuple[wire.DependencyResult, ...]:
    with parts.reading:
        states = [parts.state.tasks[d] for d in task.depends_on if d in parts.state.tasks]
    return tuple(
        wire.DependencyResult(id=s.id, title=s.title, summary=s.summary, commit=s.commit)
        for s in states
    )


def _workspace(
    parts: Parts, task: Task, attempt: int, base: str, folder: Path
) -> wire.WorkspacePlace:
    """The attempt's tree: kept when an earlier engine began it, cut fresh otherwise."""
    root = folder / "ws"
    place = wire.WorkspacePlace(root=root, objects=parts.mirror.objects, base=base)
    if read_records(folder / "journal.jsonl"):
        return place
    shutil.rmtree(root, ignore_errors=True)
    Workspace.create(
        root,
        parts.mirror.objects,
        base,
        parts.lessor.attempt(session_name(task.id, attempt), folder / "cache"),
        setup=parts.spec.settings.workspace.setup,
        tree=start_tree(parts, task, attempt, base),
        branch=task.id,
        author=author_of(parts.spec.role(task.agent)),
    )
    return place


def start_tree(parts: Parts, task: Task, attempt: int, base: str) -> str | None:
    """For rework: the task's earlier branch merged with the new base, conflict markers and all."""
    earlier = _earlier_commit(parts, task.id, attempt)
    if not earlier:
        return None
    return parts.mirror.merge(base, earlier).tree


def _earlier_commit(parts: Parts, task: str, attempt: int) -> str:
    """The newest passed branch of `task` that never landed; empty when there is none."""
    landed = {
        (event.fact.task, event.fact.attempt)
        for event in parts.log.read()
        if isinstance(event.fact, e.MergeFinished) and event.fact.outcome == "merged"
    }
    commits = [
        event.fact.commit
        for event in parts.log.read()
        if isinstance(event.fact, e.GateFinished)
        and event.fact.task == task
        and event.fact.attempt < attempt
        and event.fact.verdict == "pass"
        and (task, event.fact.attempt) not in landed
    ]
    return commits[-1] if commits else ""


def _ended_without(
    parts: Parts, task: Task, attempt: int, place: wire.WorkspacePlace, ended: Ended
) -> Tried:
    """An attempt that is over without an accepted submission; its work goes to the attic."""
    park(parts, task, attempt, place, ended)
    parts.sessions.discard(session_name(task.id, attempt))
    if parts.stop.requested.is_set():
        parts.stop.halt()
    if ended.outcome == "model_failed":
        parts.stop.halt(
            ModelUnreachable(
                ended.detail, where=f"task {task.id}", mend="mend the endpoint, then --resume"
            )
        )
    if ended.outcome == "out_of_budget":
        parts.stop.halt(
            LimitReached(ended.detail, where=f"task {task.id}", mend="raise the budget, --resume")
        )
    return Tried(
        ended.outcome,
        detail=ended.detail,
        model_calls=ended.model_calls,
        tokens=ended.tokens,
    )


def _conclude(parts: Parts, task: Task, attempt: int, tried: Tried) -> Tried:
    """Publish the branch, say how the attempt ended."""
    branch = ""
    if tried.commit:
        branch = publish(parts, task, tried.commit)
    elif parts.repository.read_ref(attic_ref(parts.spec.run, task.id, attempt)):
        branch = attic_ref(parts.spec.run, task.id, attempt)
    parts.log.append(
        e.AttemptEnded(
            task=task.id,
            attempt=attempt,
            outcome=tried.outcome,
            detail=tried.detail,
            model_calls=tried.model_calls,
            tokens=tried.tokens,
            branch=branch,
        )
    )
    return tried

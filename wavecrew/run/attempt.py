"""One attempt: an agent, a task, a private workspace, and the gate that judges it.

The verdict is the engine's own: what counts is the gate's report at the
submitted tree, never how the agent process says it ended.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from wavecrew.errors import EnvironmentBroken, ModelUnreachable
from wavecrew.journal import events as e
from wavecrew.journal.account import nodes_of
from wavecrew.journal.attempt import read_records
from wavecrew.plan.model import Role, Task
from wavecrew.run import wire
from wavecrew.run.branches import park, publish
from wavecrew.run.budget import Verdict
from wavecrew.run.parts import Parts
from wavecrew.run.session import Ended, run_session, session_name, socket_for
from wavecrew.run.submission import AttemptDesk, author_of, scope_of
from wavecrew.workspace.refs import attic_ref
from wavecrew.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of an attempt."""

    outcome: str
    """passed, one of AttemptEnded's, or held: it goes on once its wave's budget is raised."""
    commit: str = ""
    """The branch's commit, when it passed."""
    detail: str = ""
    model_calls: int = 0
    tokens: int = 0


def try_task(parts: Parts, task: Task, attempt: int, rework: wire.Rework | None) -> Tried:
    """Work on `task` until its gate passes or the attempt is over.

    Carried out again after a crash it goes on where it was: the same base, the
    journal replayed, the workspace at its last snapshot.
    """
    done = _accepted(parts, task.id, attempt)
    if done is None:
        if short := _short(parts, task):
            return _held(parts, task, attempt, short)
        role = parts.spec.role(task.agent)
        base = _begin(parts, task, role, attempt, rework)
        assignment = _assignment(parts, task, role, attempt, base, rework)
        desk = AttemptDesk(parts, task, role, attempt, base)
        ended = run_session(parts, session_name(task.id, attempt), assignment, desk.answer)
        done = _accepted(parts, task.id, attempt)
        if done is None:
            done = _ended_without(parts, task, attempt, assignment.workspace, ended)
            if desk.refused and desk.refused.level == "wave":
                done = _held(parts, task, attempt, desk.refused)
        else:
            done = replace(done, model_calls=ended.model_calls, tokens=ended.tokens)
    name = session_name(task.id, attempt)
    parts.sessions.discard(name)
    parts.lessor.release(name, f"{name}/gate")
    return done if done.outcome == "held" else _conclude(parts, task, attempt, done)


def room_for(parts: Parts, task: Task) -> bool:
    """True when the budget of the task's wave has room for it again."""
    return _short(parts, task) is None


def _short(parts: Parts, task: Task) -> Verdict | None:
    """Why the task has to wait for its wave's budget, by the call that was refused last."""
    with parts.reading:
        want = parts.state.tasks[task.id].held_for
    verdict = parts.purse.used_up(nodes_of(task.id, task.wave or ""), *want)
    return verdict if verdict and verdict.level == "wave" else None


def _held(parts: Parts, task: Task, attempt: int, short: Verdict) -> Tried:
    """Say that the task waits, and leave the attempt as it is: it goes on from its journal."""
    with parts.reading:
        state = parts.state.tasks[task.id]
        hold, is_held = state.holds + 1, bool(state.held)
    if not is_held:
        fact = e.TaskHeld(task.id, hold, attempt, short.reason, short.tokens, short.cost_usd)
        parts.log.append(fact)
    return Tried("held", detail=short.reason)


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
    with parts.reading:
        state = parts.state.tasks[task.id]
        hold, is_held = state.holds, bool(state.held)
    if is_held:
        parts.log.append(e.TaskFreed(task.id, hold))
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
    log = parts.log.read()
    landed = {
        (event.fact.task, event.fact.attempt)
        for event in log
        if isinstance(event.fact, e.MergeFinished) and event.fact.outcome == "merged"
    }
    commits = [
        event.fact.commit
        for event in log
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

"""One attempt: an agent, a task, a private workspace, and the gate that judges it.

The verdict is the engine's own: what counts is the gate's report at the
submitted tree, never how the agent process says it ended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from wavecrew.errors import EnvironmentBroken, ModelUnreachable
from wavecrew.journal import events as e
from wavecrew.journal.account import nodes_of
from wavecrew.journal.attempt import newest_snapshot, read_records
from wavecrew.journal.records import materialise
from wavecrew.plan.model import Role, Task
from wavecrew.run import wire
from wavecrew.run.again import again
from wavecrew.run.branches import park, publish
from wavecrew.run.budget import Verdict
from wavecrew.run.disk import no_room
from wavecrew.run.foresight import ForesightedDesk
from wavecrew.run.moving import (
    bring_state,
    cut_moved,
    drop_states,
    park_states,
)
from wavecrew.run.parts import Parts
from wavecrew.run.session import Ended, run_session, session_name, socket_for
from wavecrew.run.submission import author_of, scope_of
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
        rework = _given_before(parts, task, attempt) or rework
        base = _begin(parts, task, role, attempt, rework)
        done = _worked(parts, task, role, attempt, base, rework)
    name = session_name(task.id, attempt)
    parts.sessions.discard(name)
    parts.lessor.release(name, f"{name}/gate")
    parts.purse.end(name)  # also what an engine that died had reserved for it
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


def _worked(
    parts: Parts, task: Task, role: Role, attempt: int, base: str, rework: wire.Rework | None
) -> Tried:
    """The agent's work, from where it is now to the end of the attempt."""
    folder = parts.folder.attempt(task.id, attempt)
    place = _workspace(parts, task, attempt, base, folder)
    if place is None:
        why = "it began on a machine that is gone, which could not hand on its newest state"
        park_states(parts, task, attempt, base, outcome="crashed", detail=why)
        return Tried("crashed", detail=why)

    assignment = _assignment(parts, task, role, attempt, place, rework)
    desk = ForesightedDesk(parts, task, role, attempt, base)
    ended = run_session(parts, session_name(task.id, attempt), assignment, desk.answer)
    done = _accepted(parts, task.id, attempt)
    if done is None:
        done = _ended_without(parts, task, attempt, place, ended)
        short = desk.refused
        return _held(parts, task, attempt, short) if short and short.level == "wave" else done
    return replace(done, model_calls=ended.model_calls, tokens=ended.tokens)


def _given_before(parts: Parts, task: Task, attempt: int) -> wire.Rework | None:
    """With what an attempt was sent back that has a journal: going on, it is asked the same."""
    folder = parts.folder.attempt(task.id, attempt)
    if not read_records(folder / "journal.jsonl"):
        return None
    try:
        given = (folder / "assignment.json").read_bytes()
        return wire.Assignment.model_validate_json(given).rework
    except (OSError, ValidationError):
        return None


def _accepted(parts: Parts, task: str, attempt: int) -> Tried | None:
    """The accepted submission of this attempt, if the log has one."""
    with parts.reading:
        known = parts.state.attempt(task, attempt)
        return Tried("passed", commit=known.commit) if known and known.commit else None


def _begin(parts: Parts, task: Task, role: Role, attempt: int, rework: wire.Rework | None) -> str:
    """Announce the attempt once, with the base it is cut from and the proof of its dependencies."""
    with parts.reading:
        state = parts.state.tasks[task.id]
        hold, is_held = state.holds, bool(state.held)
    if is_held:
        parts.log.append(e.TaskFreed(task.id, hold))
    if begun := _base(parts, task.id, attempt):
        return begun
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


def _base(parts: Parts, task: str, attempt: int) -> str:
    """What an attempt that was announced is cut from; empty when it was not."""
    with parts.reading:
        known = parts.state.attempt(task, attempt)
        return known.base if known else ""


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
    parts: Parts,
    task: Task,
    role: Role,
    attempt: int,
    place: wire.WorkspacePlace,
    rework: wire.Rework | None,
) -> wire.Assignment:
    spec = parts.spec
    folder = parts.folder.attempt(task.id, attempt)
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
        workspace=place,
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
) -> wire.WorkspacePlace | None:
    """The attempt's tree: kept when an earlier engine began it here, cut anew otherwise.

    None when it began elsewhere and cannot be had here as it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / "ws"
    journal = folder / "journal.jsonl"
    author = author_of(parts.spec.role(task.agent))
    if parts.records is not None:
        materialise(parts.records, f"task/{task.id}/{attempt}", journal)
    newest = newest_snapshot(journal)
    is_here = bool(read_records(journal)) and (root / "workspace.json").exists()
    if newest and parts.records is not None:
        had = bring_state(parts, task.id, attempt, base, newest)
        if not is_here:
            if not had:
                return None
            sandbox = parts.lessor.attempt(session_name(task.id, attempt), folder / "cache")
            cut_moved(
                parts, task, attempt, base, folder, tree=newest, sandbox=sandbox, author=author
            )
    elif not is_here:
        sandbox = parts.lessor.attempt(session_name(task.id, attempt), folder / "cache")
        tree = start_tree(parts, task, attempt, base)
        again(
            lambda: Workspace.create(
                root,
                parts.mirror.objects,
                base,
                sandbox,
                setup=parts.spec.settings.workspace.setup,
                tree=tree,
                branch=task.id,
                author=author,
            )
        )
    return wire.WorkspacePlace(root=root, objects=parts.mirror.objects, base=base)


def start_tree(parts: Parts, task: Task, attempt: int, base: str) -> str | None:
    """For rework: the task's earlier branch merged with the new base, conflict markers and all."""
    earlier = _earlier_commit(parts, task.id, attempt)
    if not earlier:
        return None
    return parts.mirror.merge(base, earlier).tree


def _earlier_commit(parts: Parts, task: str, attempt: int) -> str:
    """The newest passed branch of `task` that never landed; empty when there is none."""
    with parts.reading:
        known = parts.state.tasks[task].attempts.items()
        left = {n: a.commit for n, a in known if n < attempt and a.commit and not a.is_landed}
    return left[max(left)] if left else ""


def _ended_without(
    parts: Parts, task: Task, attempt: int, place: wire.WorkspacePlace, ended: Ended
) -> Tried:
    """An attempt that is over without an accepted submission; its work goes to the attic.

    What the environment did to it is not the agent's end: the run stops, and it goes on later.
    """
    if error := no_room(parts.folder.root):
        parts.stop.halt(error)
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
    if ended.outcome == "environment":
        parts.stop.halt(
            EnvironmentBroken(ended.detail, where=f"task {task.id}", mend="mend it, then --resume")
        )
    return Tried(
        ended.outcome,
        detail=ended.detail,
        model_calls=ended.model_calls,
        tokens=ended.tokens,
    )


def _conclude(parts: Parts, task: Task, attempt: int, tried: Tried) -> Tried:
    """Publish the branch, say how the attempt ended; what passed waits to land from now on."""
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
    if tried.commit:
        parts.log.append(e.LandingQueued(task.id, attempt, tried.commit))
    if base := _base(parts, task.id, attempt):
        drop_states(parts, task.id, attempt, base)
    return tried

"""One attempt: an agent, a task, a private workspace, and the gate that judges it.

The verdict is the engine's own: what counts is the gate's report at the
submitted tree, never how the agent process says it ended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from wavecrew.budget.purse import Verdict
from wavecrew.errors import EnvironmentBroken, ModelUnreachable
from wavecrew.journal import events as e
from wavecrew.journal.account import nodes_of
from wavecrew.plan.model import Role, Task
from wavecrew.run import wire
from wavecrew.run.branches import park, publish
from wavecrew.run.disk import no_room
from wavecrew.run.foresight import ForesightedDesk
from wavecrew.run.given import assignment_of, base_of, begin, given_before, workspace_of
from wavecrew.run.moving import drop_states, park_states
from wavecrew.run.parts import Parts
from wavecrew.run.rework import ended_rework
from wavecrew.run.session import Ended, run_session, session_name
from wavecrew.workspace.refs import attic_ref


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
        rework = given_before(parts, task, attempt) or _told_more(parts, task, attempt, rework)
        base = begin(parts, task, role, attempt, rework)
        done = _worked(parts, task, role, attempt, base, rework)
    name = session_name(task.id, attempt)
    parts.sessions.discard(name)
    parts.lessor.release(name, f"{name}/gate")
    parts.purse.end(name)  # also what an engine that died had reserved for it
    return done if done.outcome == "held" else _conclude(parts, task, attempt, done)


def _told_more(
    parts: Parts, task: Task, attempt: int, rework: wire.Rework | None
) -> wire.Rework | None:
    return ended_rework(parts, task, attempt, rework) if rework else None


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
    place = workspace_of(parts, task, attempt, base, folder)
    if place is None:
        why = "it began on a machine that is gone, which could not hand on its newest state"
        park_states(parts, task, attempt, base, outcome="crashed", detail=why)
        return Tried("crashed", detail=why)

    assignment = assignment_of(parts, task, role, attempt, place, rework)
    desk = ForesightedDesk(parts, task, role, attempt, base)
    ended = run_session(parts, session_name(task.id, attempt), assignment, desk.answer)
    done = _accepted(parts, task.id, attempt)
    if done is None:
        done = _ended_without(parts, task, attempt, place, ended)
        short = desk.refused
        return _held(parts, task, attempt, short) if short and short.level == "wave" else done
    return replace(done, model_calls=ended.model_calls, tokens=ended.tokens)


def _accepted(parts: Parts, task: str, attempt: int) -> Tried | None:
    """The accepted submission of this attempt, if the log has one."""
    with parts.reading:
        known = parts.state.attempt(task, attempt)
        return Tried("passed", commit=known.commit) if known and known.commit else None


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
    if base := base_of(parts, task.id, attempt):
        drop_states(parts, task.id, attempt, base)
    return tried

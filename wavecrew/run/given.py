"""What is an attempt given: its base, its tree, and what its agent is told?

Asked again after a crash, the answer is the same.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from wavecrew.errors import EnvironmentBroken
from wavecrew.journal import events as e
from wavecrew.journal.attempt import newest_snapshot, read_records
from wavecrew.journal.records import materialise
from wavecrew.plan.model import Role, Task
from wavecrew.run import wire
from wavecrew.run.again import again
from wavecrew.run.moving import bring_state
from wavecrew.run.parts import Parts
from wavecrew.run.session import session_name, socket_for
from wavecrew.run.submission import author_of, scope_of
from wavecrew.workspace.workspace import Workspace


def begin(parts: Parts, task: Task, role: Role, attempt: int, rework: wire.Rework | None) -> str:
    """Announce the attempt once, with the base it is cut from and the proof of its dependencies."""
    with parts.reading:
        state = parts.state.tasks[task.id]
        hold, is_held = state.holds, bool(state.held)
    if is_held:
        parts.log.append(e.TaskFreed(task.id, hold))
    if begun := base_of(parts, task.id, attempt):
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


def base_of(parts: Parts, task: str, attempt: int) -> str:
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


def given_before(parts: Parts, task: Task, attempt: int) -> wire.Rework | None:
    """With what an attempt was sent back that has a journal: going on, it is asked the same."""
    folder = parts.folder.attempt(task.id, attempt)
    if not read_records(folder / "journal.jsonl"):
        return None
    try:
        given = (folder / "assignment.json").read_bytes()
        return wire.Assignment.model_validate_json(given).rework
    except (OSError, ValidationError):
        return None


def assignment_of(
    parts: Parts,
    task: Task,
    role: Role,
    attempt: int,
    place: wire.WorkspacePlace,
    rework: wire.Rework | None,
) -> wire.Assignment:
    """What the agent is told, and the lease of what it shares with others."""
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


def workspace_of(
    parts: Parts, task: Task, attempt: int, base: str, folder: Path
) -> wire.WorkspacePlace | None:
    """The attempt's tree: kept when an earlier engine began it here, cut anew otherwise.

    None when it began elsewhere and cannot be had here as it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    journal, root = folder / "journal.jsonl", folder / "ws"
    if parts.records is not None:
        materialise(parts.records, f"task/{task.id}/{attempt}", journal)
    moved = newest_snapshot(journal) if parts.records is not None else ""
    is_had = not moved or bring_state(parts, task.id, attempt, base, moved)
    if not (read_records(journal) and (root / "workspace.json").exists()):
        if not is_had:
            return None
        _cut(parts, task, attempt, base, folder, tree=moved)
    return wire.WorkspacePlace(root=root, objects=parts.mirror.objects, base=base)


def _cut(parts: Parts, task: Task, attempt: int, base: str, folder: Path, *, tree: str) -> None:
    """A fresh workspace, at `tree` when that is named: the agent, resumed, goes back to it."""
    sandbox = parts.lessor.attempt(session_name(task.id, attempt), folder / "cache")
    start = tree or start_tree(parts, task, attempt, base)
    parts.mirror.need(base)
    again(
        lambda: Workspace.create(
            folder / "ws",
            parts.mirror.objects,
            base,
            sandbox,
            setup=parts.spec.settings.workspace.setup,
            tree=start,
            branch=task.id,
            author=author_of(parts.spec.role(task.agent)),
        )
    )


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

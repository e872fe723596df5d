"""What was asked for on the command line, and the spec of the run that it means.

Reads and checks; nothing is made here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from wavecrew.cli.plan import load_files
from wavecrew.errors import (
    UsageError,
)
from wavecrew.plan.lint import check as lint
from wavecrew.plan.load import Loaded
from wavecrew.plan.locate import locate
from wavecrew.plan.model import TaskId
from wavecrew.plan.problem import PlanRejected
from wavecrew.run.spec import Chosen, RunSpec, digest_of
from wavecrew.workspace.user_repo import UserRepository


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The options of `wavecrew run`, as given."""

    repo: Path = field(default_factory=Path)
    agents: Path | None = None
    tasks: Path | None = None
    settings: Path | None = None
    model: str = ""
    base_url: str = ""
    rehearsal: Path | None = None
    waves: tuple[str, ...] = ()
    tasks_only: tuple[str, ...] = ()
    barrier: str = "sync"
    limit: int | None = None
    resume: bool = False
    new: bool = False
    approve: tuple[str, ...] = ()
    dry_run: bool = False
    allow_unsandboxed: bool = False
    as_json: bool = False
    database_url: str = ""
    """PostgreSQL for workers on many machines; empty: this process does the work itself."""
    hub: str = ""
    """The bare repository that all workers push to."""
    detach: bool = False
    """Leave the run to the workers and do not watch it."""
    held_out_root: Path | None = None
    """Folder of the held-out tests; default: where wavecrew.toml lies."""


def spec_of(request: RunRequest, repository: UserRepository) -> RunSpec:
    """The plan as it is now, checked, with the options applied. Nothing is written."""
    loaded, settings_file = load_plan(request, repository.root)
    chosen = chosen_in(request)
    settings = chosen.over(loaded.settings)
    home = settings_file.parent if settings_file else repository.root
    only, roles = selection(loaded, request), tuple(loaded.roles.values())
    if request.barrier not in ("sync", "wave"):
        raise UsageError(f"--barrier {request.barrier!r} is neither 'sync' nor 'wave'")
    barrier = cast(Literal["sync", "wave"], request.barrier)
    return RunSpec(
        run="",
        order=_order(loaded, only, settings.limits.agents, barrier),
        plan=loaded.plan,
        roles=roles,
        settings=settings,
        base=repository.head,
        only=only,
        barrier=barrier,
        rehearsal=str(request.rehearsal.resolve()) if request.rehearsal else "",
        held_out_root=str(request.held_out_root or home),
        settings_file=str(settings_file or ""),
        chosen=chosen,
        allow_unsandboxed=request.allow_unsandboxed,
        digest=digest_of(loaded.plan, roles, only, settings),
    )


def _order(
    loaded: Loaded, only: tuple[TaskId, ...], agents: int, barrier: Literal["sync", "wave"]
) -> tuple[TaskId, ...]:
    """The order of the optimal schedule, where a run that follows it ends sooner."""
    from wavecrew.schedule.order import order_for_run
    from wavecrew.schedule.problem import Deadlock

    try:
        return order_for_run(loaded.plan, loaded.roles, agents=agents, barrier=barrier, only=only)
    except Deadlock as circle:
        raise UsageError(
            f"with --barrier {barrier} these wait for each other: {circle}",
            mend="see `wavecrew plan forecast`",
        ) from None


def chosen_in(request: RunRequest) -> Chosen:
    return Chosen(model=request.model, base_url=request.base_url, agents=request.limit or 0)


def load_plan(request: RunRequest, repo: Path) -> tuple[Loaded, Path | None]:
    """The files of the plan, without an error of the linter's; and which settings file it was."""
    settings = request.settings or repo / "wavecrew.toml"
    files = locate(
        Path(),
        agents=request.agents,
        tasks=request.tasks,
        settings=settings if request.settings or settings.exists() else None,
    )
    loaded = load_files(files)
    errors = [problem for problem in lint(loaded) if problem.severity == "error"]
    if errors:
        raise PlanRejected(errors)
    return loaded, files.settings.resolve() if files.settings else None


def selection(loaded: Loaded, request: RunRequest) -> tuple[TaskId, ...]:
    """The tasks of this run; what they depend on must be in it too."""
    plan = loaded.plan
    waves = {wave.id for wave in plan.waves}
    for wave in request.waves:
        if wave not in waves:
            raise UsageError(f"the plan has no wave {wave!r}", mend=f"waves: {', '.join(waves)}")
    for task in request.tasks_only:
        if task not in plan.tasks_by_id:
            raise UsageError(f"the plan has no task {task!r}", mend="see `wavecrew plan show`")
    if not request.waves and not request.tasks_only:
        return tuple(task.id for task in plan.tasks)
    only = tuple(t.id for t in plan.tasks if t.wave in request.waves or t.id in request.tasks_only)
    for task_id in only:
        missing = [d for d in plan.tasks_by_id[task_id].depends_on if d not in only]
        if missing:
            raise UsageError(
                f"task {task_id!r} depends on {', '.join(map(repr, missing))}, which is left out",
                mend="add it with --task, or its wave with --wave",
            )
    return only


def names_a_plan(request: RunRequest) -> bool:
    return any((request.agents, request.tasks, request.waves, request.tasks_only))


def check_approved(request: RunRequest, spec: RunSpec) -> None:
    known = [sync.id for sync in spec.syncs]
    for sync in request.approve:
        if sync not in known:
            raise UsageError(
                f"no sync point {sync!r} in this run",
                mend=f"there are: {', '.join(known) or 'none'}",
            )

"""`wavecrew run`: is the run only shown, carried out here, or left to workers?"""

from __future__ import annotations

from wavecrew.cli.request import RunRequest, load_plan, selection
from wavecrew.cli.run import run_here
from wavecrew.errors import UsageError


def start_or_resume(request: RunRequest) -> int:
    """Do what was asked; the exit code. WavecrewError for everything refused beforehand."""
    if request.dry_run:
        return _dry_run(request)
    if request.database_url:
        from wavecrew.cli.shared import start_or_watch  # the database's driver takes its time

        return start_or_watch(request, request.database_url)
    if request.hub or request.detach:
        raise UsageError(
            "--hub and --detach are for runs that workers carry out",
            mend="give --database-url, or set WAVECREW_DATABASE_URL",
        )
    return run_here(request)


def _dry_run(request: RunRequest) -> int:
    loaded, _ = load_plan(request, request.repo)
    only = set(selection(loaded, request))
    for task in loaded.plan.tasks:
        if task.id in only:
            needs = f"  after {', '.join(task.depends_on)}" if task.depends_on else ""
            print(f"{task.id}  {task.title}  [{task.agent}]{needs}")
    for sync in loaded.plan.sync_points:
        before = [t.id for t in loaded.plan.before(sync) if t.id in only]
        if before:
            print(f"sync point {sync.id}  {sync.title}  after {', '.join(before)}")
    return 0

"""`wavecrew run` on this machine alone: up to a run that has ended or stopped.

Everything that can be refused is refused before anything is made. A run that
stops (Ctrl-C, an endpoint gone, a full disk) is paused, and says how to go on.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from wavecrew.cli.assemble import open_real_sandbox, real_parts
from wavecrew.cli.paused import as_of_now, newest_unfinished, unfinished
from wavecrew.cli.request import (
    RunRequest,
    check_approved,
    chosen_in,
    names_a_plan,
    spec_of,
)
from wavecrew.cli.served import served
from wavecrew.cli.watch import Watcher, watcher_for
from wavecrew.errors import (
    EXIT_INTERRUPTED,
    DiskFull,
    UsageError,
    WavecrewError,
)
from wavecrew.journal import events as e
from wavecrew.run.announce import announce
from wavecrew.run.disk import no_room
from wavecrew.run.engine import Engine
from wavecrew.run.parts import Parts
from wavecrew.run.scratch import drop_scratch, own_scratch
from wavecrew.run.spec import RunFolder, RunSpec, new_folder
from wavecrew.run.stop import fault
from wavecrew.sandbox.model import Sandbox
from wavecrew.upkeep.leftovers import sweep_leases, sweep_run
from wavecrew.upkeep.reconcile import reconcile
from wavecrew.upkeep.torn import mend_databases
from wavecrew.workspace.refs import ATTIC, BRANCHES
from wavecrew.workspace.user_repo import UserRepository

NEEDED_BYTES = 200_000_000
"""Free disk below this and a run is not started."""


def run_here(request: RunRequest) -> int:
    """Do what was asked; the exit code. WavecrewError for everything refused beforehand."""
    with own_scratch():
        return _start_or_resume(request)


def _start_or_resume(request: RunRequest) -> int:
    repository = UserRepository.open(request.repo, clean=not request.resume)
    sweep_leases(repository.git_dir)
    if request.resume and not names_a_plan(request):
        return _go_on(request, repository, newest_unfinished(repository))
    spec = spec_of(request, repository)
    paused = None if request.new and not request.resume else unfinished(repository, spec.digest)
    if request.resume and paused is None:
        raise UsageError(
            "there is no paused run of this plan",
            where=str(repository.root),
            mend="`wavecrew run` without --resume starts one",
        )
    if paused and not request.new and _wants_to_continue(request, paused):
        return _go_on(request, repository, paused)
    return _start(request, repository, spec)


def _start(request: RunRequest, repository: UserRepository, spec: RunSpec) -> int:
    check_approved(request, spec)
    _check_disk(repository.git_dir)
    sandbox = open_real_sandbox(spec)
    with served(spec) as spec:
        folder, lock = new_folder(repository.git_dir, names_with_branches(repository))
        try:
            spec = spec.model_copy(update={"run": folder.run})
            folder.save(spec)
        except OSError as error:
            shutil.rmtree(folder.root, ignore_errors=True)
            raise _disk(error) from error
        finally:
            os.close(lock)
        return _drive(request, repository, spec, folder, sandbox)


def _go_on(request: RunRequest, repository: UserRepository, folder: RunFolder) -> int:
    spec = as_of_now(folder.load(), request.settings, chosen_in(request), repository.root)
    check_approved(request, spec)
    _check_disk(repository.git_dir)
    sandbox = open_real_sandbox(spec)
    with served(spec) as spec:
        return _drive(request, repository, spec, folder, sandbox)


def _drive(
    request: RunRequest,
    repository: UserRepository,
    spec: RunSpec,
    folder: RunFolder,
    sandbox: Sandbox,
) -> int:
    """Run until the end or a stop. Every way out leaves a run that can go on."""
    lock = folder.lock()
    sweep_run(folder, repository.git_dir)
    damaged = mend_databases(folder)
    folder.save(spec)
    parts = real_parts(spec, folder, repository, sandbox)
    watcher = watcher_for(parts, as_json=request.as_json)
    engine = Engine(parts)
    try:
        with interrupts(), watcher:
            _announce(parts, request, damaged)
            engine.start()
            while not engine.wait(0.2):
                watcher.tick()
                if error := no_room(folder.root):
                    parts.stop.request(error)
        return _ended(engine, parts, watcher, repository.root)
    except KeyboardInterrupt:
        parts.stop.request()
        return _paused(engine, parts, watcher, repository.root)
    finally:
        os.close(lock)


def _ended(engine: Engine, parts: Parts, watcher: Watcher, root: Path) -> int:
    if parts.stop.requested.is_set():
        return _paused(engine, parts, watcher, root)
    try:
        outcome = engine.outcome()
    except Exception as error:  # noqa: BLE001 the durable engine's own failure: never the end of a run
        parts.stop.request(no_room(parts.folder.root) or fault(error))
        return _paused(engine, parts, watcher, root)
    assert outcome is not None
    engine.close()
    watcher.close(parts.state)
    return int(outcome["exit_code"])


def _paused(engine: Engine, parts: Parts, watcher: Watcher, root: Path) -> int:
    """Everything parked; leave at once, since halted steps never return."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a second one must not cut the parking short
        signal.signal(number, signal.SIG_IGN)
    error = parts.stop.error
    engine.pause(error.what if error else "interrupted")
    watcher.close(parts.state)
    code = error.exit_code if error else EXIT_INTERRUPTED
    if error:
        print(f"wavecrew: {error}", file=sys.stderr)
    print(
        f"wavecrew: run {parts.spec.run} is paused, nothing is lost; "
        f"go on with: wavecrew run --resume --repo {root}",
        file=sys.stderr,
    )
    drop_scratch()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _announce(parts: Parts, request: RunRequest, damaged: list[str]) -> None:
    """The first facts: the run's start with all it will do, or that it goes on.

    `damaged`: what had to be mended before the run could be opened.
    """
    announce(parts)
    if parts.state.outcome == "paused":
        parts.log.append(e.RunResumed(parts.state.pauses))
    for what in [*damaged, *reconcile(parts)]:
        print(f"wavecrew: rolled back: {what}", file=sys.stderr)
        parts.log.append(e.RolledBack(parts.state.rollbacks + 1, what))
    for sync in request.approve:
        parts.log.append(e.SyncApproved(sync))


def names_with_branches(repository: UserRepository) -> frozenset[str]:
    """Runs whose branches are in the repository, even when their folder is gone."""
    listed = repository.git.run("for-each-ref", "--format=%(refname)", BRANCHES, ATTIC)
    return frozenset(name.split("/")[3] for name in listed.decode().split())


def _wants_to_continue(request: RunRequest, paused: RunFolder) -> bool:
    """True to go on, False to start afresh; without a terminal only the options decide."""
    if request.resume:
        return True
    if sys.stdin.isatty() and not request.as_json:
        import typer

        return typer.confirm(f"Run {paused.run} of this plan is paused. Go on with it?", True)
    raise UsageError(
        f"run {paused.run!r} of this plan is paused",
        mend="--resume goes on with it, --new starts another one beside it",
    )


def _check_disk(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise DiskFull(
            f"only {free // 1_000_000} MB are free",
            where=str(folder),
            mend=f"free at least {NEEDED_BYTES // 1_000_000} MB",
        )


def _disk(error: OSError) -> WavecrewError:
    return DiskFull(f"cannot write: {error.strerror}", where=str(error.filename or ""))


@contextlib.contextmanager
def interrupts() -> Iterator[None]:
    """SIGTERM stops a run as Ctrl-C does."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

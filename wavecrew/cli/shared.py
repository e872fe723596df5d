"""`wavecrew run --database-url`: a run that workers on many machines carry out, and we watch.

This process does none of the work. It brings the base to the hub, writes the
run down, shows its events as they come, and fetches its branches at the end.
Ctrl-C pauses the run for all; when this process dies the run goes on.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from wavecrew.cli.assemble import Books
from wavecrew.cli.joined import pause_told
from wavecrew.cli.paused import as_of_now
from wavecrew.cli.request import RunRequest, check_approved, chosen_in, names_a_plan, spec_of
from wavecrew.cli.run import interrupts, names_with_branches
from wavecrew.cli.served import served
from wavecrew.cli.watch import Watcher, watcher_for
from wavecrew.errors import EXIT_INTERRUPTED, DatabaseLost, HubUnreachable, UsageError
from wavecrew.journal import events as e
from wavecrew.journal.log import EventLog
from wavecrew.journal.state import RunState, apply, fold
from wavecrew.run.spec import RunFolder, RunSpec, all_runs, runs_root
from wavecrew.workers.brought import bring_home
from wavecrew.workers.held_out import ship
from wavecrew.workers.roster import Roster, RunRow
from wavecrew.workspace.exchange import fetch_run, push_base, runs_at
from wavecrew.workspace.remote import Remote
from wavecrew.workspace.user_repo import UserRepository

TICK_S = 0.2
LOOK_S = 1.0
"""Between two looks at the run's row and its workers."""
ALONE_S = 5.0
"""Without a worker for so long, and the user is told how to start one."""


@dataclass
class Shown:
    """A run as its log tells it, kept current by `log.refresh`."""

    spec: RunSpec
    log: EventLog
    state: RunState = field(init=False)
    reading: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.state = fold(self.log.read())

        def keep_current(event: e.Event) -> None:
            with self.reading:
                apply(self.state, event)

        self.log.on_append = keep_current


def start_or_watch(request: RunRequest, url: str) -> int:
    """Do what was asked; the exit code. WavecrewError for everything refused beforehand."""
    repository = UserRepository.open(request.repo, clean=not request.resume)
    hub = _hub(request)
    roster = Roster(url)
    try:
        if request.resume and not names_a_plan(request):
            return _Desk(request, url, roster, repository).go_on(_newest(roster, repository, hub))
        spec = spec_of(request, repository)
        paused = _same(roster, spec.digest, hub)
        if request.resume and paused is None:
            raise UsageError(
                "there is no unfinished run of this plan in the database",
                where=roster.shown,
                mend="`wavecrew run` without --resume starts one",
            )
        if paused and request.resume:
            return _Desk(request, url, roster, repository).go_on(paused)
        if paused and not request.new:
            raise UsageError(
                f"run {paused.run!r} of this plan is not finished",
                where=roster.shown,
                mend="--resume goes on with it, --new starts another one beside it",
            )
        if not hub:
            raise UsageError(
                "workers need a repository that they all reach",
                mend="give --hub URL of a bare repository: `git init --bare` makes one",
            )
        return _Desk(request, url, roster, repository).start(spec, hub)
    finally:
        roster.close()


@dataclass
class _Desk:
    """Everything one call of the command works with."""

    request: RunRequest
    url: str
    roster: Roster
    repository: UserRepository

    def start(self, spec: RunSpec, hub: str) -> int:
        check_approved(self.request, spec)
        if self.request.detach and spec.rehearsal:
            raise UsageError(
                "a rehearsal is played by this command and would end with it",
                mend="leave --detach out, or play it with `python -m wavecrew.rehearsal` and give "
                "its address as --base-url",
            )
        taken = runs_at(hub) | _names_here(self.repository)
        with served(spec, by_workers=True) as spec:
            spec = self.roster.allot(hub, spec, taken)
            push_base(self.repository, hub, spec.base, spec.run)
            books = Books.shared(self.url, spec.run)
            ship(books.shelf, spec)
            return self._work(spec, hub, books)

    def go_on(self, row: RunRow) -> int:
        spec = self.roster.spec(row.run)
        if row.wanted == "pause":
            request = self.request
            chosen, root = chosen_in(request), self.repository.root
            spec = as_of_now(spec, request.settings, chosen, root)
        check_approved(self.request, spec)
        port = _port(spec) if row.wanted == "work" else 0
        with served(spec, by_workers=True, port=port) as spec:
            self.roster.change(spec)
            return self._work(spec, row.hub, Books.shared(self.url, row.run))

    def _work(self, spec: RunSpec, hub: str, books: Books) -> int:
        """Have it worked on, and watch; every way out leaves a run that can go on."""
        shown = Shown(spec, books.log)
        watcher = watcher_for(shown, as_json=self.request.as_json)
        for sync in self.request.approve:
            shown.log.append(e.SyncApproved(sync))
        if shown.state.outcome == "paused":
            shown.log.append(e.RunResumed(shown.state.pauses))
        self.roster.work(spec.run)
        if self.request.detach:
            print(
                f"wavecrew: run {spec.run} is up to the workers; watch it with: "
                f"wavecrew run --resume --repo {self.repository.root}",
                file=sys.stderr,
            )
            return 0
        return _Watch(self, spec, hub, books, shown, watcher).until_over()


@dataclass
class _Watch:
    """Shows a run until it is over or paused."""

    desk: _Desk
    spec: RunSpec
    hub: str
    books: Books
    shown: Shown
    watcher: Watcher
    alone_since: float = field(default_factory=time.monotonic)
    told_alone: bool = False
    told_away: bool = False
    looked_at: float = 0.0

    def until_over(self) -> int:
        try:
            with interrupts(), self.watcher:
                while True:
                    code = self._tick()
                    if code is not None:
                        break
                    time.sleep(TICK_S)
        except KeyboardInterrupt:
            code = self._pause()
        self._fetch()
        self.watcher.close(self.shown.state)
        return code

    def _tick(self) -> int | None:
        """Show what is new; the exit code once nothing new will come."""
        try:
            self.shown.log.refresh()
            self.watcher.tick()
            state = self.shown.state
            if state.exit_code is not None:
                return state.exit_code
            if time.monotonic() - self.looked_at > LOOK_S:
                self.looked_at = time.monotonic()
                return self._look()
        except DatabaseLost as error:
            self._tell_away(error)
        else:
            self.told_away = False
        return None

    def _look(self) -> int | None:
        """Is it paused, and is anybody at work on it?"""
        row = self.desk.roster.run(self.spec.run)
        workers = self.desk.roster.workers()
        at_work = any(worker.is_alive and worker.run == row.run for worker in workers)
        if row.wanted == "pause" and self.shown.state.outcome != "paused" and not at_work:
            # Who paused it died before it could say so.
            error = row.error()
            self.shown.log.append(e.RunPaused(row.pauses, error.what if error else "interrupted"))
        if row.wanted == "pause" and self.shown.state.outcome == "paused":
            error = row.error()
            if error:
                _say(str(error))
            _say(f"run {row.run} is paused, nothing is lost; go on with: {self._resume()}")
            return error.exit_code if error else EXIT_INTERRUPTED
        if any(worker.is_alive and worker.hub == self.hub for worker in workers):
            self.alone_since, self.told_alone = time.monotonic(), False
        elif time.monotonic() - self.alone_since > ALONE_S and not self.told_alone:
            self.told_alone = True
            why = [f"  {w.host}: {w.doing}" for w in workers if w.hub == self.hub and w.doing]
            hint = f"no worker is at work on {row.run}; start one with: wavecrew worker --repo "
            _say("\n".join([f"{hint}{Remote.at(self.hub).shown}", *why]))
        return None

    def _pause(self) -> int:
        for number in (signal.SIGINT, signal.SIGTERM):  # a second one must not cut this short
            signal.signal(number, signal.SIG_IGN)
        mine = self.desk.roster.pause(self.spec.run)
        if mine:
            pause_told(self.desk.roster, self.shown.log, mine, "interrupted")
        self.shown.log.refresh()
        _say(f"run {self.spec.run} is paused, nothing is lost; go on with: {self._resume()}")
        return EXIT_INTERRUPTED

    def _fetch(self) -> None:
        """The run's branches as they stand, and when it ended all that was written down of it.

        A branch that the user moved stays as it is.
        """
        try:
            fetched = fetch_run(self.desk.repository, self.hub, self.spec.run)
        except HubUnreachable as error:
            _say(f"the branches are not here yet: {error}")
            return
        if self.shown.state.exit_code is not None:
            self._bring_home()
        for ref, why in fetched.left:
            _say(f"{ref} stays as it is here: {why}")

    def _bring_home(self) -> None:
        """Waits for the database as the watching does: it may have been away since it was asked."""
        assert self.books.records is not None
        folder = RunFolder(runs_root(self.desk.repository.git_dir) / self.spec.run)
        while True:
            try:
                bring_home(folder, self.spec, self.shown.log, self.books.shelf, self.books.records)
            except DatabaseLost as error:
                self._tell_away(error)
                time.sleep(TICK_S)
            except UsageError as error:
                _say(f"events, reports and journals stay in the database: {error}")
                return
            else:
                return

    def _tell_away(self, error: DatabaseLost) -> None:
        if not self.told_away:
            self.told_away = True
            _say(f"{error.what}; the workers wait for it, and so does this command")

    def _resume(self) -> str:
        return f"wavecrew run --resume --repo {self.desk.repository.root} --database-url ..."


def _hub(request: RunRequest) -> str:
    return Remote.at(request.hub).url if request.hub else ""


def _same(roster: Roster, digest: str, hub: str) -> RunRow | None:
    """The newest unfinished run of the same plan."""
    rows = [row for row in roster.runs() if not row.outcome and hub in ("", row.hub)]
    return next((row for row in reversed(rows) if roster.spec(row.run).digest == digest), None)


def _newest(roster: Roster, repository: UserRepository, hub: str) -> RunRow:
    """The newest unfinished run that was cut from a commit of this repository."""
    for row in reversed(roster.runs()):
        is_open = not row.outcome and hub in ("", row.hub)
        if is_open and repository.git.has_commit(roster.base(row.run)):
            return row
    raise UsageError(
        "the database has no unfinished run of this repository",
        where=roster.shown,
        mend="start one with `wavecrew run --database-url ... --hub ...`",
    )


def _names_here(repository: UserRepository) -> frozenset[str]:
    folders = {folder.run for folder in all_runs(repository.git_dir)}
    return names_with_branches(repository) | folders


def _port(spec: RunSpec) -> int:
    """Where the workers expect a rehearsal that was played before."""
    return (urlsplit(spec.settings.model.base_url).port or 0) if spec.rehearsal else 0


def _say(text: str) -> None:
    print(f"wavecrew: {text}", file=sys.stderr, flush=True)

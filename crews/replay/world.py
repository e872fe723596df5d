"""Where does a replay work? In a scratch copy of a run's surroundings, thrown away afterwards.

The user's repository and the run's folder are read and never written: objects
are borrowed, the log is copied, refs and commits go into a repository of the
replay's own. The engine's landing and submission code runs on it unchanged.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from wavecrew.budget.purse import Purse
from wavecrew.errors import UsageError
from wavecrew.gates.model import GateReport
from wavecrew.journal import events as e
from wavecrew.journal.log import SqliteEventLog
from wavecrew.journal.shelf import FolderShelf
from wavecrew.journal.state import RunState, apply
from wavecrew.journal.trace import JournalUnreadable
from wavecrew.plan.settings import Budget
from wavecrew.run.hold import hold_shared
from wavecrew.run.parts import Parts
from wavecrew.run.spec import RunFolder, RunSpec
from wavecrew.sandbox import open_sandbox
from wavecrew.workspace.git import object_format
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.skeleton import write_skeleton
from wavecrew.workspace.user_repo import UserRepository


class RetoldLog:
    """The recorded events up to where a replay is; what the engine's code appends is kept apart."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.on_append: Callable[[e.Event], None] = lambda event: None
        self.said: list[e.Fact] = []
        """What the replayed code wrote down since this was last emptied."""
        self._events: list[e.Event] = []

    def append(self, fact: e.Fact) -> e.Event | None:
        self.said.append(fact)
        return None

    def refresh(self) -> None:
        """Nothing to do: the replay tells it every event."""

    def read(self, after: int = 0) -> tuple[e.Event, ...]:
        return tuple(event for event in self._events if event.seq > after)

    def has(self, fact_id: str) -> bool:
        return any(event.id == fact_id for event in self._events)

    def tell(self, event: e.Event) -> None:
        self._events.append(event)


class NoAgents:
    """A replay starts no agent process."""

    def start(self, name: str, assignment: Path) -> None:
        raise UsageError(f"a replay starts no agents, and {name!r} is one")

    def wait(self, name: str, timeout_s: float) -> bool:
        return True

    def stop(self, name: str) -> None: ...

    def kill(self, name: str) -> None: ...

    def close(self) -> None: ...

    def destroy(self) -> None: ...


@dataclass
class Clock:
    """The seconds that the next commit carries, taken from the recorded one."""

    now: int = 0

    def __call__(self) -> int:
        return self.now


@dataclass(frozen=True)
class World:
    """A scratch repository and mirror, the recorded facts, and the engine's parts on them."""

    scratch: Path
    recorded: RunFolder
    events: tuple[e.Event, ...]
    log: RetoldLog
    clock: Clock
    parts: Parts
    gates: bool
    """True when gates and integration checks are run again."""

    @property
    def spec(self) -> RunSpec:
        return self.parts.spec

    def advance(self, event: e.Event) -> None:
        """Let `event` have happened."""
        self.log.tell(event)
        apply(self.parts.state, event)

    def stand_at_tip(self) -> None:
        """Put the integration branch of the scratch repository where the record has it."""
        repository, ref = self.parts.repository, self.spec.integration_ref
        repository.update_ref(ref, self.known(self.parts.state.tip), repository.read_ref(ref))

    def known(self, commit: str) -> str:
        """`commit`, when its objects are still there. JournalUnreadable otherwise."""
        if not self.parts.mirror.git.has_commit(commit):
            raise JournalUnreadable(
                f"the commit {commit!r} that the run's log names is in no object store any more",
                where=str(self.recorded.root),
                mend="its branches were deleted and collected; replay in a copy that has them",
            )
        return commit

    def at_time_of(self, commit: str) -> None:
        """Let the next commit carry the time of a recorded one."""
        text = self.parts.mirror.git.run("show", "-s", "--format=%ct", self.known(commit))
        self.clock.now = int(text)

    def gate_of(self, task: str, attempt: int, submission: int) -> e.GateFinished | None:
        """What the log says about a submission."""
        wanted = (task, attempt, submission)
        facts = (event.fact for event in self.events)
        gates = (fact for fact in facts if isinstance(fact, e.GateFinished))
        found = (f for f in gates if (f.task, f.attempt, f.submission) == wanted)
        return next(found, None)

    def branch_of(self, task: str, attempt: int) -> str:
        """The commit that an attempt's passed gate made; empty when none passed."""
        passed = [
            event.fact.commit
            for event in self.events
            if isinstance(event.fact, e.GateFinished)
            and (event.fact.task, event.fact.attempt) == (task, attempt)
            and event.fact.verdict == "pass"
        ]
        return passed[-1] if passed else ""


def hold_still(folder: RunFolder) -> int:
    """Keep engines from the run while this process looks; several may look at once.

    UsageError when an engine is at work on it. Nothing is written.
    """
    try:
        return hold_shared(
            folder.root / "lock",
            f"run {folder.run!r} is at work",
            mend="wait until it has ended, or stop it",
        )
    except OSError as error:
        raise JournalUnreadable("the run never started", where=str(folder.root)) from error


def make_world(
    repository: UserRepository, folder: RunFolder, scratch: Path, *, gates: bool
) -> World:
    """Everything a replay needs, below `scratch`. JournalUnreadable for a broken record."""
    try:
        spec = folder.load()
    except (OSError, ValidationError) as error:
        raise JournalUnreadable(
            f"run.json cannot be read: {error}", where=str(folder.root)
        ) from error
    events = recorded_events(folder, scratch)
    if not events:
        raise JournalUnreadable("the run never started: its log is empty", where=str(folder.root))
    own = _repository(repository, folder, spec.base, scratch / "repository.git")
    log, clock = RetoldLog(spec.run), Clock()
    replayed = RunFolder(scratch / "runs" / spec.run)
    parts = Parts(
        spec=spec,
        folder=replayed,
        repository=own,
        mirror=Mirror.open(scratch / "mirror.git", own),
        sandbox=open_sandbox(spec.settings.sandbox, allow_unsandboxed=spec.allow_unsandboxed),
        shelf=FolderShelf(replayed.root),
        log=log,
        state=RunState(),
        host=NoAgents(),
        purse=Purse(Budget()),
        sockets=scratch,
        clock=clock,
    )
    parts.folder.root.mkdir(parents=True)
    return World(scratch, folder, events, log, clock, parts, gates)


def recorded_events(folder: RunFolder, scratch: Path) -> tuple[e.Event, ...]:
    """The run's log, read from a copy: even looking into SQLite's own file writes beside it."""
    copy = scratch / "events.db"
    for ending in ("", "-wal"):
        source = folder.root / f"events.db{ending}"
        if source.exists():
            shutil.copyfile(source, f"{copy}{ending}")
    if not copy.exists():
        return ()
    try:
        log = SqliteEventLog(copy, folder.run)
        try:
            return log.read()
        finally:
            log.close()
    except (sqlite3.DatabaseError, ValueError, TypeError) as error:
        raise JournalUnreadable(
            f"the log cannot be read: {error}", where=str(folder.events)
        ) from error


def recorded_report(world: World, path: str) -> GateReport:
    """A gate report of the run, `path` relative to its folder. JournalUnreadable when broken."""
    file = world.recorded.root / path
    try:
        return GateReport.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise JournalUnreadable(
            f"the gate report cannot be read: {error}", where=str(file)
        ) from error


def _repository(
    user: UserRepository, folder: RunFolder, base: str, git_dir: Path
) -> UserRepository:
    """A bare repository that borrows the user's objects and the run's, with refs of its own.

    Its own store is not among its `objects`: all in it came from the scratch mirror.
    """
    mirror = folder.mirror / "objects"
    stores = (*user.objects, *([mirror] if mirror.is_dir() else []))
    write_skeleton(
        git_dir,
        object_format=object_format(base),
        alternates=tuple(map(str, stores)),
        shallow=stores,
    )
    (git_dir / "wavecrew").mkdir()  # where a gate's leases are written down
    return UserRepository(git_dir, git_dir, stores, base)

"""A finished run leaves the database that machines share: what may go, and in which order.

Nothing is removed that is nowhere else. Branches and the attic stay at the
hub; the history comes into the user's repository first, unless a person said
that it may go, too. The run's own row goes last, so whatever a removal that
was killed has left is found by the next one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from wavecrew.errors import HubRefused, HubUnreachable, UsageError
from wavecrew.journal.events import Event, TaskStarted
from wavecrew.journal.postgres import PostgresEventLog
from wavecrew.journal.records import PostgresRecords
from wavecrew.journal.shelf import PostgresShelf
from wavecrew.run.place import schema_of
from wavecrew.run.spec import RunFolder, RunSpec, runs_root
from wavecrew.upkeep.cleaning import Item, Wish, not_over
from wavecrew.upkeep.kept import Kept, unmerged
from wavecrew.workers.brought import bring_home
from wavecrew.workers.roster import Roster, RunRow
from wavecrew.workspace import attic
from wavecrew.workspace.exchange import bring_all, drop_states, fetch_run
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import ENGINE
from wavecrew.workspace.refs import SNAPSHOTS, decode
from wavecrew.workspace.remote import Remote
from wavecrew.workspace.user_repo import UserRepository


@dataclass(frozen=True, slots=True)
class Retention:
    """The runs of one database, as one repository of a user sees them."""

    url: str
    roster: Roster
    repository: UserRepository

    def is_ours(self, run: str) -> bool:
        """True when the run was cut from a commit of this repository."""
        return self.repository.git.has_commit(self.roster.base(run))

    def remove(self, row: RunRow, wish: Wish, *, when: int) -> tuple[Item, ...]:
        """Remove a run from the database and its states from the hub; or say why it stays.

        `wish.history`: its events, reports and journals are not brought here first.
        `wish.park`: states that are nowhere else are put into the attic here.
        `when`: seconds since the epoch, for what is parked. DatabaseLost leaves the
        rest to the next call.
        """
        if why := self._not_over(row):
            return (refusal(row.run, why),)
        try:
            spec = self.roster.spec(row.run)
        except ValidationError:
            why = "unknown: another version of Wavecrew wrote down what it was asked to do"
            return (refusal(row.run, why),)
        with closing(PostgresEventLog(self.url, row.run)) as log:
            try:
                at_hub = bring_all(self.repository, row.hub, row.run)
                if why := self._why_it_stays(spec, log.read(), at_hub, wish, when):
                    return (refusal(row.run, why),)
                if not wish.dry_run and not wish.history:
                    self._bring(row, spec, log)
                return tuple(self._removed(row, _states(at_hub), wish))
            except (HubUnreachable, HubRefused, UsageError) as error:
                return (refusal(row.run, f"unknown: {error.what}"),)

    def _not_over(self, row: RunRow) -> str:
        if not row.outcome:
            return not_over(is_paused=row.wanted == "pause")
        if workers := self.roster.at_work(row.run):
            return f"leased: the worker {workers[0].host} {workers[0].pid} is at it"
        if not self.is_ours(row.run):
            return "unknown: its base is no commit of this repository"
        return ""

    def _why_it_stays(
        self,
        spec: RunSpec,
        events: tuple[Event, ...],
        at_hub: dict[str, str],
        wish: Wish,
        when: int,
    ) -> str:
        """What of the run is nowhere else, after it was parked if that was wished."""
        states = _states(at_hub)
        tips = tuple(commit for name, commit in at_hub.items() if name not in states)
        with tempfile.TemporaryDirectory(prefix="wavecrew-") as scratch:
            mirror = Mirror.open(Path(scratch) / "mirror.git", self.repository)
            judge = _Judge(Kept(spec, mirror, tips), events, states)
            why = judge.why_not()
            if why and wish.park and not wish.dry_run:
                judge.park(when)
                why = replace(judge, kept=replace(judge.kept)).why_not()  # refs are looked at anew
        return why

    def _bring(self, row: RunRow, spec: RunSpec, log: PostgresEventLog) -> None:
        """Branches, attic and history into the user's repository. UsageError: they cannot be."""
        fetch_run(self.repository, row.hub, row.run)
        folder = RunFolder(runs_root(self.repository.git_dir) / row.run)
        with (
            closing(PostgresShelf(self.url, row.run)) as shelf,
            closing(PostgresRecords(self.url, row.run)) as records,
        ):
            bring_home(folder, spec, log, shelf, records)

    def _removed(self, row: RunRow, states: dict[str, str], wish: Wish) -> Iterator[Item]:
        """States first, the engine's workflows next; all rows go at once, and last."""
        roster, schema = self.roster, schema_of(row.run)
        if states:
            where = f"{Remote.at(row.hub).shown} {SNAPSHOTS}/{row.run}/"
            if not wish.dry_run:
                drop_states(self.repository, row.hub, states)
            yield Item(row.run, "states", where, 0, freed=not wish.dry_run)
        for name, size in roster.schemas(schema).items():
            if not wish.dry_run:
                roster.drop_schema(name)
            yield Item(row.run, "workflows", f"schema {name}", size, freed=not wish.dry_run)
        size = roster.rows_bytes(row.run)
        if not wish.dry_run:
            roster.remove(row.run)
        yield Item(row.run, "history", f"{roster.shown} {row.run}", size, freed=not wish.dry_run)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Is all that a run came to kept by a branch or the attic, here or at the hub?"""

    kept: Kept
    events: tuple[Event, ...]
    states: dict[str, str]
    """Refs of attempts' states -> their newest commit."""

    def why_not(self) -> str:
        """What is kept by no ref; empty when all is."""
        if lost := self.kept.unreached(self.events):
            return unmerged(f"{lost.commit[:12]} of task {lost.task!r}")
        for name in self._lonely():
            return unmerged(f"the newest state of {decode(name.removeprefix(f'{SNAPSHOTS}/'))}")
        return ""

    def park(self, when: int) -> None:
        """Put every state that is nowhere else into the attic of the user's repository."""
        titles = {str(task.id): task.title for task in self.kept.spec.tasks}
        for name in self._lonely():
            _, task, number = name.removeprefix(f"{SNAPSHOTS}/").split("/")
            task_id = decode(task)
            note = attic.Note(
                run=self.kept.spec.run,
                task=task_id,
                attempt=int(number),
                base=self._base(task_id, int(number)),
                title=titles.get(task_id, ""),
                outcome="cleaned",
                detail="parked by `wavecrew clean --park`",
            )
            tree = self.kept.mirror.tree_of(self.states[name])
            attic.park(self.kept.mirror, tree, note, author=ENGINE, when=when)

    def _lonely(self) -> list[str]:
        return [name for name, commit in self.states.items() if not self.kept.has_tree(commit)]

    def _base(self, task: str, attempt: int) -> str:
        facts = (event.fact for event in self.events)
        started = (fact for fact in facts if isinstance(fact, TaskStarted))
        bases = (f.base for f in started if (f.task, f.attempt) == (task, attempt))
        return next(bases, self.kept.spec.base)


def refusal(run: str, why: str) -> Item:
    return Item(run, "run", run, 0, refused=why)


def _states(at_hub: dict[str, str]) -> dict[str, str]:
    return {name: at for name, at in at_hub.items() if name.startswith(f"{SNAPSHOTS}/")}

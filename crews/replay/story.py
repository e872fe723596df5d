"""In which order is a run told again, and what has it come to at the end?

The events give the order: an attempt where it started, a landing where it was
recorded. What stands in folders but not in the log, because of a crash, comes
last. The first difference ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from crews.replay.attempt import Tally, retell_attempt, retell_conversation
from crews.replay.divergence import Place
from crews.replay.landing import land_again, open_again
from crews.replay.world import World
from wavecrew.journal import events as e
from wavecrew.journal.trace import JournalUnreadable, read_trace
from wavecrew.run.spec import RunFolder
from wavecrew.run.wire import Assignment

Tell = Callable[[str], None]


class Story:
    """One recorded run, told again. `tell` is called with each step as it begins."""

    def __init__(self, world: World, tell: Tell, task: str = "") -> None:
        self._world = world
        self._tell = tell
        self._only = task
        self._left = recorded_attempts(world.recorded, task)
        self.tally = Tally()

    def run(self) -> Tally:
        """Diverged at the first difference; JournalUnreadable for a broken record."""
        for event in self._world.events:
            self._take(event.fact)
            self._world.advance(event)
        for folder in list(self._left):
            self._retell(folder)
        if self._only and not self.tally.attempts:
            raise JournalUnreadable(
                f"task {self._only!r} was never at work in this run",
                where=str(self._world.recorded.root),
            )
        return self.tally

    def _take(self, fact: e.Fact) -> None:
        if isinstance(fact, e.TaskStarted):
            self._retell(self._folder(fact.task, fact.attempt))
        elif isinstance(fact, e.MergeFinished) and self._is_wanted(fact.task):
            self._tell(f"landing of {fact.task}, attempt {fact.attempt}")
            land_again(self._world, fact)
            self.tally.landings += 1
        elif isinstance(fact, e.SyncOpened | e.SyncClosed) and self._looks_at_syncs:
            self._tell(f"checks of sync point {fact.sync}")
            open_again(self._world, fact)

    @property
    def _looks_at_syncs(self) -> bool:
        return self._world.gates and not self._only

    def _is_wanted(self, task: str) -> bool:
        return self._only in ("", task)

    def _folder(self, task: str, attempt: int) -> Path:
        return self._world.recorded.attempt(task, attempt)

    def _retell(self, folder: Path) -> None:
        if folder not in self._left:
            return
        self._left.remove(folder)
        assignment = read_assignment(folder)
        trace = read_trace(folder / "journal.jsonl")
        place = Place(assignment.kind, assignment.subject, assignment.attempt)
        self._tell(
            f"{place.kind} {place.subject}, attempt {place.attempt}: "
            f"{len(trace.exchanges)} exchanges"
        )
        if trace.torn:
            self.tally.notes.append(f"{folder.parent.name}/{folder.name}: ends in a torn line")
        if assignment.kind == "task":
            retell_attempt(self._world, assignment, trace, self.tally)
        else:
            retell_conversation(place, assignment, trace, self.tally)


def recorded_attempts(folder: RunFolder, task: str = "") -> list[Path]:
    """Every attempt's folder with a journal, of all conversations or of one task's attempts."""
    found = sorted(folder.root.glob("attempts/*/*/journal.jsonl"), key=_order)
    places = [journal.parent for journal in found if journal.stat().st_size]
    if not task:
        return places
    own = folder.attempt(task, 1).parent
    return [place for place in places if place.parent == own]


def read_assignment(folder: Path) -> Assignment:
    """What an attempt was given. JournalUnreadable when it is missing or of another version."""
    file = folder / "assignment.json"
    try:
        return Assignment.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise JournalUnreadable(
            f"the assignment cannot be read: {error}", where=str(file)
        ) from error


def _order(journal: Path) -> tuple[str, int]:
    number = journal.parent.name
    return journal.parent.parent.name, int(number) if number.isdigit() else 0

"""A run that workers carried out, written down in the user's repository once it has ended.

Then `status`, `journal`, `replay` and all else that reads a finished run finds it
like one that was carried out here. A run that may go on is not brought: this
machine's `--resume` must not take it for its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from wavecrew.errors import UsageError
from wavecrew.gates.model import GateReport
from wavecrew.journal import events as e
from wavecrew.journal.log import EventLog, SqliteEventLog
from wavecrew.journal.records import Records, materialise
from wavecrew.journal.shelf import FolderShelf, Shelf
from wavecrew.run.progress import MOST_ROUNDS
from wavecrew.run.spec import RunFolder, RunSpec, file_name, given_name


def bring_home(
    folder: RunFolder, spec: RunSpec, log: EventLog, shelf: Shelf, records: Records
) -> None:
    """Write events, reports and journals of an ended run into `folder`; done again it adds.

    UsageError when the folder is that of another run, or in use; nothing is written then.
    """
    told = list(log.read())
    folder.root.mkdir(parents=True, exist_ok=True)
    lock = folder.lock()
    try:
        _refuse_another(folder, told)
        _documents(folder, shelf, told)
        for conversation, name, number in _conversations(spec, told):
            place = folder.attempt(name, number)
            materialise(records, conversation, place / "journal.jsonl")
            if (given := shelf.load(given_name(conversation))) is not None:
                FolderShelf(place).save("assignment.json", given)
        _events(folder, spec, told)
        folder.save(spec)  # from now on the folder counts as a run
    finally:
        os.close(lock)


def _refuse_another(folder: RunFolder, told: list[e.Event]) -> None:
    """A run that was started here alone may have taken the same name meanwhile."""
    if not folder.events.exists():
        return
    log = SqliteEventLog(folder.events, folder.run, read_only=True)
    try:
        here = log.read()[:1]
    finally:
        log.close()
    if [(event.id, event.at) for event in here] != [(event.id, event.at) for event in told[:1]]:
        raise UsageError(
            f"another run of this repository is called {folder.run!r}, too",
            where=str(folder.root),
            mend="once that is finished, `wavecrew clean --history` makes room for this one",
        )


def _events(folder: RunFolder, spec: RunSpec, told: list[e.Event]) -> None:
    times = iter([event.at for event in told])
    log = SqliteEventLog(folder.events, spec.run, clock=lambda: next(times))
    try:
        for event in told:
            log.append(event.fact)
    finally:
        log.close()


def _documents(folder: RunFolder, shelf: Shelf, told: list[e.Event]) -> None:
    """The reports that events name, and the logs that the reports name."""
    for event in told:
        name = getattr(event.fact, "report", "") or getattr(event.fact, "evidence", "")
        content = _copy(folder, shelf, name) if name.startswith("reports/") else None
        if content is None:
            continue
        for evidence in GateReport.model_validate_json(content).evidence:
            if evidence.log_file:
                _copy(folder, shelf, evidence.log_file)


def _copy(folder: RunFolder, shelf: Shelf, name: str) -> bytes | None:
    """A document, now in the folder too; None when the run has none of that name."""
    content = shelf.load(name)
    if content is not None:
        FolderShelf(folder.root).save(name, content)
    return content


def _conversations(spec: RunSpec, told: list[e.Event]) -> Iterator[tuple[str, str, int]]:
    """(name, first part of its folder, number) of every conversation there may have been."""
    for event in told:
        fact = event.fact
        if isinstance(fact, e.TaskStarted):
            yield f"task/{fact.task}/{fact.attempt}", fact.task, fact.attempt
            triage = f"triage-{file_name(fact.task)}"
            yield f"triage/{fact.task}/{fact.attempt}", triage, fact.attempt
    for sync in spec.syncs:
        for number in range(1, MOST_ROUNDS + 1):
            yield f"sync/{sync.id}/{number}", f"sync-{file_name(sync.id)}", number

"""Where a run's real parts are chosen: the one place that knows them all."""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from wavecrew.journal.ledger import Ledger, MemoryLedger, PostgresLedger
from wavecrew.journal.log import EventLog, SqliteEventLog
from wavecrew.journal.postgres import PostgresEventLog
from wavecrew.journal.records import PostgresRecords, Records
from wavecrew.journal.shelf import FolderShelf, PostgresShelf, Shelf
from wavecrew.journal.state import apply, fold
from wavecrew.run.again import again
from wavecrew.run.budget import Purse, spending
from wavecrew.run.host import ProcessHost
from wavecrew.run.parts import Parts
from wavecrew.run.prices import Prices
from wavecrew.run.spec import RunFolder, RunSpec
from wavecrew.run.traffic import Pace
from wavecrew.sandbox import open_sandbox
from wavecrew.sandbox.model import Sandbox
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import Repository


@dataclass(frozen=True, slots=True)
class Books:
    """Where a run is written down: in files for one machine, in PostgreSQL for many."""

    log: EventLog
    shelf: Shelf
    ledger: Ledger
    """What agents have reserved, and how the calls to the provider go."""
    records: Records | None = None
    """The lines of journals, where another machine finds them."""

    @classmethod
    def local(cls, spec: RunSpec, folder: RunFolder) -> Books:
        log = SqliteEventLog(folder.events, spec.run)
        return cls(log, FolderShelf(folder.root), MemoryLedger())

    @classmethod
    def shared(cls, url: str, run: str) -> Books:
        """DatabaseLost, DatabaseRefused."""
        return cls(
            PostgresEventLog(url, run),
            PostgresShelf(url, run),
            PostgresLedger(url, run),
            PostgresRecords(url, run),
        )


def real_parts(
    spec: RunSpec,
    folder: RunFolder,
    repository: Repository,
    sandbox: Sandbox,
    books: Books | None = None,
) -> Parts:
    """Everything the run works with, opened. The agent host starts importing at once.

    `books`: where it is written down; None for the run's own folder.
    """
    books = books or Books.local(spec, folder)
    log = books.log
    state = fold(log.read())
    reading = threading.RLock()
    settings = spec.settings
    parts = Parts(
        spec=spec,
        folder=folder,
        repository=repository,
        mirror=Mirror.open(folder.mirror, repository),
        sandbox=sandbox,
        parking=open_real_sandbox(spec),
        shelf=books.shelf,
        records=books.records,
        log=log,
        state=state,
        host=ProcessHost(folder.root / "host", keys=(settings.model.api_key_env,)),
        purse=Purse(
            settings.budget,
            spent=spending(state.account, reading),
            refresh=log.refresh,
            ledger=books.ledger,
            pace=Pace.of(settings.model, settings.limits.agents),
            prices=Prices(settings.model, is_rehearsal=bool(spec.rehearsal)),
            changes=state.provider.changes,
        ),
        sockets=Path(tempfile.mkdtemp(prefix="s")),
        clock=lambda: int(time.time()),
        reading=reading,
    )

    def keep_current(event: object) -> None:
        with reading:
            apply(state, event)  # type: ignore[arg-type]

    log.on_append = keep_current
    return parts


def open_real_sandbox(spec: RunSpec) -> Sandbox:
    """Tried out before it is trusted; a trial that somebody killed is made again."""
    allowed = spec.allow_unsandboxed
    return again(lambda: open_sandbox(spec.settings.sandbox, allow_unsandboxed=allowed))

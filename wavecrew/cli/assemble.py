"""Where a run's real parts are chosen: the one place that knows them all."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from pathlib import Path

from wavecrew.journal.log import SqliteEventLog
from wavecrew.journal.shelf import FolderShelf
from wavecrew.journal.state import apply, fold
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

SOCKETS = "wavecrew-"
"""How the folder of a run's sockets begins."""


def real_parts(spec: RunSpec, folder: RunFolder, repository: Repository, sandbox: Sandbox) -> Parts:
    """Everything the run works with, opened. The agent host starts importing at once."""
    log = SqliteEventLog(folder.events, spec.run)
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
        shelf=FolderShelf(folder.root),
        log=log,
        state=state,
        host=ProcessHost(folder.root / "host", keys=(settings.model.api_key_env,)),
        purse=Purse(
            settings.budget,
            spent=spending(state.account, reading),
            refresh=log.refresh,
            pace=Pace.of(settings.model, settings.limits.agents),
            prices=Prices(settings.model, is_rehearsal=bool(spec.rehearsal)),
            changes=state.provider.changes,
        ),
        sockets=_sockets(folder),
        clock=lambda: int(time.time()),
        reading=reading,
    )

    def keep_current(event: object) -> None:
        with reading:
            apply(state, event)  # type: ignore[arg-type]

    log.on_append = keep_current
    return parts


def open_real_sandbox(spec: RunSpec) -> Sandbox:
    return open_sandbox(spec.settings.sandbox, allow_unsandboxed=spec.allow_unsandboxed)


def _sockets(folder: RunFolder) -> Path:
    """A private folder with a short path; the one of an engine that was killed goes first."""
    note = folder.root / "sockets"
    if note.exists():
        earlier = Path(note.read_text(encoding="utf-8"))
        if earlier.name.startswith(SOCKETS):
            shutil.rmtree(earlier, ignore_errors=True)
    made = tempfile.mkdtemp(prefix=SOCKETS)
    note.write_text(made, encoding="utf-8")
    return Path(made)

"""Where a run's real parts are chosen: the one place that knows them all."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

from wavecrew.journal.log import SqliteEventLog
from wavecrew.journal.shelf import FolderShelf
from wavecrew.journal.state import apply, fold
from wavecrew.run.again import again
from wavecrew.run.budget import Purse
from wavecrew.run.host import ProcessHost
from wavecrew.run.parts import Parts
from wavecrew.run.spec import RunFolder, RunSpec
from wavecrew.sandbox import open_sandbox
from wavecrew.sandbox.model import Sandbox
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import Repository


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
            clock=time.monotonic,
            requests_per_minute=settings.model.requests_per_minute,
            tokens=state.tokens,
            model_calls=state.model_calls,
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

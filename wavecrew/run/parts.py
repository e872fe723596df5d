"""Everything a run works with, gathered in one record. `cli` fills it with the real ones."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from wavecrew.budget.purse import Purse
from wavecrew.gates.model import GateReport
from wavecrew.journal.log import EventLog
from wavecrew.journal.records import Records
from wavecrew.journal.shelf import Shelf
from wavecrew.journal.state import RunState
from wavecrew.run.disk import no_room
from wavecrew.run.lessor import Lessor
from wavecrew.run.ports import AgentHost
from wavecrew.run.spec import RunFolder, RunSpec
from wavecrew.run.stop import Stop
from wavecrew.sandbox.model import Sandbox
from wavecrew.workspace.mirror import Mirror
from wavecrew.workspace.model import Repository


@dataclass
class Parts:
    spec: RunSpec
    folder: RunFolder
    repository: Repository
    mirror: Mirror
    sandbox: Sandbox
    """Where gates and checkouts run; a stop cuts them short."""
    shelf: Shelf
    """Where reports and logs of checks stand, for every engine of the run."""
    log: EventLog
    state: RunState
    """The fold of `log`, kept current as it grows; read it under `reading`."""
    host: AgentHost
    purse: Purse
    sockets: Path
    """A private folder with a short path."""
    clock: Callable[[], int]
    """Seconds since the epoch, for commits."""
    records: Records | None = None
    """Where the lines of attempt journals go first; None on one machine: the file is enough."""
    parking: Sandbox | None = None
    """Where unfinished work is recorded, which a stop waits for; None: `sandbox`."""
    stop: Stop = field(default_factory=Stop)
    reading: threading.RLock = field(default_factory=threading.RLock)
    gates: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(2))
    """How many gates run at once; agents wait for their turn."""

    foreseeing: threading.Lock = field(default_factory=threading.Lock)
    """Held for one forecast of collisions at a time, so that the newest is written last."""
    sessions: set[str] = field(default_factory=set)
    """Agent processes whose work is not parked yet, by name."""
    lessor: Lessor = field(init=False)

    def __post_init__(self) -> None:
        self.lessor = Lessor(
            self.spec.settings.leases,
            git_dir=self.repository.git_dir,
            run=self.spec.run,
            folder=self.folder.root,
            sandbox=self.sandbox,
            machine=self.repository.machine,
        )

    def at_work(self) -> bool:
        """True while an attempt has not parked its work."""
        return bool(self.sessions)

    def unless_stopping(self, report: GateReport) -> GateReport:
        """`report`, unless a stop cut its commands short, or the disk was full under them: then
        nothing of it may be recorded."""
        if error := no_room(self.folder.root):
            self.stop.halt(error)
        if self.stop.requested.is_set():
            self.stop.halt()
        return report

    def tip(self) -> str:
        """The commit of the integration branch as the repository has it now."""
        return self.repository.read_ref(self.spec.integration_ref) or self.spec.base

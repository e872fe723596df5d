"""Which formats can be read? The list, in the order in which ties are decided."""

from __future__ import annotations

from wavecrew.plan.readers.beads import BeadsReader
from wavecrew.plan.readers.detect import Reader
from wavecrew.plan.readers.gsd import Gsd
from wavecrew.plan.readers.kiro import KiroReader
from wavecrew.plan.readers.sisyphus import Sisyphus
from wavecrew.plan.readers.taskmaster import TaskMasterReader

READERS: tuple[Reader, ...] = (
    Sisyphus(),
    Gsd(),
    TaskMasterReader(),
    BeadsReader(),
    KiroReader(),
)

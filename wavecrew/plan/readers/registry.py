"""Which formats can be read? The list, in the order in which ties are decided."""

from __future__ import annotations

from wavecrew.plan.readers.backlog import BacklogReader
from wavecrew.plan.readers.beads import BeadsReader
from wavecrew.plan.readers.bmad import BmadReader
from wavecrew.plan.readers.ccpm import CcpmReader
from wavecrew.plan.readers.detect import Reader
from wavecrew.plan.readers.gantt import GanttReader
from wavecrew.plan.readers.generic import GenericReader
from wavecrew.plan.readers.gsd import Gsd
from wavecrew.plan.readers.kiro import KiroReader
from wavecrew.plan.readers.openspec import OpenSpecReader
from wavecrew.plan.readers.sisyphus import Sisyphus
from wavecrew.plan.readers.speckit import SpecKit
from wavecrew.plan.readers.taskmaster import TaskMasterReader
from wavecrew.plan.readers.wavecrew_yaml import WavecrewReader
from wavecrew.plan.readers.waves import Waves

READERS: tuple[Reader, ...] = (
    Sisyphus(),
    Gsd(),
    SpecKit(),
    TaskMasterReader(),
    BeadsReader(),
    KiroReader(),
    OpenSpecReader(),
    CcpmReader(),
    WavecrewReader(),
    BacklogReader(),
    BmadReader(),
    GanttReader(),
    Waves(),
    GenericReader(),
)

"""Which formats can be read? The list, in the order in which ties are decided."""

from __future__ import annotations

from wavecrew.plan.readers.detect import Reader
from wavecrew.plan.readers.gsd import Gsd
from wavecrew.plan.readers.sisyphus import Sisyphus
from wavecrew.plan.readers.speckit import SpecKit
from wavecrew.plan.readers.waves import Waves

READERS: tuple[Reader, ...] = (Sisyphus(), Gsd(), SpecKit(), Waves())

"""A line of a table of figures, and the few ways to measure one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table


class Row(NamedTuple):
    what: str
    took: str
    beside: str
    """The bare thing in the same minute, or the ratio to it."""
    budget: str = ""
    """What is aimed at; empty: nothing was promised."""
    is_met: bool = True


def show(title: str, rows: Iterable[Row]) -> None:
    table = Table(title=title)
    for heading in ("what", "took", "beside", "budget", ""):
        table.add_column(heading, overflow="fold")
    for row in rows:
        judged = ("met" if row.is_met else "missed") if row.budget else ""
        table.add_row(row.what, row.took, row.beside, row.budget, judged)
    Console(width=130).print(table)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def processor_s() -> float:
    """Of this process and of those it waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms" if seconds < 0.01 else f"{1000 * seconds:.0f} ms"


def file_system(folder: Path) -> str:
    """Its kind, as the kernel names it: a flush costs what that makes of it."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    kinds = {Path(fields[1]): fields[2] for fields in mounts}
    real = folder.resolve()
    return next(kinds[place] for place in (real, *real.parents) if place in kinds)

"""What starting a command in a sandbox costs, against starting it without.

All kinds take turns within one run, so that a busy machine slows all of them alike; the ratio is
what compares between machines.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from wavecrew.errors import SandboxUnavailable
from wavecrew.plan.settings import SandboxSettings
from wavecrew.sandbox import open_sandbox
from wavecrew.sandbox.model import TREE, Command, Mount, Sandbox

BUDGET_MS = 25.0
ROUNDS = 100


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        kinds = contestants(Path(folder).resolve())
        times = measured(kinds, rounds)
    show(times, rounds)
    return 0 if statistics.median(times["bubblewrap"]) * 1000 <= BUDGET_MS else 1


def contestants(tree: Path) -> dict[str, Callable[[], object]]:
    command = Command(("true",), (Mount(tree, TREE, writable=True),))
    kinds: dict[str, Callable[[], object]] = {
        "plain subprocess": lambda: subprocess.run(["true"], check=True, capture_output=True)
    }
    for mode in ("bubblewrap", "landlock", "none"):
        settings = SandboxSettings.model_validate({"mode": mode})
        try:
            sandbox = open_sandbox(settings, allow_unsandboxed=True)
        except SandboxUnavailable as error:
            print(f"{mode}: {error.what}", file=sys.stderr)
            continue
        kinds[mode] = runner(sandbox, command)
    return kinds


def runner(sandbox: Sandbox, command: Command) -> Callable[[], object]:
    return lambda: sandbox.run(command)


def measured(kinds: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, once in kinds.items():
            began = time.perf_counter()
            once()
            times[name].append(time.perf_counter() - began)
    return times


def show(times: dict[str, list[float]], rounds: int) -> None:
    table = Table(title=f"start-up of `true`, {rounds} rounds, budget {BUDGET_MS:.0f} ms")
    for heading in ("kind", "median ms", "p95 ms", "min ms", "ratio"):
        table.add_column(heading, justify="left" if heading == "kind" else "right")
    plain = statistics.median(times["plain subprocess"])
    for name, samples in times.items():
        median, p95 = statistics.median(samples), statistics.quantiles(samples, n=20)[-1]
        cells = (f"{1000 * value:.1f}" for value in (median, p95, min(samples)))
        table.add_row(name, *cells, f"{median / plain:.1f}")
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())

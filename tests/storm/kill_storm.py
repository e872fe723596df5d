"""Does a run survive `kill -9` anywhere? Wave 1 of the Discovery plan, killed at its events.

    python tests/storm/kill_storm.py [--short] [--random 200] [--only engine,agent,command]
        [--events N] [--agents 3] [--tasks 1.1,1.2,...] [--seed 1] [--json report.json]
        [--keep FOLDER]
    python tests/storm/kill_storm.py --postgres [--short] [--random 20]
        [--only engine,worker,database,network,machine] [--events 8] ...

What is killed when stands in `local_storm.py` and `shared_storm.py`, what must hold
afterwards in `findings.py` and `shared_findings.py`. The whole wave needs three agents at
once: its script has task 3.1 begin before 1.2 has landed.

Exit code 0 when nothing was found, 1 with findings.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import local_storm
import shared_storm
from storm import Report


def main() -> int:
    options = asked()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # and clean up
    storm = shared_storm if options.postgres else local_storm
    if unknown := set(options.only) - set(storm.KINDS):
        raise SystemExit(f"--only knows {', '.join(storm.KINDS)}, not {', '.join(unknown)}")
    folder = options.keep or Path(tempfile.mkdtemp(prefix="storm-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"seed {options.seed}", flush=True)
    reports: list[Report] = []

    def say(report: Report) -> None:
        reports.append(report)
        print("\n  ".join([str(report), *report.findings]), flush=True)
        if options.json:
            whole = {"seed": options.seed, "runs": [vars(one) for one in reports]}
            options.json.write_text(json.dumps(totals(reports) | whole, indent=1))

    storm.storm(options, folder, say)
    whole = totals(reports)
    print(
        f"{whole['kills']} kills in {len(reports) - 1} stormed runs, {whole['findings']} findings"
    )
    if whole["findings"]:
        print(f"the runs lie in {folder}")
    elif not options.keep:
        shutil.rmtree(folder)
    return 1 if whole["findings"] else 0


def totals(reports: list[Report]) -> dict[str, int]:
    return {
        "kills": sum(report.kills.total() for report in reports),
        "findings": sum(len(report.findings) for report in reports),
    }


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    option = parser.add_argument
    option("--postgres", action="store_true", help="three workers on a PostgreSQL server")
    option("--short", action="store_true", help="one run of two tasks, killed in all ways")
    option("--random", type=int, default=0, help="so many kills at random times as well")
    option("--events", type=int, default=0, help="only so many of the events, evenly spread")
    option("--only", type=words, default=(), help="these kinds of victims at the events")
    option("--agents", type=int, default=3, help="agents at once, on all workers")
    option("--tasks", type=words, default=(), help="only these tasks of the wave")
    option("--seed", type=int, default=1)
    option("--json", type=Path, help="write the report here")
    option("--keep", type=Path, help="make the runs here and leave them")
    options = parser.parse_args()
    if options.short:
        options.tasks = options.tasks or ("1.1", "1.2")
    return options


def words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


if __name__ == "__main__":
    sys.exit(main())

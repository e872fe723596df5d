"""`wavecrew status --database-url`: the runs, the workers, and how one run stands."""

from __future__ import annotations

import json
from dataclasses import asdict

from wavecrew.cli.status import status_text
from wavecrew.journal.postgres import PostgresEventLog
from wavecrew.journal.state import RunState, fold
from wavecrew.workers.roster import Roster, RunRow, WorkerRow


def show_shared(url: str, run: str | None, *, as_json: bool) -> int:
    """Print what the database tells; of the runs the newest in full, or the one named."""
    roster = Roster(url)
    try:
        runs, workers = roster.runs(), roster.workers()
        row = roster.run(run) if run else (runs[-1] if runs else None)
        state = _state(url, row.run) if row else None
    finally:
        roster.close()
    if as_json:
        told = {
            "runs": [asdict(one) for one in runs],
            "workers": [asdict(one) for one in workers],
            "state": asdict(state) if state else None,
        }
        print(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        print("\n".join([*_runs(runs), *_workers(workers), *_one(state)]))
    return 0


def _state(url: str, run: str) -> RunState:
    log = PostgresEventLog(url, run)
    try:
        return fold(log.read())
    finally:
        log.close()


def _runs(runs: tuple[RunRow, ...]) -> list[str]:
    if not runs:
        return ["No run in this database"]
    return ["Runs", *(f"  {row.run}  {_stands(row)}  since {row.created_at}" for row in runs)]


def _stands(row: RunRow) -> str:
    if row.outcome:
        return row.outcome
    if row.wanted == "work":
        return "to be worked on"
    error = row.error()
    return f"paused: {error.what}" if error else "paused"


def _workers(workers: tuple[WorkerRow, ...]) -> list[str]:
    if not workers:
        return ["No worker"]
    return ["Workers", *(f"  {_worker(row)}" for row in workers)]


def _worker(row: WorkerRow) -> str:
    if not row.is_alive:
        return f"{row.host} {row.pid}  gone, seen {row.seen}: {row.doing}"
    return f"{row.host} {row.pid}  alive since {row.since}  {row.run} {row.doing}".rstrip()


def _one(state: RunState | None) -> list[str]:
    return [status_text(state)] if state and state.run else []

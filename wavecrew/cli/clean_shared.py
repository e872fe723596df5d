"""`wavecrew clean --database-url`: remove finished runs from the database that workers share."""

from __future__ import annotations

import time
from contextlib import closing

from wavecrew.cli.clean import CleanRequest, confirmed, is_old_enough, refuse_unclear, report
from wavecrew.errors import EXIT_OK
from wavecrew.journal.postgres import PostgresEventLog
from wavecrew.journal.state import fold
from wavecrew.upkeep.cleaning import Item, Wish
from wavecrew.upkeep.retention import Retention
from wavecrew.workers.roster import Roster, RunRow
from wavecrew.workspace.user_repo import UserRepository


def clean_shared(request: CleanRequest, url: str) -> int:
    """Do what was asked; 0 when nothing had to stay, 2 when something did."""
    refuse_unclear(request)
    repository = UserRepository.open(request.repo, clean=False)
    with closing(Roster(url)) as roster:
        retention = Retention(url, roster, repository)
        chosen = _chosen(request, retention)

        def look(dry_run: bool) -> list[Item]:
            wish = Wish(history=request.history, park=request.park, dry_run=dry_run)
            now = int(time.time())
            return [item for row in chosen for item in retention.remove(row, wish, when=now)]

        if chosen and not confirmed(request, look):
            return EXIT_OK
        return report(request, look(request.dry_run))


def _chosen(request: CleanRequest, retention: Retention) -> list[RunRow]:
    """The runs that are meant: those named, or all of this repository that ended."""
    roster = retention.roster
    if request.runs:
        rows = [roster.run(name) for name in dict.fromkeys(request.runs)]
    else:
        rows = [row for row in roster.runs() if row.outcome and retention.is_ours(row.run)]
    if not request.older_than_days:
        return rows
    return [row for row in rows if _is_old_enough(request, retention, row)]


def _is_old_enough(request: CleanRequest, retention: Retention, row: RunRow) -> bool:
    with closing(PostgresEventLog(retention.url, row.run)) as log:
        return is_old_enough(request, fold(log.read()))

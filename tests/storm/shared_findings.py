"""What must hold of the hub and the database once a run of many workers is over.

As in `findings.py` every breach is one sentence.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import findings
import psycopg
from findings import Exchange, git

Row = tuple[Any, ...]
SNAPSHOTS = "refs/wavecrew/snapshots"
OTHERS = "pid <> pg_backend_pid() and datname = current_database()"
LEFT = {
    "a session is still open: {}": (
        f"select application_name || ' ' || query from pg_stat_activity where {OTHERS}"
        " and backend_type = 'client backend'"
    ),
    "an advisory lock is still held: {}": (
        "select classid || ' ' || objid from pg_locks where locktype = 'advisory'"
        " and database = (select oid from pg_database where datname = current_database())"
    ),
    "a workflow did not end: {}": (
        "select workflow_uuid || ' ' || status from wavecrew_r1.workflow_status"
        " where status <> 'SUCCESS'"
    ),
    "a reservation was never given back: {}": (
        "select account || ' ' || content from wavecrew.ledger where account like 'session/%'"
    ),
    "the run was paused: {}": "select stopped from wavecrew.runs where pauses > 0",
}
"""Sentence -> the rows it is about; there may be none."""


def rows(url: str, statement: str) -> list[Row]:
    """What the database answers; OperationalError while it is away."""
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        return connection.execute(statement.encode()).fetchall()


def answered(url: str) -> set[Exchange]:
    """Every exchange with the model whose reply is in the database; none while that is away."""
    try:
        lines = rows(url, "select conversation, line from wavecrew.records order by number")
    except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
        return set()
    records: dict[str, list[dict[str, Any]]] = {}
    for conversation, line in lines:
        records.setdefault(conversation, []).append(json.loads(bytes(line)))
    found: set[Exchange] = set()
    for conversation, said in records.items():
        name, _, attempt = conversation.rpartition("/")
        found |= findings.turns(name, int(attempt), said)
    return found


def lost(hub: Path, url: str) -> list[str]:
    """Commits that a gate passed and that nothing at the hub reaches."""
    gates = rows(url, "select fact from wavecrew.events where kind = 'gate_finished'")
    return findings.lost(hub, (fact for (fact,) in gates))


def left_in_database(url: str) -> list[str]:
    """Locks, sessions, reservations and unfinished work."""
    return [
        sentence.format(text)
        for sentence, statement in LEFT.items()
        for (text,) in rows(url, statement)
    ]


def unfinished(url: str) -> list[str]:
    """Runs that no worker has brought to their end yet."""
    found = rows(url, "select run from wavecrew.runs where outcome = ''")
    return [f"the workers did not end run {run}" for (run,) in found]


def hub_breaches(hub: Path, repo: Path) -> list[str]:
    """States of attempts that are over, damage, and what the user did not get."""
    found = [f"left at the hub: {ref}" for ref in _refs(hub, SNAPSHOTS)]
    missing = _refs(hub, "refs/heads/wavecrew") - _refs(repo, "refs/heads/wavecrew")
    found += [f"the user's repository has not got {ref}" for ref in sorted(missing)]
    damage = git(hub, "fsck", "--connectivity-only", "--no-dangling").strip()
    return found + ([f"the hub is damaged: {damage[:300]}"] if damage else [])


def _refs(repo: Path, below: str) -> set[str]:
    """Names and commits."""
    return set(git(repo, "for-each-ref", "--format=%(refname) %(objectname)", below).splitlines())

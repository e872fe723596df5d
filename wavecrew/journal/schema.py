"""The tables of all runs in one PostgreSQL database, and how they grow from version to version.

Everything of ours is in the schema `wavecrew`; the engine keeps each run's
workflows in a schema of their own. Texts that agents or plans choose are
stored as ASCII JSON, as a digest, or as bytes: PostgreSQL's text refuses
NUL, and its JSON refuses what our JSON may hold.
"""

from __future__ import annotations

import hashlib
import json

from wavecrew.errors import DatabaseRefused
from wavecrew.journal.database import Database

MIGRATIONS = (
    """
    create table wavecrew.runs (
        run text primary key,
        number integer not null unique,
        hub text not null,
        spec text not null,
        wanted text not null default 'pause',
        pauses integer not null default 0,
        stopped text not null default '',
        outcome text not null default '',
        exit_code integer,
        created_at timestamptz not null default now()
    );
    create table wavecrew.events (
        run text not null,
        seq bigint not null,
        id text not null,
        at text not null,
        kind text not null,
        fact text not null,
        primary key (run, seq),
        unique (run, id)
    );
    create table wavecrew.documents (
        run text not null,
        name text not null,
        content bytea not null,
        saved_at timestamptz not null default now(),
        primary key (run, name)
    );
    create table wavecrew.records (
        run text not null,
        conversation text not null,
        number integer not null,
        line bytea not null,
        writer text not null,
        primary key (run, conversation, number)
    );
    create table wavecrew.workers (
        worker text primary key,
        host text not null,
        pid integer not null,
        hub text not null,
        agents integer not null,
        since timestamptz not null default now(),
        seen timestamptz not null default now(),
        run text not null default '',
        executor text not null default '',
        doing text not null default ''
    );
    create table wavecrew.ledger (
        run text not null,
        account text not null,
        content text not null,
        primary key (run, account)
    );
    """,
    """
    create table wavecrew.removed (
        run text primary key,
        number integer not null unique,
        removed_at timestamptz not null default now()
    );
    """,
)
"""Each brings the tables from one version to the next. Only ever added to, at the end."""
VERSION = len(MIGRATIONS)
OF_RUNS = ("events", "documents", "records", "ledger", "runs")
"""Tables whose rows belong to a run (column `run`) and go with it."""
LOCK = 0x77617665
"""Advisory lock held while the tables change; any number no one else would take."""
LONGEST_KEY = 1000
"""Characters; an index entry has to fit in a third of a page."""


def ensure_schema(url: str) -> None:
    """Make the tables, or bring them up to this version. Safe at any time from many machines.

    DatabaseRefused when they are of a newer version than this program knows.
    """
    database = Database(url)
    try:
        if _version(database) < VERSION:
            _migrate(database)
    finally:
        database.close()


def _version(database: Database) -> int:
    """The tables' version, 0 when there are none."""
    with database.transaction() as here:
        found = here.execute("select to_regclass('wavecrew.schema_version')::text").fetchone()
        if found is None or found[0] is None:
            return 0
        row = here.execute("select version from wavecrew.schema_version").fetchone()
    version = int(row[0]) if row else 0
    if version > VERSION:
        raise DatabaseRefused(
            f"the tables are of version {version}, this wavecrew knows up to {VERSION}",
            where=database.shown,
            mend="bring wavecrew here to the version of the other machines",
        )
    return version


def _migrate(database: Database) -> None:
    with database.transaction() as here:
        here.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        here.execute("create schema if not exists wavecrew")
        here.execute("create table if not exists wavecrew.schema_version (version integer)")
        row = here.execute("select version from wavecrew.schema_version").fetchone()
        for statements in MIGRATIONS[row[0] if row else 0 :]:
            for statement in statements.split(";"):
                if statement.strip():
                    here.execute(statement)
        here.execute("delete from wavecrew.schema_version")
        here.execute("insert into wavecrew.schema_version values (%s)", (VERSION,))


def key_of(text: str) -> str:
    """`text` as a key: itself for ordinary ids, escaped to ASCII, a digest where it is long."""
    key = json.dumps(text)[1:-1]
    if len(key) <= LONGEST_KEY:
        return key
    return f"{key[:100]}~{hashlib.sha256(key.encode()).hexdigest()}"

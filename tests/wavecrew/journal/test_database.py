"""The database refuses, is out of reach or is not what was meant: told clearly, and no password."""

from __future__ import annotations

import builtins
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from wavecrew.errors import DatabaseLost, DatabaseRefused, EnvironmentBroken, UsageError
from wavecrew.journal.database import Database, shown
from wavecrew.journal.postgres import PostgresEventLog
from wavecrew.journal.schema import VERSION, ensure_schema


def version(url: str) -> int:
    with psycopg.connect(url) as there:
        row = there.execute("select version from wavecrew.schema_version").fetchone()
    assert row is not None
    return int(row[0])


def test_the_tables_are_made_once_whoever_comes_first(database_url: str) -> None:
    with ThreadPoolExecutor(6) as many:
        list(many.map(ensure_schema, [database_url] * 6))
    assert version(database_url) == VERSION
    with psycopg.connect(database_url) as there:
        named = there.execute(
            "select tablename from pg_tables where schemaname = 'wavecrew'"
        ).fetchall()
    assert {"runs", "events", "documents", "records", "workers", "ledger"} <= {n for (n,) in named}


def test_tables_of_a_newer_version_are_refused_with_the_mend(database_url: str) -> None:
    ensure_schema(database_url)
    with psycopg.connect(database_url) as there:
        there.execute("update wavecrew.schema_version set version = version + 1")
    with pytest.raises(DatabaseRefused, match=f"version {VERSION + 1}") as told:
        ensure_schema(database_url)
    assert "version of the other machines" in told.value.mend
    assert version(database_url) == VERSION + 1


def test_a_failed_change_of_the_tables_leaves_nothing_half_made(database_url: str) -> None:
    with psycopg.connect(database_url) as there:
        there.execute("create schema wavecrew")
        there.execute("create table wavecrew.ledger (in_the_way int)")
    with pytest.raises(EnvironmentBroken, match="ledger"):
        ensure_schema(database_url)
    with psycopg.connect(database_url) as there:
        found = there.execute("select to_regclass('wavecrew.runs')::text").fetchone()
    assert found == (None,)


def test_a_database_without_our_tables_is_named(database_url: str) -> None:
    with pytest.raises(DatabaseRefused, match="no tables of wavecrew"):
        PostgresEventLog(database_url, "r1")


def test_a_user_without_rights_is_told_what_is_missing(postgres, database_url: str) -> None:
    ensure_schema(database_url)
    with psycopg.connect(database_url, autocommit=True) as there:
        there.execute("create role guest login password 's3cret'")
    guest = database_url.replace(f"wavecrew:{postgres.password}", "guest:s3cret")
    with pytest.raises(DatabaseRefused, match="permission denied") as told:
        PostgresEventLog(guest, "r1")
    assert "s3cret" not in str(told.value)
    with pytest.raises(DatabaseRefused):
        ensure_schema(guest)


@pytest.mark.parametrize("wrong", ["password", "user", "database"])
def test_what_the_server_refuses_is_told_without_the_password(
    postgres, database_url: str, wrong: str
) -> None:
    given = {
        "password": database_url.replace(postgres.password, "s3cret"),
        "user": database_url.replace("//wavecrew:", "//nobody:"),
        "database": postgres.url("nowhere"),
    }[wrong]
    with pytest.raises(DatabaseRefused) as told:
        ensure_schema(given)
    assert "mend user, password or database" in told.value.mend
    assert "s3cret" not in str(told.value)
    assert postgres.password not in str(told.value)
    assert told.value.where.startswith("postgresql://")


def test_a_server_that_is_not_there_is_lost(postgres) -> None:
    with pytest.raises(DatabaseLost, match="refused") as told:
        ensure_schema("postgresql://someone:s3cret@127.0.0.1:1/db")
    assert "s3cret" not in str(told.value)
    assert told.value.exit_code == 7


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3cret",
        "sqlite:///s3cret",
        "host=localhost password=s3cret",
        "postgresql://user:s3cret%zz@host/db",
        "postgresql://user:p@s3cret@host/db",
        "postgresql://user:p/s3cret@host/db",
        "postgresql://user:s3cret@host:port/db",
        "postgresql://user@host/db?passwort=s3cret",
    ],
)
def test_what_is_no_url_is_an_error_of_usage_that_repeats_nothing(url: str) -> None:
    with pytest.raises(UsageError) as told:
        Database(url)
    assert "s3cret" not in str(told.value)
    assert "--database-url" in str(told.value)


def test_a_url_is_shown_without_what_is_secret() -> None:
    assert shown("postgres://u:p@h/d?sslmode=require") == "postgresql://u@h:5432/d"
    assert shown("postgresql://h:1/d?password=p") == "postgresql://h:1/d"


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: object, **kwargs: object) -> object:
        if name.partition(".")[0] == "psycopg":
            raise ImportError("No module named 'psycopg'")
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    for name in [name for name in sys.modules if name.partition(".")[0] == "psycopg"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(EnvironmentBroken) as told:
        Database("postgresql://u@h/d")
    assert told.value.mend == 'pip install "wavecrew[postgres]"'


def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_works(database_url: str) -> None:
    ensure_schema(database_url)
    database = Database(database_url)

    def insert_then(statement: str) -> None:
        with database.transaction() as here:
            here.execute("insert into wavecrew.documents values ('r', 'n', 'x')")
            here.execute(statement.encode() or None)  # type: ignore[arg-type]

    with pytest.raises(TypeError):
        insert_then("")
    with pytest.raises(EnvironmentBroken, match="division by zero"):
        insert_then("select 1 / 0")
    with database.transaction() as here:
        found = here.execute("select count(*) from wavecrew.documents")
    assert found.fetchone() == (0,)
    database.close()

"""The tests' own PostgreSQL: real, killable, startable again, and gone without a trace."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest
from postgres import PostgresServer, wheel_binaries


def count(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("select count(*) from kept").fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("how", ["fast", "immediate", "kill"])
def test_what_was_committed_is_there_after_a_stop_of_any_kind(how):
    with PostgresServer() as server:
        url = server.create_database("one")
        with psycopg.connect(url) as connection:
            connection.execute("create table kept (n int)")
            connection.execute("insert into kept values (1), (2)")
        first = server.pid
        server.stop(how)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
        server.start()
        assert server.pid != first
        assert count(url) == 2


def test_the_wheel_carries_a_server_too():
    with (
        PostgresServer(bin_dir=wheel_binaries()) as server,
        psycopg.connect(server.url()) as connection,
    ):
        assert connection.info.server_version >= 180000


def test_nothing_is_left_of_a_removed_server():
    with PostgresServer() as server:
        pid, place = server.pid, server._place
        assert Path(f"/proc/{pid}").exists()
    assert not place.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def test_every_test_has_an_empty_database_of_its_own(database_url):
    with psycopg.connect(database_url) as connection:
        assert connection.execute(
            "select count(*) from pg_tables where schemaname = 'public'"
        ).fetchone() == (0,)

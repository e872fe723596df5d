"""Both event logs keep the one contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wavecrew.journal.log import SqliteEventLog
from wavecrew.journal.postgres import PostgresEventLog, ensure_schema
from wavecrew.testing.event_log_contract import EventLogContract, OpenLog


class TestSqliteEventLog(EventLogContract):
    @pytest.fixture
    def open_log(self, tmp_path: Path) -> Iterator[OpenLog]:
        opened: list[SqliteEventLog] = []

        def open_it() -> SqliteEventLog:
            opened.append(SqliteEventLog(tmp_path / "events.db", "r1"))
            return opened[-1]

        yield open_it
        for log in opened:
            log.close()


class TestPostgresEventLog(EventLogContract):
    @pytest.fixture
    def open_log(self, database_url: str) -> Iterator[OpenLog]:
        ensure_schema(database_url)
        opened: list[PostgresEventLog] = []

        def open_it() -> PostgresEventLog:
            opened.append(PostgresEventLog(database_url, "r1"))
            return opened[-1]

        yield open_it
        for log in opened:
            log.close()

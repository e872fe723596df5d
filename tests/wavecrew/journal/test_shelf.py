"""Both shelves keep the one contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wavecrew.journal.schema import ensure_schema
from wavecrew.journal.shelf import FolderShelf, PostgresShelf
from wavecrew.testing.shelf_contract import OpenShelf, ShelfContract


class TestFolderShelf(ShelfContract):
    @pytest.fixture
    def open_shelf(self, tmp_path: Path) -> OpenShelf:
        return lambda: FolderShelf(tmp_path / "run")

    def test_a_document_is_a_file_of_its_name_and_nothing_else_stays(self, tmp_path: Path) -> None:
        FolderShelf(tmp_path).save("reports/1.1-1-1.json", b"{}")
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert files == [tmp_path / "reports" / "1.1-1-1.json"]


class TestPostgresShelf(ShelfContract):
    @pytest.fixture
    def open_shelf(self, database_url: str) -> Iterator[OpenShelf]:
        ensure_schema(database_url)
        opened: list[PostgresShelf] = []

        def open_it() -> PostgresShelf:
            opened.append(PostgresShelf(database_url, "r1"))
            return opened[-1]

        yield open_it
        for shelf in opened:
            shelf.close()

    def test_runs_in_one_database_have_shelves_of_their_own(self, database_url: str) -> None:
        ensure_schema(database_url)
        one, two = (PostgresShelf(database_url, run) for run in ("r1", "r2"))
        one.save("a", b"one")
        assert two.load("a") is None
        one.close()
        two.close()

"""The developers' commands."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from discovery.dev import DevError, new_migration, rebase_migration, style

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the base migration only."""
    shutil.copy(ROOT / "alembic.ini", tmp_path)
    (tmp_path / "migrations" / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako", "versions/0001_base_schema.py"):
        shutil.copy(ROOT / "migrations" / name, tmp_path / "migrations" / name)
    return tmp_path


def test_style_tells_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text('"""Doc."""\nx = 1 \ny = "' + "y" * 100 + '"\n')
    assert style(tmp_path) == [
        "tests/test_x.py:2: space at the end of the line",
        "tests/test_x.py:3: 106 characters, 100 are allowed",
    ]


def test_a_new_migration_stands_on_the_newest_one(repository: Path) -> None:
    new_migration("0002_first", repository)
    file = new_migration("0003_second_thing", repository)
    assert file.name == "0003_second_thing.py"
    assert 'down_revision: str | None = "0002"' in file.read_text()
    assert file.read_text().startswith('"""Second thing.')


def test_a_migration_needs_a_number_and_a_free_name(repository: Path) -> None:
    new_migration("0002_first", repository)
    with pytest.raises(DevError, match="is there already"):
        new_migration("0002_first", repository)
    with pytest.raises(DevError, match="not of the form"):
        new_migration("things", repository)


def test_a_migration_beside_another_is_put_on_top_of_it(repository: Path) -> None:
    first = new_migration("0002_first", repository)
    text = first.read_text()
    first.unlink()
    second = new_migration("0003_second", repository)
    first.write_text(text)
    with pytest.raises(DevError, match="several heads"):
        new_migration("0004_third", repository)
    assert rebase_migration("0003", repository) == "0002"
    assert 'down_revision: str | None = "0002"' in second.read_text()
    assert rebase_migration("0003", repository) == "0002"

"""What every test shares: hypothesis without timing, since no test judges speed; golden files;
a PostgreSQL server, started when a test first asks for it."""

from __future__ import annotations

import itertools
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent / "servers"))
from postgres import PostgresServer

# Whoever starts the tests in the background may have had SIGINT ignored, and their children inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("wavecrew", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("wavecrew")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the golden files anew instead of comparing with them",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden(name, text)`: the text is what `golden/<name>` beside the test file holds."""
    folder = Path(request.path).parent / "golden"

    def compare(name: str, text: str) -> None:
        file = folder / name
        if request.config.getoption("--update-golden"):
            folder.mkdir(exist_ok=True)
            file.write_text(text, "utf-8")
        assert file.is_file(), f"no {file.name}: run once with --update-golden and review it"
        assert text == file.read_text("utf-8")

    return compare


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running server, shared by the tests of this process; a test leaves it running.

    Tests that stop or kill a server start one of their own.
    """
    with PostgresServer() as server:
        yield server


@pytest.fixture
def database_url(postgres: PostgresServer) -> Iterator[str]:
    """A new empty database, thrown away after the test."""
    name = f"test_{next(_databases)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


_databases = itertools.count(1)

"""What every test shares: hypothesis without timing, since no test judges speed; golden files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

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

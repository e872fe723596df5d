"""Rehearsal folders for the tests of this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

MakeFolder = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """`make_folder({name: text}, model=...)` writes a rehearsal folder and returns it."""

    def make(
        files: Mapping[str, str], head: str = "model: tiny-rehearsal\n", name: str = "rehearsal"
    ) -> Path:
        folder = tmp_path / name
        for path, text in {"rehearsal.yaml": head, **files}.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(dedent(text), "utf-8")
        return folder

    return make

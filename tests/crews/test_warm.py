"""The host's one conversation with nobody survives the death of the server that answers it."""

from __future__ import annotations

import os
import signal
import time
from http.server import HTTPServer
from pathlib import Path
from typing import NoReturn

import pytest

from crews import warm
from wavecrew.errors import EnvironmentBroken


def killed_at_once(server: HTTPServer) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    os._exit(1)


def test_a_server_that_is_killed_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve, first = warm._serve_one, tmp_path / "first"

    def killed_first(server: HTTPServer) -> NoReturn:
        if not first.exists():
            first.touch()
            killed_at_once(server)
        serve(server)

    monkeypatch.setattr(warm, "_serve_one", killed_first)
    (tmp_path / "home").mkdir()
    warm.warm_up(tmp_path / "home")
    assert first.exists()


def test_one_that_is_always_killed_is_told_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "_serve_one", killed_at_once)
    began = time.monotonic()
    with pytest.raises(EnvironmentBroken, match="its server is gone"):
        warm.warm_up(tmp_path)
    assert time.monotonic() - began < 25

"""Bare repositories served by git itself, for everyone who reaches an address of this machine.

`git daemon` asks nobody who they are, so it is for loopback and for the far
ends of cables only.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from addresses import free_port

START_S = 20.0


class GitDaemon:
    """Everything below a folder, to fetch and to push, from `with` to its end."""

    def __init__(self, folder: Path, listen: str = "127.0.0.1") -> None:
        self._folder = folder
        self._listen = listen
        self._port = free_port(listen)

    def url(self, repository: Path) -> str:
        return f"git://{self._listen}:{self._port}/{repository.relative_to(self._folder)}"

    def __enter__(self) -> Self:
        words = [
            *("git", "daemon", "--reuseaddr", "--export-all", "--enable=receive-pack"),
            *(f"--base-path={self._folder}", f"--listen={self._listen}", f"--port={self._port}"),
        ]
        self._process = subprocess.Popen(words, start_new_session=True, stderr=subprocess.DEVNULL)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """The whole session: `git` waits for its daemon, and that has a child a connection."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection((self._listen, self._port), timeout=1).close()
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

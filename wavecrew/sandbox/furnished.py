"""A sandbox whose every command also gets some environment, and a cache folder of its own.

Everything else is the sandbox's that stands behind it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from wavecrew.sandbox.model import Command, Finished, Mode, Mount, Sandbox

CACHE = "/wavecrew-cache"
"""Where the cache folder is inside."""


class Furnished:
    """What a command sets itself wins over `env`."""

    def __init__(
        self,
        sandbox: Sandbox,
        env: Mapping[str, str],
        *,
        cache: Path | None = None,
        fresh: Path | None = None,
    ) -> None:
        """`cache` must exist and is mounted writable at `CACHE`.

        `fresh` instead: where a new empty folder is made for each command, and
        removed after it. For gates: what one command leaves must not help the next.
        """
        self.mode: Mode = sandbox.mode
        self._sandbox = sandbox
        self._env = dict(env)
        self._cache = cache
        self._fresh = fresh

    def run(self, command: Command) -> Finished:
        with self._mounts() as mounts:
            env = self._env | dict(command.env)
            return self._sandbox.run(replace(command, env=env, mounts=(*command.mounts, *mounts)))

    def cancel_all(self) -> None:
        self._sandbox.cancel_all()

    @contextmanager
    def _mounts(self) -> Iterator[tuple[Mount, ...]]:
        if self._cache is not None:
            yield (Mount(self._cache.resolve(), CACHE, writable=True),)
        elif self._fresh is not None:
            self._fresh.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=self._fresh.resolve()))
            try:
                yield (Mount(folder, CACHE, writable=True),)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        else:
            yield ()

"""File descriptors on their way to a child: exact ones, and none left open behind it."""

from __future__ import annotations

import os
from types import TracebackType


class Handed:
    """Collects what a child is given; leaving the block closes our copies."""

    def __init__(self) -> None:
        self._theirs: list[int] = []
        self._ours: list[int] = []

    @property
    def descriptors(self) -> tuple[int, ...]:
        return tuple(self._theirs)

    def pipe(self, *, to_child: bool = False) -> tuple[int, int]:
        """(our end, the child's end). Ours is closed too, unless `kept`."""
        reading, writing = os.pipe()
        ours, theirs = (writing, reading) if to_child else (reading, writing)
        self._ours.append(ours)
        self._theirs.append(theirs)
        return ours, theirs

    def file(self, content: bytes) -> int:
        """A file in memory that the child reads from its beginning."""
        fd = os.memfd_create("handed")
        self._theirs.append(fd)
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    def kept(self, ours: int) -> int:
        """From now on the caller's to close."""
        self._ours.remove(ours)
        return ours

    def __enter__(self) -> Handed:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for fd in (*self._theirs, *self._ours):
            os.close(fd)

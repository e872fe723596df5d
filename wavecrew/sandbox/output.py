"""What is kept of an output that may never end: its head and its tail."""

from __future__ import annotations


class Kept:
    """The first and the last half of `keep` bytes; everything, when `keep` is None."""

    def __init__(self, keep: int | None) -> None:
        self.total = 0
        self._head_room = None if keep is None else keep - keep // 2
        self._tail_room = 0 if keep is None else keep // 2
        self._head = bytearray()
        self._tail = bytearray()

    def add(self, chunk: bytes) -> None:
        self.total += len(chunk)
        if self._head_room is None:
            self._head += chunk
            return
        room = self._head_room - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if len(self._tail) > 2 * self._tail_room + 65536:
            self._trim()

    def _trim(self) -> None:
        del self._tail[: max(0, len(self._tail) - self._tail_room)]

    @property
    def omitted(self) -> int:
        """Bytes that stood between head and tail."""
        self._trim_if_cut()
        return self.total - len(self._head) - len(self._tail)

    def bytes(self) -> bytes:
        self._trim_if_cut()
        return bytes(self._head + self._tail)

    def _trim_if_cut(self) -> None:
        if self._head_room is not None:
            self._trim()

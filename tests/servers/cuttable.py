"""A line to a server on loopback that a test can cut, or reach from elsewhere.

TCP, passed on until told otherwise.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self


class CuttableLine:
    """Listens at `listen`, on a port of its own, and passes on to `host:port`."""

    def __init__(self, host: str, port: int, listen: str = "127.0.0.1") -> None:
        self._target = (host, port)
        self._listener = socket.create_server((listen, 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._word = b""
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection now; new ones are taken all the same."""
        pairs, self._pairs = self._pairs, []
        for ends in pairs:
            for end in ends:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def cut_at_the_answer(self, word: bytes) -> None:
        """The server's next answer with `word` in it is not passed on; it ends its connection."""
        self._word = word

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                self._pairs.append((near, far))
                for source, target, answers in ((near, far, False), (far, near, True)):
                    given = (source, target, answers)
                    threading.Thread(target=self._pass_on, args=given, daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with source, suppress(OSError):
            while data := source.recv(65536):
                if answers and self._word and self._word in data:
                    self._word = b""
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

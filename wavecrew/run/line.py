"""The engine's end of the line to one agent process: requests in, replies out.

One Unix socket per attempt, in a private folder. Whose line it is, is known
by its path; an agent cannot speak for another.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from wavecrew.run.wire import (
    Refused,
    Reply,
    Request,
    address,
    decode_request,
    encode_reply,
)

LONGEST_REQUEST = 64_000_000
"""Bytes; a line of a journal can hold a whole conversation. A longer one ends the line."""


class Line:
    """Serves one agent until it hangs up or `close` is called."""

    def __init__(self, path: Path, answer: Callable[[Request], Reply]) -> None:
        """`answer` runs on this line's thread, one request at a time."""
        self._answer = answer
        self._path = path
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with address(path) as named:
            self._listener.bind(named)
        self._listener.listen(1)
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, name=f"line {path.name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        for end in (self._listener, self._connection):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self._path.unlink(missing_ok=True)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            self._connection, _ = self._listener.accept()
            with self._connection, self._connection.makefile("rwb") as file:
                while (line := file.readline(LONGEST_REQUEST)).endswith(b"\n"):
                    file.write(encode_reply(self._reply(line)))
                    file.flush()
                if line:
                    file.write(encode_reply(Refused(why=f"longer than {LONGEST_REQUEST} bytes")))

    def _reply(self, line: bytes) -> Reply:
        try:
            request = decode_request(line)
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            return Refused(why=f"not a request the engine knows: {error}")
        return self._answer(request)

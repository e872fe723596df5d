"""HTTP as a model server must bear it: JSON bodies, limits, and every refusal in OpenAI's shape.

Knows nothing of rehearsals. Whatever a client does, the server stays up: a
body too big or cut short, an unknown path, a wrong method, a client gone.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from wavecrew.rehearsal.answer import Json, error

MAX_BODY_BYTES = 32 * 1024 * 1024
_IDLE_S = 120
"""A connection on which nothing comes for so long is closed."""


class Refusal(Exception):
    """A request that gets an error instead of a turn."""

    def __init__(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, dict(headers or {})


class JsonHandler(BaseHTTPRequestHandler):
    """One connection. A subclass names its `routes` and answers in `handle_route`."""

    protocol_version = "HTTP/1.1"
    server_version = "wavecrew-rehearsal"
    sys_version = ""
    timeout = _IDLE_S
    disable_nagle_algorithm = True
    wbufsize = -1
    routes: ClassVar[Mapping[str, str]] = {}
    """Path -> its one method."""

    def handle_route(self, path: str, body: bytes) -> None:
        """Answer by one of the `send` methods or `hang_up`, or raise Refusal."""
        raise NotImplementedError

    def do_GET(self) -> None:
        try:
            body = self._body()
            self.handle_route(self._route(), body)
        except Refusal as refusal:
            self.send(refusal.status, refusal.body, refusal.headers)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = do_GET

    def send(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        data = _encode(body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def send_stream(self, chunks: Iterable[Json]) -> None:
        """Server-sent events, one per chunk, ended by `[DONE]` and the end of the connection."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Connection", "close")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(b"data: " + _encode(chunk) + b"\n\n")
            self.wfile.flush()
        self.wfile.write(b"data: [DONE]\n\n")

    def hang_up(self, *, reset: bool) -> None:
        """End the connection without an answer; `reset` makes the client see an error at once."""
        self.close_connection = True
        if reset:
            # A linger of zero makes the close a reset instead of a farewell.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            os.close(self.connection.detach())

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the HTTP layer itself refuses is told in OpenAI's shape too."""
        self.close_connection = True
        self.request_version = self.protocol_version  # what is no HTTP would get no status line
        self.send(code, error(message or "malformed HTTP request"))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed; whoever serves keeps a record."""

    def _route(self) -> str:
        path = self.path.partition("?")[0]
        method = self.routes.get(path)
        if method is None:
            raise Refusal(
                404,
                error(f"Unknown request URL: {self.command} {path}", code="unknown_url"),
            )
        if method != self.command:
            what = f"Not allowed to {self.command} on {path}; use {method}"
            raise Refusal(405, error(what, code="method_not_supported"), {"Allow": method})
        return path

    def _body(self) -> bytes:
        """The whole body, read even where it is not used, so that the next request is found."""
        length = self.headers.get("Content-Length")
        if "Transfer-Encoding" in self.headers or (length is None and self.command == "POST"):
            self.close_connection = True
            raise Refusal(411, error("a body needs a Content-Length"))
        if length is not None and not re.fullmatch(r"[0-9]{1,18}", length):
            self.close_connection = True
            raise Refusal(400, error(f"{length!r} is no Content-Length"))
        size = int(length or "0")
        if size > MAX_BODY_BYTES:
            self.close_connection = True
            self._discard(size)
            what = f"the body has {size} bytes; {MAX_BODY_BYTES} are allowed"
            raise Refusal(413, error(what, code="request_too_large"))
        body = self.rfile.read(size)
        if len(body) < size:
            raise ConnectionAbortedError("the client went away in the middle of its request")
        return body

    def _discard(self, size: int) -> None:
        """Read on for a while: who is still writing would see a reset instead of the answer."""
        left = min(size, 4 * MAX_BODY_BYTES)
        while left and (block := self.rfile.read(min(left, 1 << 16))):
            left -= len(block)


class LoopbackServer(ThreadingHTTPServer):
    """A thread per connection on 127.0.0.1; `close` waits for none that only listens."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int, handler: type[JsonHandler]) -> None:
        self._open: dict[socket.socket, threading.Thread] = {}
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), handler)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open[request] = threading.current_thread()
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._open_lock:
                del self._open[request]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is its own business; anything else is told on stderr."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        """Close the listener and wake every thread that still reads from a client."""
        self.server_close()
        with self._open_lock:
            still_open = dict(self._open)
        for connection, thread in still_open.items():
            with suppress(OSError):  # the client may be faster
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=5)


def _encode(body: Json) -> bytes:
    return json.dumps(body).encode("ascii")  # so that a lone surrogate stays an escape

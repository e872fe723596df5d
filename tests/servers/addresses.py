"""Where a server of the tests can listen, and again after it was stopped."""

from __future__ import annotations

import secrets
import socket
from contextlib import suppress


def free_port(host: str) -> int:
    """Below the ports that the kernel gives away: it has to be free after a stop, too."""
    while True:
        port = 15_000 + secrets.randbelow(17_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((host, port))
            return port

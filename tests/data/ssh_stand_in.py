"""Stands in for ssh: runs the remote command here, over a line that can be cut, hung or muted.

Usage: ssh_stand_in.py CONTROL [ssh options] HOST COMMAND. One line is written to CONTROL/calls
for every connection. CONTROL/faults holds what goes wrong next: each line `WHAT SERVICE [N]` is
used up by the first connection to that service (`receive` or `upload`).

    refuse   the connection is not made
    hang     it is made, and nothing is ever said
    cut N    it breaks after N bytes have been sent to the other side
    mute     all is done over there, but no word comes back after the advertisement
    linger N the answer to what was sent comes N seconds late
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import IO


def take(control: Path, service: str) -> list[str]:
    with (control / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with (control / "calls").open("a") as calls:
            calls.write(f"{service}\n")
        path = control / "faults"
        lines = path.read_text().splitlines() if path.exists() else []
        for line in lines:
            words = line.split()
            if words[1] == service:
                lines.remove(line)
                path.write_text("".join(f"{left}\n" for left in lines))
                return [words[0], *words[2:]]
    return [""]


def advertisement(source: IO[bytes]) -> bytes:
    """Packet lines up to the first flush."""
    said = b""
    while True:
        head = source.read(4)
        said += head
        if head in (b"0000", b""):
            return said
        said += source.read(int(head, 16) - 4)


def send(source: int, target: IO[bytes], most: int) -> None:
    """Copy until the end or until so many bytes are over."""
    while most and (data := os.read(source, min(most, 65536))):
        target.write(data)
        target.flush()
        most -= len(data)
    target.close()


def main() -> int:
    control, command = Path(sys.argv[1]), sys.argv[-1]
    service = "receive" if "receive-pack" in command else "upload"
    what, *more = take(control, service)
    if what == "refuse":
        print("ssh: connect to host hub port 22: Connection refused", file=sys.stderr)
        return 255
    if what == "hang":
        time.sleep(600)
    if what not in ("cut", "mute", "linger"):
        return subprocess.call(["/bin/sh", "-c", command])
    inner = subprocess.Popen(
        ["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert inner.stdin is not None
    assert inner.stdout is not None
    most = int(more[0]) if what == "cut" else sys.maxsize
    sender = Thread(target=send, args=(0, inner.stdin, most), daemon=True)
    sender.start()
    os.write(1, advertisement(inner.stdout))
    if what == "linger":
        answer = inner.stdout.read()
        time.sleep(float(more[0]))
        os.write(1, answer)
    inner.stdout.read()
    inner.wait()
    return 255 if what != "linger" else inner.returncode


if __name__ == "__main__":
    sys.exit(main())

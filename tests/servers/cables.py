"""Network namespaces, each at the end of a cable of its own that can be pulled and plugged again.

Real ones, by `ip netns` and a pair of virtual devices; they need root and
iproute2. Whoever runs in one reaches this machine at one address, and nothing else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Self


class NoCables(Exception):
    """Why there can be none here."""


class Cables:
    """So many namespaces, from `with` to its end. NoCables when they cannot be made."""

    def __init__(self, count: int) -> None:
        mark = os.getpid()
        self._net = f"10.213.{mark % 250 + 1}"
        self.host = f"{self._net}.1"
        """Our address, for all of them; it stays when a cable is pulled."""
        self.names = tuple(f"wc{mark}-{number}" for number in range(count))

    def enter(self, name: str) -> list[str]:
        """What goes before a command line to have it run in a namespace, and only that changed."""
        return ["nsenter", f"--net=/run/netns/{name}", "--"]

    def pull(self, name: str) -> None:
        """From now on nothing gets through."""
        self._ip("-n", name, "link", "set", _there(name), "down")

    def plug(self, name: str) -> None:
        self._ip("-n", name, "link", "set", _there(name), "up")
        _, gateway = self._ends(name)
        self._ip("-n", name, "route", "replace", "default", "via", gateway)

    def __enter__(self) -> Self:
        if os.geteuid() or not (shutil.which("ip") and shutil.which("nsenter")):
            raise NoCables("network namespaces need root, iproute2 and util-linux")
        try:
            for name in self.names:
                self._make(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for name in self.names:
            if Path(f"/run/netns/{name}").exists():
                subprocess.run(["ip", "link", "del", _here(name)], capture_output=True)
                subprocess.run(["ip", "netns", "del", name], capture_output=True)

    def _make(self, name: str) -> None:
        far, near = self._ends(name)
        here, there = _here(name), _there(name)
        self._ip("netns", "add", name)
        self._ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        self._ip("addr", "add", f"{near}/30", "dev", here)
        self._ip("link", "set", here, "up")
        self._ip("-n", name, "addr", "add", f"{far}/30", "dev", there)
        self._ip("-n", name, "link", "set", "lo", "up")
        self.plug(name)

    def _ends(self, name: str) -> tuple[str, str]:
        """The address there, and the one here. The first cable's is the one for all."""
        at = 4 * self.names.index(name)
        return f"{self._net}.{at + 2}", f"{self._net}.{at + 1}"

    def _ip(self, *words: str) -> None:
        done = subprocess.run(["ip", *words], capture_output=True, text=True)
        if done.returncode:
            raise NoCables(f"ip {' '.join(words)}: {done.stderr.strip()}")


def _here(name: str) -> str:
    return f"{name}h"


def _there(name: str) -> str:
    return f"{name}t"

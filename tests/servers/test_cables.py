"""A cable that is pulled carries nothing, and does again once it is plugged."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest
from cables import Cables, NoCables

TRIES = """
import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2).close()
"""


@pytest.fixture(scope="module")
def cables():
    with ExitStack() as stack:
        try:
            made = stack.enter_context(Cables(2))
        except NoCables as why:
            pytest.skip(str(why))
        yield made


@pytest.fixture(scope="module")
def reaches(cables):
    """Does who is in that namespace get through to us?"""
    with socket.create_server((cables.host, 0)) as server:

        def reach(name: str) -> bool:
            words = [sys.executable, "-c", TRIES, cables.host, str(server.getsockname()[1])]
            return not subprocess.run(
                [*cables.enter(name), *words], stderr=subprocess.DEVNULL
            ).returncode

        yield reach


def test_every_namespace_reaches_us_at_one_address(cables, reaches):
    assert [reaches(name) for name in cables.names] == [True, True]


def test_who_is_cut_off_is_alone_with_that_even_at_the_cable_with_our_address(cables, reaches):
    first, second = cables.names
    cables.pull(first)
    assert [reaches(first), reaches(second)] == [False, True]
    cables.plug(first)
    assert reaches(first)

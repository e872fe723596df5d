"""A cable pulled between a holder and the server: both sides find out, the holder first.

In a network namespace of its own; needs root and iproute2, and is left out elsewhere.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from wavecrew.run.liveness import LOST_AFTER_S, SILENCE_S, is_free

sys.path.insert(0, str(Path(__file__).parents[2] / "servers"))
from cables import Cables, NoCables
from postgres import PostgresServer

HOLDS = """
import os, sys, threading, time
from wavecrew.run.liveness import Liveness
def lost(why):
    print("lost", why, flush=True)
    os._exit(70)
one = Liveness(sys.argv[1], "far", beat=lambda c: c.execute("select 1"), lost=lost)
one.start()
print("holds", flush=True)
threading.Event().wait()
"""


@pytest.fixture(scope="module")
def cables():
    with ExitStack() as stack:
        try:
            made = stack.enter_context(Cables(1))
        except NoCables as why:
            pytest.skip(str(why))
        yield made


def test_the_holder_gives_itself_up_before_the_server_gives_its_lock_away(cables):
    (name,) = cables.names
    with PostgresServer(listen=cables.host) as server:
        url = server.create_database("cut")
        holder = subprocess.Popen(
            [*cables.enter(name), sys.executable, "-c", HOLDS, url],
            stdout=subprocess.PIPE,
            text=True,
        )
        with holder, psycopg.connect(url, autocommit=True) as looker:
            try:
                assert holder.stdout.readline() == "holds\n"
                time.sleep(1)
                cables.pull(name)
                cut_at = time.monotonic()
                assert not is_free(looker, "far")
                assert holder.stdout.readline().startswith("lost")
                lost_s = time.monotonic() - cut_at
                assert not is_free(looker, "far")  # nobody could have taken over yet
                while not is_free(looker, "far"):
                    assert time.monotonic() - cut_at < 2 * SILENCE_S
                    time.sleep(0.1)
                free_s = time.monotonic() - cut_at
            finally:
                holder.kill()
    print(f"lost after {lost_s:.1f} s, free after {free_s:.1f} s")
    assert lost_s < LOST_AFTER_S + 4
    assert lost_s < free_s < SILENCE_S + 8

"""Who is alive, said by a lock on a real server; who is dead, found by the reaper."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time

import psycopg
import pytest

from wavecrew.errors import DatabaseLost, EnvironmentBroken
from wavecrew.run import liveness
from wavecrew.run.liveness import CHANNEL, Liveness, end_session, is_free, new_name

HOLDS = """
import sys, threading
from wavecrew.run.liveness import Liveness
one = Liveness(sys.argv[1], sys.argv[2], beat=lambda c: None, lost=lambda why: print(why, flush=True))
one.start()
print("holds", flush=True)
threading.Event().wait()
"""


@pytest.fixture
def looker(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def losses():
    return queue.Queue()


@pytest.fixture
def alive(database_url, losses):
    made = []

    def make(name, beat=lambda connection: None, **more):
        one = Liveness(database_url, name, beat=beat, lost=losses.put, **more)
        made.append(one)
        return one

    yield make
    for one in made:
        one.leave()


def eventually(true, within_s=20):
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_name_is_held_by_one_and_free_when_it_leaves(alive, looker):
    one = alive("a")
    assert not is_free(looker, "a")
    assert is_free(looker, "b")
    with pytest.raises(EnvironmentBroken, match="alive already"):
        alive("a")
    one.leave()
    eventually(lambda: is_free(looker, "a"))


def test_leaving_ends_the_wait_for_a_call_and_then_the_connection(alive, looker, losses):
    """Closed under the waiting thread, libpq ended the whole process with SIGSEGV."""
    for number in range(10):
        beaten = threading.Event()
        one = alive(f"a{number}", beat=lambda _, beaten=beaten: beaten.set())
        one.start()
        assert beaten.wait(20)
        one.leave()
        assert one._connection.closed
        assert not one._thread.is_alive()
        eventually(lambda number=number: is_free(looker, f"a{number}"))
    assert losses.empty()


@pytest.fixture
def holding(database_url):
    """Starts a process that holds a name."""
    started = []

    def hold(name):
        command = [sys.executable, "-c", HOLDS, database_url, name]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "holds\n"
        return process

    yield hold
    for process in started:
        with process:
            process.kill()


def test_the_lock_goes_with_the_process(holding, looker):
    process = holding("killed")
    assert not is_free(looker, "killed")
    process.kill()
    eventually(lambda: is_free(looker, "killed"), within_s=3)


def test_a_frozen_holder_loses_its_session_and_itself_when_it_wakes(holding, looker):
    process = holding("frozen")
    process.send_signal(signal.SIGSTOP)
    assert end_session(looker, "frozen")
    eventually(lambda: is_free(looker, "frozen"))
    process.send_signal(signal.SIGCONT)
    assert "server closed" in process.stdout.readline()


def test_it_beats_at_once_and_when_called(alive, looker):
    beats = queue.Queue()
    alive("a", beat=lambda connection: beats.put(time.monotonic())).start()
    beats.get(timeout=5)
    time.sleep(0.2)
    called_at = time.monotonic()
    looker.execute("select pg_notify(%s, 'left')", (CHANNEL,))
    assert beats.get(timeout=5) - called_at < liveness.PERIOD_S


def test_a_beat_that_hangs_is_a_loss(alive, losses):
    now = [0.0]
    one = alive("a", beat=lambda connection: time.sleep(3), clock=lambda: now[0])
    one.start()
    now[0] = liveness.LOST_AFTER_S + 1
    assert "no answer for 9 s" in losses.get(timeout=5)


def test_a_server_that_ends_the_session_is_a_loss(alive, looker, losses):
    alive("a").start()
    assert end_session(looker, "a")
    assert losses.get(timeout=5)
    assert not end_session(looker, "a")


def test_no_server_is_told_without_the_password():
    with pytest.raises(DatabaseLost) as told:
        Liveness("postgresql://u:secret@127.0.0.1:1/x", "a", beat=print, lost=print)
    assert "secret" not in str(told.value)


def test_names_are_fresh():
    assert new_name() != new_name()
    assert f"-{os.getpid()}-" in new_name()

"""A host process that dies is replaced, and whoever waited for its agents is told."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wavecrew.errors import EnvironmentBroken
from wavecrew.run.host import MOST_LAUNCHES, ProcessHost

HOST = """
import json, os, sys
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if "start" in asked:
        print(json.dumps({"started": asked["id"], "pid": os.getpid()}), flush=True)
    elif "kill" in asked:
        print(json.dumps({"ended": asked["kill"], "status": {}}), flush=True)
"""
ASSIGNMENT = Path("assignment.json")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ProcessHost]:
    opened = ProcessHost(tmp_path / "home", command=(sys.executable, "-c", HOST))
    yield opened
    opened.close()


def kill(host: ProcessHost) -> None:
    os.kill(host.pid, signal.SIGKILL)


def test_an_agent_is_over_when_its_host_is_gone(host: ProcessHost) -> None:
    host.start("a", ASSIGNMENT)
    assert not host.wait("a", 0.05)
    kill(host)
    assert host.wait("a", 20)


def test_a_new_host_takes_the_place_of_one_that_died(host: ProcessHost) -> None:
    host.start("a", ASSIGNMENT)
    first = host.pid
    kill(host)
    assert host.wait("a", 20)
    host.start("b", ASSIGNMENT)
    assert host.pid != first
    assert not host.wait("b", 0.05)
    assert host.wait("a", 0), "what went down with the first host is over"
    host.kill("b")
    assert host.wait("b", 20)


def test_a_host_that_dies_again_and_again_is_broken(host: ProcessHost) -> None:
    for _ in range(MOST_LAUNCHES):
        host.start("a", ASSIGNMENT)
        kill(host)
        assert host.wait("a", 20)
    with pytest.raises(EnvironmentBroken):
        host.start("a", ASSIGNMENT)


def test_a_host_that_never_was_ready_is_not_tried_again(tmp_path: Path) -> None:
    host = ProcessHost(tmp_path / "home", command=(sys.executable, "-c", "raise SystemExit(3)"))
    with pytest.raises(EnvironmentBroken, match="host"):
        host.start("a", ASSIGNMENT)
    host.close()

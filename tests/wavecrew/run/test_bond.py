"""A process that is bound to the one that made it ends with it, and does not outlast one gone."""

from __future__ import annotations

import os
import subprocess
import sys

BOUND = """
import sys, time
from wavecrew.run.bond import die_with
die_with(int(sys.argv[1]))
print("bound", flush=True)
time.sleep(600)
"""
MAKER = """
import os, subprocess, sys
made = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())], stdout=subprocess.PIPE)
assert made.stdout.readline() == b"bound\\n"
os.kill(os.getpid(), 9)
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Its standard error is read to the end, so until every process that holds it has ended."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [sys.executable, "-c", *command]
    return subprocess.run(
        arguments, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_it_is_killed_when_its_maker_is() -> None:
    done = run(MAKER, BOUND)
    assert (done.returncode, done.stderr) == (-9, "")


def test_it_ends_at_once_when_its_maker_had_gone_before() -> None:
    done = run(BOUND, str(os.getppid()))
    assert (done.returncode, done.stdout) == (1, "")

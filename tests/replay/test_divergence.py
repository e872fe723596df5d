"""Which differences between two texts are none."""

from __future__ import annotations

import subprocess
import sys

import pytest

from crews.replay.divergence import settled


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("exit code 0 (1.2 s)", "exit code 0 (13.0 s)"),
        ("3 passed in 0.03s", "3 passed in 1.45s"),
        ("==== 3 passed in 65.02s (0:01:05) ====", "=== 3 passed in 5.02s (0:00:05) ======"),
        ("Mon Nov 23 18:33:37 UTC 2026", "Tue Dec  1 08:03:07 UTC 2026"),
        ("2026-11-23T18:33:37.5", "2027-01-02T03:04:05.6"),
        ("<object at 0x7f1234abcd>", "<object at 0x55ffeeddcc>"),
        ("[work abc1234] step", "[work 99f0e1d] step"),
    ],
)
def test_what_no_second_run_can_repeat_is_no_difference(one, other):
    assert settled(one) == settled(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("exit code 0 (1.2 s)", "exit code 1 (1.2 s)"),
        ("3 passed in 0.03s", "2 passed in 0.03s"),
        ("killed: it ran longer than 5 s", "killed: it printed too much"),
        ("tests/test_a.py::test_one", "tests/test_a.py::test_two"),
        ("line 12", "line 13"),
    ],
)
def test_everything_else_is_a_difference(one, other):
    assert settled(one) != settled(other)


def test_a_replay_never_loads_crewai():
    look = "import crews.replay.__main__, sys; print([m for m in sys.modules if 'crewai' in m])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", look], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"

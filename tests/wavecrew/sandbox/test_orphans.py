"""Half-made sandboxes whose bubblewrap was killed: found, ended, and nobody else with them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from wavecrew.sandbox.orphans import end_orphans, orphans
from wavecrew.sandbox.profile import GATE

BWRAP = shutil.which("bwrap")
pytestmark = pytest.mark.skipif(BWRAP is None, reason="bubblewrap is not installed")


class HalfMade:
    """A bubblewrap that never gets to wake its child."""

    def __init__(self) -> None:
        told, info = os.pipe()
        held, self._wake = os.pipe()
        options = ["--unshare-user", "--unshare-pid", "--die-with-parent", "--ro-bind", "/", "/"]
        options += ["--info-fd", str(info), "--userns-block-fd", str(held)]
        self.launcher = subprocess.Popen(
            [BWRAP, *options, "--", "/bin/sh", "-c", GATE, "sh", "true"],
            stdin=subprocess.PIPE,
            pass_fds=(info, held),
            start_new_session=True,
        )
        os.close(info)
        os.close(held)
        with os.fdopen(told) as lines:
            self.child = int(json.load(lines)["child-pid"])

    def is_alive(self) -> bool:
        try:
            with open(f"/proc/{self.child}/stat") as stat:
                return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
        except FileNotFoundError:
            return False

    def close(self) -> None:
        os.close(self._wake)
        self.launcher.kill()
        self.launcher.communicate()


@pytest.fixture
def half_made():
    made = HalfMade()
    yield made
    made.close()
    end_orphans()


def test_a_sandbox_that_is_being_made_is_nobodys_orphan(half_made):
    assert half_made.child not in list(orphans())
    end_orphans()
    assert half_made.is_alive()
    assert half_made.launcher.poll() is None


def test_what_a_killed_bubblewrap_left_waiting_is_ended(half_made):
    half_made.launcher.kill()
    half_made.launcher.wait()
    assert half_made.is_alive(), "this kernel or bubblewrap leaves no orphan: nothing to mend"
    assert half_made.child in list(orphans())
    assert end_orphans() >= 1
    assert not half_made.is_alive()
    assert half_made.child not in list(orphans())

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from wavecrew.plan.settings import SandboxSettings
from wavecrew.sandbox.bubblewrap import Bubblewrap
from wavecrew.sandbox.launcher import Unsandboxed
from wavecrew.sandbox.model import Sandbox
from wavecrew.sandbox.toolchain import toolchain
from wavecrew.testing.sandbox_contract import SandboxContract, run


class TestEverySandbox(SandboxContract):
    pass


class TestNoSandbox(SandboxContract):
    """It confines nothing, and keeps every promise that is not about confinement."""

    @pytest.fixture
    def sandbox(self, naive: Unsandboxed) -> Sandbox:
        return naive

    test_inside_paths_mean_the_mounts_in_arguments_and_environment = None  # type: ignore[assignment]


def test_a_toolchain_below_the_private_tmp_is_there_and_nothing_else_of_it(tree: Path) -> None:
    """A checkout under /tmp has its virtual environment there; the sandbox's own /tmp hid it."""
    with tempfile.TemporaryDirectory(prefix="toolchain-", dir="/tmp") as folder:
        program = Path(folder, "bin", "greet")
        program.parent.mkdir()
        program.write_text("#!/bin/sh\necho hello from $0\n")
        program.chmod(0o755)
        Path(folder, "secret").touch()
        sandbox = Bubblewrap(toolchain(SandboxSettings(path=(str(program.parent),))))
        script = f"greet; ls {folder}; touch /tmp/wavecrew-mine && echo and /tmp is ours"
        said = run(sandbox, tree, "sh", "-c", script).stdout.decode().splitlines()
        assert said == [f"hello from {program}", "bin", "and /tmp is ours"]
    assert not Path("/tmp/wavecrew-mine").exists()

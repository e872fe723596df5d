from __future__ import annotations

import pytest

from wavecrew.sandbox.launcher import Unsandboxed
from wavecrew.sandbox.model import Sandbox
from wavecrew.testing.sandbox_contract import SandboxContract


class TestEverySandbox(SandboxContract):
    pass


class TestNoSandbox(SandboxContract):
    """It confines nothing, and keeps every promise that is not about confinement."""

    @pytest.fixture
    def sandbox(self, naive: Unsandboxed) -> Sandbox:
        return naive

    test_inside_paths_mean_the_mounts_in_arguments_and_environment = None  # type: ignore[assignment]

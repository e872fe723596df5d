from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wavecrew.plan.settings import SandboxSettings
from wavecrew.sandbox.bubblewrap import Bubblewrap
from wavecrew.sandbox.cgroup import Cgroups
from wavecrew.sandbox.launcher import Landlock, Unsandboxed
from wavecrew.sandbox.model import Sandbox
from wavecrew.sandbox.toolchain import Toolchain, toolchain

NO_CGROUPS = Cgroups(None, None)
KINDS: dict[str, Callable[[Toolchain], Sandbox]] = {
    "bubblewrap": lambda tools: Bubblewrap(tools),
    "bubblewrap without cgroups": lambda tools: Bubblewrap(tools, cgroups=NO_CGROUPS),
    "landlock": lambda tools: Landlock(tools),
    "landlock without cgroups": lambda tools: Landlock(tools, cgroups=NO_CGROUPS),
}


@pytest.fixture(params=KINDS)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return KINDS[request.param](toolchain(SandboxSettings()))


@pytest.fixture(params=["bubblewrap", "landlock"])
def confined(request: pytest.FixtureRequest) -> Sandbox:
    return KINDS[request.param](toolchain(SandboxSettings()))


@pytest.fixture
def bubblewrap() -> Bubblewrap:
    return Bubblewrap(toolchain(SandboxSettings()))


@pytest.fixture
def naive() -> Unsandboxed:
    """The control: an attack that fails here too proves nothing about the sandbox."""
    return Unsandboxed(toolchain(SandboxSettings()))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path.resolve() / "tree"
    tree.mkdir()
    return tree

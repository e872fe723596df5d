"""Convergence drivers, in the order they are asked. A new one is one more line here."""

from __future__ import annotations

from wavecrew.workspace.drivers.alembic import AlembicHeads
from wavecrew.workspace.drivers.changelog import CHANGELOG
from wavecrew.workspace.drivers.npm_lock import NPM_LOCK, NPM_MANIFEST
from wavecrew.workspace.drivers.ordered_yaml import ORDERED_YAML
from wavecrew.workspace.drivers.python_imports import PythonImports
from wavecrew.workspace.drivers.toml_lists import TOML
from wavecrew.workspace.drivers.uv_lock import UV_LOCK
from wavecrew.workspace.model import ConvergenceDriver

DRIVERS: tuple[ConvergenceDriver, ...] = (
    PythonImports(),
    TOML,
    UV_LOCK,
    NPM_MANIFEST,
    NPM_LOCK,
    ORDERED_YAML,
    CHANGELOG,
    AlembicHeads(),
)

"""The tests that decide about wave 1 and that no agent sees.

They run with the merged code base as the working directory, against a
database that its migrations have built.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from discovery.core.context import RequestContext
from discovery.core.db import open_engine, session_factory
from discovery.models import ClientAccount, DiscoveryFlow, Engagement, new_id
from sqlalchemy import Engine
from sqlalchemy.orm import Session


def alembic_config(connection: Any = None) -> Config:
    """The code base's own configuration, bound to a connection."""
    config = Config(str(Path.cwd() / "alembic.ini"))
    config.attributes["connection"] = connection
    return config


@dataclass(frozen=True)
class World:
    """Two clients: A with engagements 1 and 2, B with one."""

    a1: RequestContext
    a2: RequestContext
    b: RequestContext
    flow_id: str
    """Primary key of a flow in A's engagement 1."""


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file that `alembic upgrade head` has built."""
    file = tmp_path_factory.mktemp("migrated") / "discovery.db"
    engine = open_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "head")
    engine.dispose()
    return file


@pytest.fixture
def engine(migrated: Path, tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{shutil.copy(migrated, tmp_path)}")
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with session_factory(engine)() as session:
        yield session


@pytest.fixture
def world(session: Session) -> World:
    clients = [ClientAccount(id=new_id(), name=name) for name in ("A", "B")]
    session.add_all(clients)
    session.flush()
    engagements = [
        Engagement(id=new_id(), client_account_id=clients[c].id, name=name)
        for c, name in ((0, "A1"), (0, "A2"), (1, "B1"))
    ]
    session.add_all(engagements)
    session.flush()
    flow = DiscoveryFlow(
        id=new_id(), client_account_id=clients[0].id, engagement_id=engagements[0].id
    )
    session.add(flow)
    session.commit()
    a1, a2, b = (RequestContext(e.client_account_id, e.id) for e in engagements)
    return World(a1, a2, b, flow.id)

"""What the tests share: a database in memory with the tenants of `fixtures/tenants.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from discovery.core.context import RequestContext
from discovery.core.db import open_engine, session_factory
from discovery.models import Base, ClientAccount, DiscoveryFlow, Engagement

ROOT = Path(__file__).resolve().parent.parent
TENANTS = json.loads((ROOT / "fixtures" / "tenants.json").read_text(encoding="utf-8"))
ACME, BOREALIS = (client["id"] for client in TENANTS["clients"])
ACME_EXIT, ACME_WAREHOUSE, BOREALIS_CORE = (e["id"] for e in TENANTS["engagements"])
FLOW = {
    "id": "1b9a7d5e-3c21-4f60-8a9b-aaaaaaaaaa01",
    "flow_id": "1b9a7d5e-3c21-4f60-8a9b-bbbbbbbbbb01",
    "client_account_id": ACME,
    "engagement_id": ACME_EXIT,
}


@pytest.fixture
def fixtures() -> Path:
    """The folder of sample files."""
    return ROOT / "fixtures"


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An empty database in memory, with foreign keys enforced."""
    engine = open_engine("sqlite://")
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on the full schema with two clients, three engagements and one flow."""
    try:
        Base.metadata.create_all(engine)
    except DBAPIError as error:  # one line each: all tests fail for this one reason
        pytest.fail(f"the schema cannot be built: {error.orig}", pytrace=False)
    with session_factory(engine)() as session:
        session.add_all(ClientAccount(**client) for client in TENANTS["clients"])
        session.flush()
        session.add_all(Engagement(**engagement) for engagement in TENANTS["engagements"])
        session.flush()
        session.add(DiscoveryFlow(**FLOW))
        session.commit()
        yield session


@pytest.fixture
def context() -> RequestContext:
    """The first client's first engagement, inside the flow."""
    return RequestContext(ACME, ACME_EXIT, user_id="jo", flow_id=FLOW["flow_id"])


@pytest.fixture
def flow(session: Session) -> DiscoveryFlow:
    """The row of the flow that `context` is in."""
    return session.get_one(DiscoveryFlow, FLOW["id"])


@pytest.fixture
def sibling_context() -> RequestContext:
    """The same client's other engagement."""
    return RequestContext(ACME, ACME_WAREHOUSE)


@pytest.fixture
def other_context() -> RequestContext:
    """Another client."""
    return RequestContext(BOREALIS, BOREALIS_CORE)

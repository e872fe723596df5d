"""Request context and units of work."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select

from discovery.core.context import RequestContext, current_context, use_context
from discovery.core.db import session_factory, unit_of_work
from discovery.models import Base, ClientAccount


def test_a_context_is_current_inside_its_block_only(context: RequestContext) -> None:
    with use_context(context):
        assert current_context() is context
    with pytest.raises(LookupError, match="no request context"):
        current_context()


def test_a_unit_of_work_commits_or_leaves_nothing(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    factory = session_factory(engine)
    with unit_of_work(factory) as session:
        session.add(ClientAccount(name="kept"))
    with pytest.raises(RuntimeError, match="stop"), unit_of_work(factory) as session:
        session.add(ClientAccount(name="lost"))
        session.flush()
        raise RuntimeError("stop")
    with factory() as session:
        assert list(session.scalars(select(ClientAccount.name))) == ["kept"]

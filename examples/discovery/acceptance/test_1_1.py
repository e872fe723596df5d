"""Task 1.1: assets."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from discovery.models import Asset, ClientAccount, new_id
from discovery.repositories.asset import AssetRepository
from sqlalchemy import insert, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

NOON = datetime(2025, 7, 1, 12, tzinfo=UTC)


def asset(context: Any, name: str = "web-01", **values: Any) -> Asset:
    return Asset(
        client_account_id=context.client_account_id,
        engagement_id=context.engagement_id,
        **{"name": name, "asset_type": "server", **values},
    )


def names(assets: list[Asset]) -> list[str]:
    return [found.name for found in assets]


def test_a_tenant_never_sees_another_tenant_or_engagement(session: Session, world: Any) -> None:
    session.add_all([asset(world.a1, "a1"), asset(world.a2, "a2"), asset(world.b, "b")])
    session.flush()
    for context, name in ((world.a1, "a1"), (world.a2, "a2"), (world.b, "b")):
        assert names(AssetRepository(session, context).find_by_engagement()) == [name]
    repository = AssetRepository(session, world.a1)
    assert names(repository.find_by_engagement(world.a2.engagement_id)) == ["a2"]
    assert repository.find_by_engagement(world.b.engagement_id) == []


@pytest.mark.parametrize("missing", ["name", "asset_type", "client_account_id", "engagement_id"])
def test_what_is_required_cannot_be_missing(session: Session, world: Any, missing: str) -> None:
    row = asset(world.a1)
    setattr(row, missing, None)
    session.add(row)
    with pytest.raises(IntegrityError):
        session.flush()


def test_defaults_are_as_documented(session: Session, world: Any) -> None:
    row = asset(world.a1)
    session.add(row)
    session.commit()
    session.expire_all()
    assert (row.asset_state, row.version, row.is_deleted) == ("discovered", 1, False)
    assert (row.readiness_score, row.confidence_score) == (0.0, 0.0)
    assert (row.attributes, row.source_systems) == ({}, [])
    assert row.created_at is not None
    assert row.updated_at is not None


@pytest.mark.parametrize(
    "values",
    [
        {"readiness_score": -1},
        {"readiness_score": 101},
        {"confidence_score": -0.1},
        {"confidence_score": 1.1},
    ],
)
def test_scores_are_kept_in_range(session: Session, world: Any, values: dict[str, float]) -> None:
    session.add(asset(world.a1, **values))
    with pytest.raises(IntegrityError):
        session.flush()


def test_the_newest_asset_comes_last(session: Session, world: Any) -> None:
    moments = {"new": NOON, "old": NOON - timedelta(days=2), "middle": NOON - timedelta(days=1)}
    session.add_all(asset(world.a1, name, created_at=at) for name, at in moments.items())
    session.flush()
    found = AssetRepository(session, world.a1).find_by_engagement()
    assert names(found) == ["old", "middle", "new"]


def test_ten_thousand_assets_are_searched_by_index(session: Session, world: Any) -> None:
    tenant = {
        "client_account_id": world.a2.client_account_id,
        "engagement_id": world.a2.engagement_id,
        "asset_type": "server",
    }
    rows = [{**tenant, "id": new_id(), "name": f"srv-{n}"} for n in range(10_000)]
    session.execute(insert(Asset), rows)
    session.add(asset(world.a1))
    session.commit()
    plan = session.execute(
        text(
            "EXPLAIN QUERY PLAN SELECT id FROM assets "
            "WHERE client_account_id = 'x' AND engagement_id = 'y'"
        )
    )
    assert "ix_assets_tenant" in str(plan.all())
    started = time.perf_counter()
    assert names(AssetRepository(session, world.a1).find_by_engagement()) == ["web-01"]
    assert time.perf_counter() - started < 0.5


def test_deleted_assets_are_hidden_unless_asked_for(session: Session, world: Any) -> None:
    row = asset(world.a1)
    session.add(row)
    session.flush()
    assert AssetRepository(session, world.b).soft_delete(row.id) is False
    assert AssetRepository(session, world.a1).soft_delete(new_id()) is False
    repository = AssetRepository(session, world.a1)
    assert repository.soft_delete(row.id) is True
    assert repository.find_by_engagement() == []
    assert names(repository.find_by_engagement(include_deleted=True)) == ["web-01"]


def test_an_asset_goes_with_its_client_and_outlives_its_flow(session: Session, world: Any) -> None:
    row = asset(world.a1, discovery_flow_id=world.flow_id)
    session.add(row)
    session.commit()
    session.execute(text("DELETE FROM discovery_flows"))
    session.expire_all()
    assert row.discovery_flow_id is None
    session.delete(session.get_one(ClientAccount, world.a1.client_account_id))
    session.commit()
    assert session.scalar(text("SELECT count(*) FROM assets")) == 0


def test_the_caller_commits(session: Session, world: Any) -> None:
    AssetRepository(session, world.a1).create(name="web-01", asset_type="server")
    session.rollback()
    assert AssetRepository(session, world.a1).find_by_engagement() == []

"""Assets and their repository."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from discovery.core.context import RequestContext
from discovery.models import Asset, ClientAccount, DiscoveryFlow
from discovery.repositories.asset import AssetRepository


@pytest.fixture
def assets(session: Session, context: RequestContext) -> AssetRepository:
    return AssetRepository(session, context)


def test_an_asset_begins_with_the_documented_defaults(assets: AssetRepository) -> None:
    asset = assets.create(name="web-01", asset_type="server")
    assert (asset.asset_state, asset.version, asset.is_deleted) == ("discovered", 1, False)
    assert (asset.readiness_score, asset.confidence_score) == (0.0, 0.0)
    assert (asset.attributes, asset.source_systems) == ({}, [])
    assert (asset.created_by, asset.updated_by) == ("jo", "jo")


@pytest.mark.parametrize("missing", ["name", "asset_type", "client_account_id", "engagement_id"])
def test_name_type_and_tenant_are_required(
    session: Session, context: RequestContext, missing: str
) -> None:
    values = {
        "name": "web-01",
        "asset_type": "server",
        "client_account_id": context.client_account_id,
        "engagement_id": context.engagement_id,
    }
    del values[missing]
    session.add(Asset(**values))
    with pytest.raises(IntegrityError, match=f"assets.{missing}"):
        session.flush()


@pytest.mark.parametrize("scores", [{"readiness_score": 100.1}, {"confidence_score": -0.1}])
def test_scores_stay_in_their_range(assets: AssetRepository, scores: dict[str, float]) -> None:
    with pytest.raises(IntegrityError, match="ck_assets"):
        assets.create(name="web-01", asset_type="server", **scores)


def test_an_engagement_sees_its_own_assets_only(
    session: Session,
    assets: AssetRepository,
    sibling_context: RequestContext,
    other_context: RequestContext,
) -> None:
    mine = [assets.create(name=name, asset_type="server") for name in ("b", "a")]
    AssetRepository(session, sibling_context).create(name="c", asset_type="server")
    assert assets.find_by_engagement() == mine
    assert AssetRepository(session, other_context).find_by_engagement() == []
    assert AssetRepository(session, other_context).get_by_id(mine[0].id) is None


def test_another_engagement_is_read_inside_the_client_only(
    session: Session,
    assets: AssetRepository,
    sibling_context: RequestContext,
    other_context: RequestContext,
) -> None:
    theirs = AssetRepository(session, sibling_context).create(name="c", asset_type="server")
    AssetRepository(session, other_context).create(name="d", asset_type="server")
    assert assets.find_by_engagement(sibling_context.engagement_id) == [theirs]
    assert assets.find_by_engagement(other_context.engagement_id) == []


def test_an_engagement_must_be_known(session: Session, context: RequestContext) -> None:
    whole_client = AssetRepository(session, RequestContext(context.client_account_id))
    with pytest.raises(ValueError, match="needs an engagement_id"):
        whole_client.find_by_engagement()


def test_an_engagement_is_found_by_index_among_ten_thousand(
    session: Session, assets: AssetRepository, context: RequestContext
) -> None:
    tenant = {
        "client_account_id": context.client_account_id,
        "engagement_id": context.engagement_id,
        "asset_type": "server",
    }
    session.execute(insert(Asset), [{**tenant, "name": f"srv-{n}"} for n in range(10_000)])
    assert assets.count() == 10_000
    plan = session.execute(
        text(
            "EXPLAIN QUERY PLAN SELECT * FROM assets "
            "WHERE client_account_id = 'a' AND engagement_id = 'b' AND is_deleted IS 0"
        )
    )
    assert "USING INDEX ix_assets_tenant" in str(plan.all())


def test_a_deleted_asset_is_hidden_and_kept(assets: AssetRepository) -> None:
    asset = assets.create(name="web-01", asset_type="server")
    assert assets.soft_delete(asset.id) is True
    assert assets.find_by_engagement() == []
    assert assets.get_all() == []
    assert assets.find_by_engagement(include_deleted=True) == [asset]
    assert assets.soft_delete(asset.id) is False


def test_another_tenants_asset_cannot_be_deleted(
    session: Session, assets: AssetRepository, other_context: RequestContext
) -> None:
    asset = assets.create(name="web-01", asset_type="server")
    assert AssetRepository(session, other_context).soft_delete(asset.id) is False
    assert asset.is_deleted is False


def test_an_asset_outlives_its_flow_and_goes_with_its_client(
    session: Session, assets: AssetRepository, context: RequestContext, flow: DiscoveryFlow
) -> None:
    asset = assets.create(name="web-01", asset_type="server", discovery_flow_id=flow.id)
    session.delete(flow)
    session.flush()
    session.refresh(asset)
    assert asset.discovery_flow_id is None
    session.delete(session.get_one(ClientAccount, context.client_account_id))
    session.flush()
    session.expire_all()
    assert session.scalars(select(Asset)).all() == []

"""Attributes of assets and the sources they are from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from discovery.core.context import RequestContext
from discovery.models import Asset, AssetAttribute, DataSource
from discovery.repositories.asset import AssetRepository
from discovery.repositories.asset_attribute import AssetAttributeRepository
from discovery.repositories.data_source import DataSourceRepository


@pytest.fixture
def attributes(session: Session, context: RequestContext) -> AssetAttributeRepository:
    return AssetAttributeRepository(session, context)


@pytest.fixture
def asset(session: Session, context: RequestContext) -> Asset:
    return AssetRepository(session, context).create(name="web-01", asset_type="server")


@pytest.fixture
def cmdb(session: Session, context: RequestContext) -> DataSource:
    return DataSourceRepository(session, context).create(source_type="cmdb", source_name="CMDB")


@pytest.fixture
def scan(session: Session, context: RequestContext) -> DataSource:
    return DataSourceRepository(session, context).create(
        source_type="monitoring", source_name="Scan"
    )


def test_a_second_write_updates_everything_and_counts(
    session: Session,
    attributes: AssetAttributeRepository,
    asset: Asset,
    cmdb: DataSource,
    scan: DataSource,
) -> None:
    first = attributes.set_attribute(asset.id, "os", "RHEL 8", source_id=cmdb.id)
    assert (first.update_count, first.confidence_score) == (1, 0.5)
    before = first.last_updated
    again = attributes.set_attribute(asset.id, "os", "RHEL 9", source_id=scan.id, confidence=0.9)
    assert again is first
    assert again.last_updated > before
    session.expire_all()
    assert (again.attribute_value, again.source_id) == ("RHEL 9", scan.id)
    assert (again.confidence_score, again.update_count) == (0.9, 2)
    assert attributes.for_asset(asset.id) == [again]


@pytest.mark.parametrize("confidence", [-0.01, 1.01])
def test_an_impossible_confidence_changes_nothing(
    session: Session,
    attributes: AssetAttributeRepository,
    asset: Asset,
    cmdb: DataSource,
    confidence: float,
) -> None:
    row = attributes.set_attribute(asset.id, "os", "RHEL 8", source_id=cmdb.id)
    with pytest.raises(ValueError, match="between 0 and 1"):
        attributes.set_attribute(asset.id, "os", "RHEL 9", source_id=cmdb.id, confidence=confidence)
    session.expire_all()
    assert (row.attribute_value, row.update_count) == ("RHEL 8", 1)


@pytest.mark.parametrize("before", [None, False, 0, ""])
@pytest.mark.parametrize("after", [None, False, 0, ""])
def test_null_false_zero_and_empty_are_four_values(
    session: Session,
    attributes: AssetAttributeRepository,
    asset: Asset,
    cmdb: DataSource,
    before: Any,
    after: Any,
) -> None:
    attributes.set_attribute(asset.id, "virtual", before, source_id=cmdb.id)
    attributes.set_attribute(asset.id, "virtual", after, source_id=cmdb.id)
    session.expire_all()
    (row,) = attributes.for_asset(asset.id)
    assert json.dumps(row.attribute_value) == json.dumps(after)
    sql_null = select(AssetAttribute).where(text("attribute_value IS NULL"))
    assert session.scalars(sql_null).all() == []


def test_attributes_are_read_by_name(
    attributes: AssetAttributeRepository, asset: Asset, cmdb: DataSource
) -> None:
    for name in ("os", "cpu_cores", "memory_gb"):
        attributes.set_attribute(asset.id, name, 1, source_id=cmdb.id)
    names = [row.attribute_name for row in attributes.for_asset(asset.id)]
    assert names == ["cpu_cores", "memory_gb", "os"]


def test_another_tenants_asset_and_source_are_out_of_reach(
    session: Session,
    attributes: AssetAttributeRepository,
    asset: Asset,
    cmdb: DataSource,
    other_context: RequestContext,
) -> None:
    attributes.set_attribute(asset.id, "os", "RHEL 8", source_id=cmdb.id)
    stranger = AssetAttributeRepository(session, other_context)
    theirs = DataSourceRepository(session, other_context).create(
        source_type="cmdb", source_name="CMDB"
    )
    assert stranger.for_asset(asset.id) == []
    with pytest.raises(LookupError, match="no asset"):
        stranger.set_attribute(asset.id, "os", "mine", source_id=theirs.id)
    with pytest.raises(LookupError, match="no data source"):
        attributes.set_attribute(asset.id, "os", "mine", source_id=theirs.id)
    assert attributes.for_asset(asset.id)[0].attribute_value == "RHEL 8"


def test_attributes_go_with_their_asset(
    session: Session, attributes: AssetAttributeRepository, asset: Asset, cmdb: DataSource
) -> None:
    attributes.set_attribute(asset.id, "os", "RHEL 8", source_id=cmdb.id)
    session.delete(asset)
    session.flush()
    assert session.scalars(select(AssetAttribute)).all() == []


def test_a_source_in_use_cannot_be_deleted(
    session: Session, attributes: AssetAttributeRepository, asset: Asset, cmdb: DataSource
) -> None:
    attributes.set_attribute(asset.id, "os", "RHEL 8", source_id=cmdb.id)
    session.delete(cmdb)
    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        session.flush()

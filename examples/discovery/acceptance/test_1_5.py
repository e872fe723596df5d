"""Task 1.5: attributes with their sources."""

from __future__ import annotations

from typing import Any

import pytest
from discovery.models import Asset, AssetAttribute, DataSource, new_id
from discovery.repositories.asset import AssetRepository
from discovery.repositories.asset_attribute import AssetAttributeRepository
from discovery.repositories.data_source import DataSourceRepository
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session


@pytest.fixture
def attributes(session: Session, world: Any) -> AssetAttributeRepository:
    return AssetAttributeRepository(session, world.a1)


@pytest.fixture
def asset(session: Session, world: Any) -> Asset:
    return AssetRepository(session, world.a1).create(name="web-01", asset_type="server")


@pytest.fixture
def sources(session: Session, world: Any) -> list[DataSource]:
    repository = DataSourceRepository(session, world.a1)
    return [repository.create(source_type="cmdb", source_name=name) for name in ("x", "y")]


def test_a_second_write_takes_the_place_of_the_first(
    session: Session, attributes: AssetAttributeRepository, asset: Asset, sources: list[DataSource]
) -> None:
    first = attributes.set_attribute(asset.id, "os", "RHEL 8", source_id=sources[0].id)
    assert (first.update_count, first.confidence_score) == (1, 0.5)
    written_at = first.last_updated
    for n in (2, 3):
        row = attributes.set_attribute(
            asset.id, "os", f"RHEL {n}", source_id=sources[1].id, confidence=n / 10
        )
        assert (row.id, row.update_count) == (first.id, n)
    session.commit()
    assert row.last_updated >= written_at
    session.expire_all()
    (row,) = attributes.for_asset(asset.id)
    assert (row.attribute_value, row.source_id, row.confidence_score) == (
        "RHEL 3",
        sources[1].id,
        0.3,
    )


def test_the_table_holds_one_row_per_name(
    session: Session, attributes: AssetAttributeRepository, asset: Asset, sources: list[DataSource]
) -> None:
    attributes.set_attribute(asset.id, "os", "RHEL 8", source_id=sources[0].id)
    session.add(AssetAttribute(asset_id=asset.id, attribute_name="os", source_id=sources[0].id))
    with pytest.raises(IntegrityError):
        session.flush()


@pytest.mark.parametrize("wrong", ["confidence", "source", "foreign source"])
def test_a_refused_write_changes_nothing_at_all(
    session: Session,
    world: Any,
    attributes: AssetAttributeRepository,
    asset: Asset,
    sources: list[DataSource],
    wrong: str,
) -> None:
    attributes.set_attribute(asset.id, "os", "RHEL 8", source_id=sources[0].id, confidence=0.7)
    foreign = DataSourceRepository(session, world.b).create(source_type="cmdb", source_name="x")
    session.commit()
    values: dict[str, Any] = {
        "confidence": {"source_id": sources[1].id, "confidence": 1.5},
        "source": {"source_id": new_id()},
        "foreign source": {"source_id": foreign.id},
    }[wrong]
    with pytest.raises(ValueError if wrong == "confidence" else LookupError):
        attributes.set_attribute(asset.id, "os", "RHEL 9", **values)
    session.commit()
    session.expire_all()
    (row,) = attributes.for_asset(asset.id)
    assert (row.attribute_value, row.source_id) == ("RHEL 8", sources[0].id)
    assert (row.confidence_score, row.update_count) == (0.7, 1)


@pytest.mark.parametrize("after", [None, False, 0, "", [], {}])
@pytest.mark.parametrize("before", [None, False, 0, ""])
def test_empty_values_are_kept_apart(
    session: Session,
    attributes: AssetAttributeRepository,
    asset: Asset,
    sources: list[DataSource],
    before: Any,
    after: Any,
) -> None:
    for value in (before, after):
        attributes.set_attribute(asset.id, "virtual", value, source_id=sources[0].id)
        session.commit()
        session.expire_all()
        (row,) = attributes.for_asset(asset.id)
        assert (row.attribute_value, type(row.attribute_value)) == (value, type(value))
    nulls = session.scalar(
        text("SELECT count(*) FROM asset_attributes WHERE attribute_value IS NULL")
    )
    assert nulls == 0


def test_attributes_are_listed_by_name_and_for_their_tenant_only(
    session: Session,
    world: Any,
    attributes: AssetAttributeRepository,
    asset: Asset,
    sources: list[DataSource],
) -> None:
    for name in ("os", "cores", "ram"):
        attributes.set_attribute(asset.id, name, 1, source_id=sources[0].id)
    rows = attributes.for_asset(asset.id)
    assert [row.attribute_name for row in rows] == ["cores", "os", "ram"]
    stranger = AssetAttributeRepository(session, world.b)
    assert stranger.for_asset(asset.id) == []
    assert stranger.get_all() == []
    assert stranger.get_by_id(rows[0].id) is None
    own = DataSourceRepository(session, world.b).create(source_type="cmdb", source_name="x")
    with pytest.raises(LookupError):
        stranger.set_attribute(asset.id, "os", 2, source_id=own.id)


def test_attributes_go_with_the_asset_and_hold_their_source(
    session: Session, attributes: AssetAttributeRepository, asset: Asset, sources: list[DataSource]
) -> None:
    attributes.set_attribute(asset.id, "os", "RHEL 8", source_id=sources[0].id)
    session.commit()
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(text("DELETE FROM data_sources WHERE id = :id"), {"id": sources[0].id})
    session.delete(asset)
    session.commit()
    assert session.scalars(select(AssetAttribute)).all() == []

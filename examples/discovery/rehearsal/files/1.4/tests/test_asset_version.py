"""The history of assets."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from discovery.core.context import RequestContext
from discovery.models import Asset, AssetVersion
from discovery.repositories.asset import AssetRepository
from discovery.repositories.asset_version import TRACKED, AssetVersionRepository
from discovery.repositories.data_source import DataSourceRepository


@pytest.fixture
def versions(session: Session, context: RequestContext) -> AssetVersionRepository:
    return AssetVersionRepository(session, context)


@pytest.fixture
def asset(session: Session, context: RequestContext) -> Asset:
    return AssetRepository(session, context).create(
        name="web-01", asset_type="server", attributes={"cpu_cores": 4, "virtual": 0}
    )


def numbers(versions: AssetVersionRepository, asset: Asset) -> list[int]:
    return [version.version_number for version in versions.history(asset.id)]


def test_the_first_call_records_the_asset_as_it_was(
    versions: AssetVersionRepository, asset: Asset
) -> None:
    last = versions.record_version(asset, {"name": "web-1"}, reason="renamed")
    first = versions.history(asset.id)[0]
    assert (first.change_type, first.changed_fields) == ("created", list(TRACKED))
    assert first.new_values["name"] == "web-01"
    assert last is not None
    assert (last.version_number, last.previous_values, last.new_values) == (
        2,
        {"name": "web-01"},
        {"name": "web-1"},
    )
    assert (last.change_reason, last.created_by, asset.name) == ("renamed", "jo", "web-1")


def test_numbers_have_no_gaps_and_end_at_the_assets_own(
    versions: AssetVersionRepository, asset: Asset
) -> None:
    for cores in (4, 8, 8, 16):
        versions.record_version(asset, {"attributes": {"cpu_cores": cores, "virtual": 0}})
    assert numbers(versions, asset) == [1, 2, 3]
    assert asset.version == 3


def test_only_fields_that_differ_are_recorded(
    versions: AssetVersionRepository, asset: Asset
) -> None:
    last = versions.record_version(asset, {"name": "web-01", "asset_state": "validated"})
    assert last is not None
    assert last.changed_fields == ["asset_state"]
    assert last.new_values == {"asset_state": "validated"}


def test_an_update_without_change_writes_nothing(
    versions: AssetVersionRepository, asset: Asset
) -> None:
    versions.record_version(asset, {})
    assert versions.record_version(asset, {"name": "web-01", "readiness_score": 0}) is None
    assert numbers(versions, asset) == [1]
    assert asset.version == 1


def test_false_and_zero_are_two_values(
    session: Session, versions: AssetVersionRepository, asset: Asset
) -> None:
    versions.record_version(asset, {"attributes": {"cpu_cores": 4, "virtual": False}})
    session.expire_all()
    assert asset.attributes["virtual"] is False
    assert numbers(versions, asset) == [1, 2]


def test_replaying_the_history_gives_the_asset(
    session: Session, versions: AssetVersionRepository, asset: Asset
) -> None:
    attributes = {"cpu_cores": 8}
    versions.record_version(asset, {"attributes": attributes, "asset_subtype": "vm"})
    attributes["cpu_cores"] = 99
    versions.record_version(asset, {"asset_subtype": None, "source_systems": ["cmdb"]})
    session.expire_all()
    assert versions.rebuild(asset.id) == {field: getattr(asset, field) for field in TRACKED}
    assert asset.attributes == {"cpu_cores": 8}


def test_bookkeeping_cannot_be_changed_by_a_version(
    versions: AssetVersionRepository, asset: Asset
) -> None:
    with pytest.raises(ValueError, match="no history: client_account_id, id"):
        versions.record_version(asset, {"id": "x", "client_account_id": "y", "name": "z"})
    assert versions.history(asset.id) == []
    assert asset.name == "web-01"


def test_a_number_is_used_once(versions: AssetVersionRepository, asset: Asset) -> None:
    versions.record_version(asset, {})
    with pytest.raises(IntegrityError, match="version_number"):
        versions.create(asset_id=asset.id, version_number=1, change_type="update")


def test_another_tenant_neither_reads_nor_writes_the_history(
    session: Session, versions: AssetVersionRepository, asset: Asset, other_context: RequestContext
) -> None:
    version = versions.record_version(asset, {})
    assert version is not None
    stranger = AssetVersionRepository(session, other_context)
    assert stranger.history(asset.id) == []
    assert stranger.rebuild(asset.id) == {}
    assert stranger.get_by_id(version.id) is None
    with pytest.raises(LookupError, match="no asset"):
        stranger.record_version(asset, {"name": "mine"})
    assert asset.name == "web-01"


def test_the_source_of_a_change_is_named_and_is_the_clients_own(
    session: Session,
    versions: AssetVersionRepository,
    asset: Asset,
    context: RequestContext,
    other_context: RequestContext,
) -> None:
    own = DataSourceRepository(session, context).create(source_type="cmdb", source_name="CMDB")
    foreign = DataSourceRepository(session, other_context).create(
        source_type="cmdb", source_name="CMDB"
    )
    version = versions.record_version(asset, {"name": "web-1"}, source_id=own.id)
    assert version is not None
    assert version.change_source_id == own.id
    with pytest.raises(LookupError, match="no data source"):
        versions.record_version(asset, {"name": "web-2"}, source_id=foreign.id)


def test_the_history_goes_with_the_asset(
    session: Session, versions: AssetVersionRepository, asset: Asset
) -> None:
    versions.record_version(asset, {})
    session.delete(asset)
    session.flush()
    assert session.scalars(select(AssetVersion)).all() == []

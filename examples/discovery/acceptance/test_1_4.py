"""Task 1.4: asset versions."""

from __future__ import annotations

from typing import Any

import pytest
from discovery.models import Asset, AssetVersion, new_id
from discovery.repositories.asset import AssetRepository
from discovery.repositories.asset_version import AssetVersionRepository
from discovery.repositories.data_source import DataSourceRepository
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

TRACKED = (
    "asset_type",
    "asset_subtype",
    "asset_state",
    "name",
    "attributes",
    "readiness_score",
    "confidence_score",
    "source_systems",
)


@pytest.fixture
def versions(session: Session, world: Any) -> AssetVersionRepository:
    return AssetVersionRepository(session, world.a1)


@pytest.fixture
def asset(session: Session, world: Any) -> Asset:
    return AssetRepository(session, world.a1).create(
        name="web-01", asset_type="server", attributes={"cores": 4}
    )


def test_numbers_run_without_gaps_and_equal_the_assets_version(
    session: Session, versions: AssetVersionRepository, asset: Asset
) -> None:
    first = versions.record_version(asset, {})
    assert first is not None
    assert (first.version_number, first.change_type) == (1, "created")
    assert set(first.new_values) == set(TRACKED)
    for n, name in enumerate(("b", "c", "c", "d"), start=1):
        versions.record_version(asset, {"name": name})
        session.commit()
        assert asset.version == len(versions.history(asset.id)), n
    assert [version.version_number for version in versions.history(asset.id)] == [1, 2, 3, 4]
    assert asset.version == 4


def test_the_first_call_keeps_what_the_asset_was_before(
    versions: AssetVersionRepository, asset: Asset
) -> None:
    second = versions.record_version(asset, {"name": "new"})
    first = versions.history(asset.id)[0]
    assert first.new_values["name"] == "web-01"
    assert second is not None
    assert (second.version_number, second.previous_values) == (2, {"name": "web-01"})


def test_a_number_cannot_be_used_twice(
    session: Session, versions: AssetVersionRepository, asset: Asset
) -> None:
    versions.record_version(asset, {})
    session.add(AssetVersion(asset_id=asset.id, version_number=1, change_type="update"))
    with pytest.raises(IntegrityError):
        session.flush()


def test_only_what_differs_is_recorded(versions: AssetVersionRepository, asset: Asset) -> None:
    changes = {"name": "web-01", "asset_type": "server", "asset_state": "validated"}
    version = versions.record_version(asset, changes, change_type="review", reason="seen")
    assert version is not None
    assert version.changed_fields == ["asset_state"]
    assert version.previous_values == {"asset_state": "discovered"}
    assert version.new_values == {"asset_state": "validated"}
    assert (version.change_type, version.change_reason) == ("review", "seen")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"name": "web-01"},
        {"attributes": {"cores": 4}, "readiness_score": 0, "asset_subtype": None},
    ],
)
def test_nothing_new_writes_nothing(
    versions: AssetVersionRepository, asset: Asset, changes: dict[str, Any]
) -> None:
    versions.record_version(asset, {})
    assert versions.record_version(asset, changes) is None
    assert len(versions.history(asset.id)) == 1
    assert asset.version == 1


@pytest.mark.parametrize(("before", "after"), [(0, False), (True, 1), (None, False), ("", None)])
def test_values_that_python_takes_for_equal_are_told_apart(
    session: Session, versions: AssetVersionRepository, asset: Asset, before: Any, after: Any
) -> None:
    versions.record_version(asset, {"attributes": {"virtual": before}})
    assert versions.record_version(asset, {"attributes": {"virtual": after}}) is not None
    session.commit()
    session.expire_all()
    stored = asset.attributes["virtual"]
    assert (stored, type(stored)) == (after, type(after))


def test_replaying_the_history_gives_the_asset_as_it_is(
    session: Session, versions: AssetVersionRepository, asset: Asset
) -> None:
    attributes: dict[str, Any] = {"cores": 8, "tags": ["x"]}
    versions.record_version(asset, {"attributes": attributes, "asset_subtype": "vm"})
    attributes["tags"].append("changed later, by the caller")
    versions.record_version(asset, {"asset_subtype": None, "source_systems": ["cmdb", "scan"]})
    versions.record_version(asset, {"readiness_score": 80.0, "asset_state": "assessed"})
    session.commit()
    session.expire_all()
    assert versions.rebuild(asset.id) == {field: getattr(asset, field) for field in TRACKED}
    assert asset.attributes == {"cores": 8, "tags": ["x"]}


@pytest.mark.parametrize("field", ["id", "client_account_id", "version", "is_deleted", "colour"])
def test_untracked_fields_are_refused_and_nothing_changes(
    versions: AssetVersionRepository, asset: Asset, field: str
) -> None:
    with pytest.raises(ValueError):
        versions.record_version(asset, {"name": "new", field: "x"})
    assert asset.name == "web-01"
    assert versions.history(asset.id) == []


def test_another_tenant_finds_nothing_although_the_table_names_no_tenant(
    session: Session, world: Any, versions: AssetVersionRepository, asset: Asset
) -> None:
    version = versions.record_version(asset, {"name": "new"})
    assert version is not None
    stranger = AssetVersionRepository(session, world.b)
    assert stranger.history(asset.id) == []
    assert stranger.get_all() == []
    assert stranger.get_by_id(version.id) is None
    assert stranger.count() == 0
    with pytest.raises(LookupError):
        stranger.record_version(asset, {"name": "stolen"})
    assert asset.name == "new"
    assert versions.history(new_id()) == []


def test_versions_go_with_the_asset_and_forget_a_deleted_source(
    session: Session, world: Any, versions: AssetVersionRepository, asset: Asset
) -> None:
    source = DataSourceRepository(session, world.a1).create(source_type="cmdb", source_name="x")
    version = versions.record_version(asset, {"name": "new"}, source_id=source.id)
    assert version is not None
    assert version.change_source_id == source.id
    session.commit()
    session.delete(source)
    session.commit()
    session.refresh(version)
    assert version.change_source_id is None
    session.delete(asset)
    session.commit()
    assert session.scalars(select(AssetVersion)).all() == []

"""The history of assets: every change goes through here and leaves a version."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from sqlalchemy import Select, select

from discovery.models.asset import Asset
from discovery.models.asset_version import AssetVersion
from discovery.models.data_source import DataSource
from discovery.repositories.context_aware import ContextAwareRepository

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


class AssetVersionRepository(ContextAwareRepository[AssetVersion]):
    """Versions have no tenant column, so every read goes through the asset's."""

    model = AssetVersion

    def record_version(
        self,
        asset: Asset,
        changes: Mapping[str, Any],
        *,
        source_id: str | None = None,
        change_type: str = "update",
        reason: str = "",
    ) -> AssetVersion | None:
        """Apply `changes` (tracked field -> value) to the asset and record what differs.

        The first call on an asset records version 1 with all its fields before
        anything else. Returns the last version written, None when there was none.
        ValueError for an untracked field, LookupError when the asset or the
        source is not this tenant's.
        """
        untracked = changes.keys() - set(TRACKED)
        if untracked:
            raise ValueError(f"these fields have no history: {', '.join(sorted(untracked))}")
        self.session.flush()
        self._check_asset(asset.id)
        self._check_source(source_id)
        written = None
        if not self.history(asset.id):
            written = self._created(asset)
        changed = {
            field: value for field, value in changes.items() if getattr(asset, field) != value
        }
        if changed:
            written = self._changed(asset, changed, source_id, change_type, reason)
        return written

    def history(self, asset_id: str) -> list[AssetVersion]:
        """The versions of an asset, oldest first; none when it is another tenant's."""
        return list(
            self.session.scalars(
                self._select()
                .where(AssetVersion.asset_id == asset_id)
                .order_by(AssetVersion.version_number)
            )
        )

    def rebuild(self, asset_id: str) -> dict[str, Any]:
        """The asset's tracked fields, as replaying its history gives them."""
        fields: dict[str, Any] = {}
        for version in self.history(asset_id):
            fields.update(deepcopy(version.new_values))
        return fields

    def create(self, **values: Any) -> AssetVersion:
        self._check_asset(values.get("asset_id"))
        return super().create(**{"created_by": self.context.user_id, **values})

    def _created(self, asset: Asset) -> AssetVersion:
        return self.create(
            asset_id=asset.id,
            version_number=asset.version,
            change_type="created",
            changed_fields=list(TRACKED),
            new_values={field: deepcopy(getattr(asset, field)) for field in TRACKED},
        )

    def _changed(
        self,
        asset: Asset,
        changed: Mapping[str, Any],
        source_id: str | None,
        change_type: str,
        reason: str,
    ) -> AssetVersion:
        previous = {field: deepcopy(getattr(asset, field)) for field in changed}
        for field, value in changed.items():
            setattr(asset, field, deepcopy(value))
        asset.version += 1
        asset.updated_by = self.context.user_id
        return self.create(
            asset_id=asset.id,
            version_number=asset.version,
            change_type=change_type,
            changed_fields=sorted(changed),
            previous_values=previous,
            new_values=deepcopy(dict(changed)),
            change_source_id=source_id,
            change_reason=reason,
        )

    def _check_asset(self, asset_id: str | None) -> None:
        if self.session.scalars(self._own_assets().where(Asset.id == asset_id)).first() is None:
            raise LookupError(f"this tenant has no asset {asset_id!r}")

    def _check_source(self, source_id: str | None) -> None:
        if source_id is None:
            return
        source = self.session.get(DataSource, source_id)
        if source is None or source.client_account_id != self.context.client_account_id:
            raise LookupError(f"this client has no data source {source_id!r}")

    def _own_assets(self) -> Select[Any]:
        own = select(Asset.id).where(Asset.client_account_id == self.context.client_account_id)
        if self.context.engagement_id is not None:
            own = own.where(Asset.engagement_id == self.context.engagement_id)
        return own

    def _select(self) -> Select[Any]:
        return super()._select().where(AssetVersion.asset_id.in_(self._own_assets()))

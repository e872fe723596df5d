"""Attributes of assets, each with the source it was last set from."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm.attributes import flag_modified

from discovery.models.asset import Asset
from discovery.models.asset_attribute import AssetAttribute
from discovery.models.base import utcnow
from discovery.models.data_source import DataSource
from discovery.repositories.context_aware import ContextAwareRepository


class AssetAttributeRepository(ContextAwareRepository[AssetAttribute]):
    """Attributes have no tenant column, so every read goes through the asset's."""

    model = AssetAttribute

    def set_attribute(
        self, asset_id: str, name: str, value: Any, *, source_id: str, confidence: float = 0.5
    ) -> AssetAttribute:
        """Set an attribute; value, source, confidence and time change together or not at all.

        ValueError when `confidence` is not within 0 and 1, LookupError when the
        asset or the source is not this tenant's.
        """
        if not 0 <= confidence <= 1:
            raise ValueError(f"a confidence is between 0 and 1, not {confidence}")
        self._check_source(source_id)
        row: AssetAttribute | None = self.session.scalars(
            self._select()
            .where(AssetAttribute.asset_id == asset_id)
            .where(AssetAttribute.attribute_name == name)
        ).one_or_none()
        if row is None:
            return self.create(
                asset_id=asset_id,
                attribute_name=name,
                attribute_value=value,
                source_id=source_id,
                confidence_score=confidence,
            )
        flag_modified(row, "attribute_value")  # else False over 0 counts as no change
        row.attribute_value = value
        row.source_id = source_id
        row.confidence_score = confidence
        row.last_updated = utcnow()
        row.update_count += 1
        self.session.flush()
        return row

    def for_asset(self, asset_id: str) -> list[AssetAttribute]:
        """The attributes of an asset by name; none when it is another tenant's."""
        return list(
            self.session.scalars(
                self._select()
                .where(AssetAttribute.asset_id == asset_id)
                .order_by(AssetAttribute.attribute_name)
            )
        )

    def create(self, **values: Any) -> AssetAttribute:
        asset_id = values.get("asset_id")
        if self.session.scalars(self._own_assets().where(Asset.id == asset_id)).first() is None:
            raise LookupError(f"this tenant has no asset {asset_id!r}")
        return super().create(**values)

    def _check_source(self, source_id: str) -> None:
        source = self.session.get(DataSource, source_id)
        if source is None or source.client_account_id != self.context.client_account_id:
            raise LookupError(f"this client has no data source {source_id!r}")

    def _own_assets(self) -> Select[Any]:
        own = select(Asset.id).where(Asset.client_account_id == self.context.client_account_id)
        if self.context.engagement_id is not None:
            own = own.where(Asset.engagement_id == self.context.engagement_id)
        return own

    def _select(self) -> Select[Any]:
        return super()._select().where(AssetAttribute.asset_id.in_(self._own_assets()))

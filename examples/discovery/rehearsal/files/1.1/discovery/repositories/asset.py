"""Assets of a tenant. A deleted asset keeps its row and is hidden."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from discovery.models.asset import Asset
from discovery.repositories.context_aware import ContextAwareRepository


class AssetRepository(ContextAwareRepository[Asset]):
    """Every read leaves deleted assets out, unless it says otherwise."""

    model = Asset

    def find_by_engagement(
        self, engagement_id: str | None = None, *, include_deleted: bool = False
    ) -> list[Asset]:
        """The assets of an engagement of this client, the newest last.

        Without `engagement_id` it is the context's; ValueError when that has none either.
        """
        engagement_id = engagement_id or self.context.engagement_id
        if engagement_id is None:
            raise ValueError("find_by_engagement needs an engagement_id or a context with one")
        statement = (
            select(Asset)
            .where(Asset.client_account_id == self.context.client_account_id)
            .where(Asset.engagement_id == engagement_id)
            .order_by(Asset.created_at, Asset.id)
        )
        if not include_deleted:
            statement = statement.where(Asset.is_deleted.is_(False))
        return list(self.session.scalars(statement))

    def create(self, **values: Any) -> Asset:
        author = {"created_by": self.context.user_id, "updated_by": self.context.user_id}
        return super().create(**{**author, **values})

    def soft_delete(self, asset_id: str) -> bool:
        """Hide an asset. False when the tenant has no such asset, or has deleted it before."""
        asset = self.get_by_id(asset_id)
        if asset is None:
            return False
        asset.is_deleted = True
        asset.updated_by = self.context.user_id
        self.session.flush()
        return True

    def _select(self) -> Select[Any]:
        return super()._select().where(Asset.is_deleted.is_(False))

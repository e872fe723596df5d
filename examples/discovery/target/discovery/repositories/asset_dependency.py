"""Dependencies that the analysis found."""

from __future__ import annotations

from discovery.models.asset_dependency import AssetDependency
from discovery.repositories.context_aware import ContextAwareRepository


class AssetDependencyRepository(ContextAwareRepository[AssetDependency]):
    model = AssetDependency

    def for_engagement(self, engagement_id: str) -> list[AssetDependency]:
        return self.get_by_filters(
            client_account_id=self.context.client_account_id, engagement_id=engagement_id
        )

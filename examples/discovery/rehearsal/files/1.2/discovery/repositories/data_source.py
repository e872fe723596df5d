"""The data sources of a client, and what their imports say about their reliability."""

from __future__ import annotations

from datetime import datetime

from discovery.models.base import utcnow
from discovery.models.data_source import DataSource
from discovery.repositories.context_aware import ContextAwareRepository


def reliability(successful: int, total: int) -> float:
    """The expected share of good imports after `total` of them (Laplace's rule of succession).

    A source that was never used stands at one half, and no number of imports
    makes it quite 0 or quite 1.
    """
    return (successful + 1) / (total + 2)


class DataSourceRepository(ContextAwareRepository[DataSource]):
    model = DataSource

    def record_import(
        self, data_source_id: str, *, ok: bool, at: datetime | None = None
    ) -> DataSource:
        """Count an import and move the source's reliability by it.

        `last_sync_at` becomes `at` (default: now) when the import was `ok`.
        LookupError when the client has no such source.
        """
        source = self.get_by_id(data_source_id)
        if source is None:
            raise LookupError(f"this client has no data source {data_source_id!r}")
        source.reliability_score = reliability(source.successful_imports, source.total_imports)
        source.total_imports += 1
        if ok:
            source.successful_imports += 1
            source.last_sync_at = at or utcnow()
        self.session.flush()
        return source

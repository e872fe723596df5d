"""Runs of the discovery flow."""

from __future__ import annotations

from typing import Any

from discovery.models.discovery_flow import DiscoveryFlow
from discovery.repositories.context_aware import ContextAwareRepository


class DiscoveryFlowRepository(ContextAwareRepository[DiscoveryFlow]):
    model = DiscoveryFlow

    def get_by_flow_id(self, flow_id: str) -> DiscoveryFlow | None:
        """Look a flow up by its business key (not by the primary key)."""
        return self.session.scalars(
            self._select().where(DiscoveryFlow.flow_id == flow_id)
        ).one_or_none()

    def save_state(
        self, flow_id: str, state: dict[str, Any], *, status: str, phase: str, progress: float
    ) -> DiscoveryFlow:
        """Create the flow's row or bring it up to date."""
        row = self.get_by_flow_id(flow_id)
        if row is None:
            row = self.create(flow_id=flow_id)
        row.state = state
        row.status = status
        row.current_phase = phase
        row.progress = progress
        self.session.flush()
        return row

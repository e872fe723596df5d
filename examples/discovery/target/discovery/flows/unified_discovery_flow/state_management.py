"""How a run's state is kept in the database, and how far a run has come."""

from __future__ import annotations

from sqlalchemy.orm import Session

from discovery.core.context import RequestContext
from discovery.flows.unified_discovery_flow.flow_config import PHASES
from discovery.flows.unified_discovery_flow.state import UnifiedDiscoveryFlowState
from discovery.models.discovery_flow import DiscoveryFlow
from discovery.repositories.discovery_flow import DiscoveryFlowRepository


def progress(state: UnifiedDiscoveryFlowState) -> float:
    """0 to 100: the share of the phases that are complete."""
    return 100.0 * sum(state.phase_completion.get(phase, False) for phase in PHASES) / len(PHASES)


class StateStore:
    def __init__(self, session: Session, context: RequestContext) -> None:
        self._flows = DiscoveryFlowRepository(session, context)

    def save(self, state: UnifiedDiscoveryFlowState) -> DiscoveryFlow:
        return self._flows.save_state(
            state.flow_id,
            state.model_dump(mode="json"),
            status=state.status,
            phase=state.current_phase,
            progress=progress(state),
        )

    def load(self, flow_id: str) -> UnifiedDiscoveryFlowState:
        """LookupError when the tenant has no such flow."""
        row = self._flows.get_by_flow_id(flow_id)
        if row is None:
            raise LookupError(f"no flow {flow_id!r} in this engagement")
        return UnifiedDiscoveryFlowState.model_validate(row.state)

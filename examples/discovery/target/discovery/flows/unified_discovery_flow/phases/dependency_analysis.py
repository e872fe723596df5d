"""Phase 5: what is connected to what?"""

from __future__ import annotations

from discovery.agents.base import AgentResult
from discovery.agents.dependency import DependencyAgent
from discovery.flows.unified_discovery_flow.phases.base import Phase
from discovery.flows.unified_discovery_flow.state import UnifiedDiscoveryFlowState


class DependencyAnalysisPhase(Phase):
    key = "dependencies"

    def __init__(self) -> None:
        self._agent = DependencyAgent()

    def execute(self, state: UnifiedDiscoveryFlowState) -> AgentResult:
        result = self._agent.execute({"assets": state.asset_inventory.get("assets", [])})
        state.dependencies = result.data
        return result

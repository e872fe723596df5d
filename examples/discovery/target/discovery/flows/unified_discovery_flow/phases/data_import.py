"""Phase 1: is the file fit to be worked on?"""

from __future__ import annotations

from discovery.agents.base import AgentResult
from discovery.agents.data_validation import DataValidationAgent
from discovery.flows.unified_discovery_flow.phases.base import Phase
from discovery.flows.unified_discovery_flow.state import UnifiedDiscoveryFlowState
from discovery.tools.registry import ToolRegistry


class DataImportPhase(Phase):
    key = "data_import"

    def __init__(self, registry: ToolRegistry) -> None:
        self._agent = DataValidationAgent(registry)

    def execute(self, state: UnifiedDiscoveryFlowState) -> AgentResult:
        return self._agent.execute({"rows": state.raw_data})

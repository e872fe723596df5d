"""Phase 3: values in one spelling."""

from __future__ import annotations

from discovery.agents.base import AgentResult
from discovery.agents.data_cleansing import DataCleansingAgent
from discovery.flows.unified_discovery_flow.phases.base import Phase
from discovery.flows.unified_discovery_flow.state import UnifiedDiscoveryFlowState


class DataCleansingPhase(Phase):
    key = "data_cleansing"

    def __init__(self) -> None:
        self._agent = DataCleansingAgent()

    def execute(self, state: UnifiedDiscoveryFlowState) -> AgentResult:
        result = self._agent.execute({"rows": state.raw_data})
        state.cleaned_data = result.data.get("rows", [])
        return result

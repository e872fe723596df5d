"""Phase 2: which column feeds which field?"""

from __future__ import annotations

from discovery.agents.attribute_mapping import AttributeMappingAgent
from discovery.agents.base import AgentResult
from discovery.flows.unified_discovery_flow.phases.base import Phase
from discovery.flows.unified_discovery_flow.state import UnifiedDiscoveryFlowState


class FieldMappingPhase(Phase):
    key = "attribute_mapping"

    def __init__(self) -> None:
        self._agent = AttributeMappingAgent()

    def execute(self, state: UnifiedDiscoveryFlowState) -> AgentResult:
        columns = list(dict.fromkeys(column for row in state.raw_data for column in row))
        result = self._agent.execute({"columns": columns})
        state.field_mappings = {
            "critical_mappings": result.data.get("critical_mappings", {}),
            "secondary_mappings": result.data.get("secondary_mappings", {}),
            "unmapped_columns": result.data.get("unmapped_columns", []),
            "confidence": result.confidence,
        }
        return result

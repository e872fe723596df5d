"""Phase 4: which assets are there? They live in the flow's state."""

from __future__ import annotations

from discovery.agents.asset_inventory import AssetInventoryAgent
from discovery.agents.base import AgentResult
from discovery.flows.unified_discovery_flow.phases.base import Phase
from discovery.flows.unified_discovery_flow.state import UnifiedDiscoveryFlowState
from discovery.services.deduplication import deduplicate


class AssetInventoryPhase(Phase):
    key = "inventory"

    def __init__(self) -> None:
        self._agent = AssetInventoryAgent()

    def execute(self, state: UnifiedDiscoveryFlowState) -> AgentResult:
        result = self._agent.execute(
            {"rows": state.cleaned_data, "mappings": state.field_mappings.get("mappings", {})}
        )
        assets = deduplicate(result.data.get("assets", []))
        state.asset_inventory = {
            "assets": assets,
            "by_type": result.data.get("by_type", {}),
            "total_count": len(assets),
        }
        return result

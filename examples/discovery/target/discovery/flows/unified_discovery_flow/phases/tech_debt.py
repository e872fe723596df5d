"""Phase 6: which rows speak of systems that nobody supports any more?"""

from __future__ import annotations

from discovery.agents.base import AgentResult
from discovery.flows.unified_discovery_flow.flow_config import OUT_OF_SUPPORT
from discovery.flows.unified_discovery_flow.phases.base import Phase
from discovery.flows.unified_discovery_flow.state import UnifiedDiscoveryFlowState


class TechDebtPhase(Phase):
    key = "tech_debt_analysis"

    def execute(self, state: UnifiedDiscoveryFlowState) -> AgentResult:
        texts = (" ".join(map(str, row.values())).lower() for row in state.cleaned_data)
        old = [
            number
            for number, text in enumerate(texts)
            if any(system in text for system in OUT_OF_SUPPORT)
        ]
        state.technical_debt = {"out_of_support_rows": old, "count": len(old)}
        return AgentResult("tech_debt", True, 100.0)

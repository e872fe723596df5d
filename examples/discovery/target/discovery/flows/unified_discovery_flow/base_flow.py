"""The unified discovery flow: six phases, then a person approves.

Every file is a run of its own. The assets it finds live in its state; the next
file starts from nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from discovery.core.context import RequestContext
from discovery.core.flow import Flow, listen, start
from discovery.flows.unified_discovery_flow.flow_config import (
    APPROVAL_THRESHOLD,
    AUTO_APPROVAL_THRESHOLD,
)
from discovery.flows.unified_discovery_flow.phases.asset_inventory import AssetInventoryPhase
from discovery.flows.unified_discovery_flow.phases.base import Phase
from discovery.flows.unified_discovery_flow.phases.data_cleansing import DataCleansingPhase
from discovery.flows.unified_discovery_flow.phases.data_import import DataImportPhase
from discovery.flows.unified_discovery_flow.phases.dependency_analysis import (
    DependencyAnalysisPhase,
)
from discovery.flows.unified_discovery_flow.phases.field_mapping import FieldMappingPhase
from discovery.flows.unified_discovery_flow.phases.tech_debt import TechDebtPhase
from discovery.flows.unified_discovery_flow.state import UnifiedDiscoveryFlowState
from discovery.flows.unified_discovery_flow.state_management import StateStore
from discovery.models.base import new_id
from discovery.tools.registry import ToolRegistry, tool_registry


class UnifiedDiscoveryFlow(Flow):
    def __init__(
        self,
        session: Session,
        context: RequestContext,
        rows: Sequence[Mapping[str, Any]],
        *,
        data_import_id: str = "",
        registry: ToolRegistry | None = None,
    ) -> None:
        """ValueError when the context names no engagement. The caller commits the session."""
        if context.engagement_id is None:
            raise ValueError("a discovery flow runs inside an engagement")
        self._store = StateStore(session, context)
        self._registry = registry or tool_registry()
        self.state = UnifiedDiscoveryFlowState(
            flow_id=context.flow_id or new_id(),
            client_account_id=context.client_account_id,
            engagement_id=context.engagement_id,
            data_import_id=data_import_id,
            raw_data=[dict(row) for row in rows],
        )

    @start()
    def import_data(self) -> None:
        self.state.status = "running"
        self._run(DataImportPhase(self._registry))

    @listen("import_data")
    def map_fields(self) -> None:
        self._run(FieldMappingPhase())

    @listen("map_fields")
    def cleanse_data(self) -> None:
        self._run(DataCleansingPhase())

    @listen("cleanse_data")
    def take_inventory(self) -> None:
        self._run(AssetInventoryPhase())

    @listen("take_inventory")
    def analyse_dependencies(self) -> None:
        self._run(DependencyAnalysisPhase())

    @listen("take_inventory")
    def analyse_tech_debt(self) -> None:
        self._run(TechDebtPhase())

    @listen("analyse_dependencies", "analyse_tech_debt")
    def ask_for_approval(self) -> UnifiedDiscoveryFlowState:
        if self.state.status != "failed":
            self.state.status = approval_status(self.state)
        self._store.save(self.state)
        return self.state

    def _run(self, phase: Phase) -> None:
        """Run a phase unless an earlier one failed; the state is saved either way."""
        if self.state.status == "failed":
            return
        if not phase.run(self.state):
            self.state.status = "failed"
        self._store.save(self.state)


def approval_status(state: UnifiedDiscoveryFlowState) -> str:
    """`approved`, `waiting_for_approval` or `needs_review`, by the share of mapped columns."""
    mappings = state.field_mappings
    mapped = len(mappings["critical_mappings"]) + len(mappings["secondary_mappings"])
    share = mapped / (mapped + len(mappings["unmapped_columns"]))
    if share >= AUTO_APPROVAL_THRESHOLD:
        return "approved"
    return "waiting_for_approval" if share >= APPROVAL_THRESHOLD else "needs_review"

"""The unified discovery flow: one run per uploaded file."""

from discovery.flows.unified_discovery_flow.base_flow import UnifiedDiscoveryFlow
from discovery.flows.unified_discovery_flow.state import UnifiedDiscoveryFlowState

__all__ = ["UnifiedDiscoveryFlow", "UnifiedDiscoveryFlowState"]

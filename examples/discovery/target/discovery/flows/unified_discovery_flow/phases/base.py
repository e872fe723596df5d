"""What a phase is: it works on the state, and the state remembers that it ran."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from discovery.agents.base import AgentResult
from discovery.flows.unified_discovery_flow.state import UnifiedDiscoveryFlowState


class Phase(ABC):
    key: ClassVar[str]
    """The name under which the phase's completion is kept."""

    def run(self, state: UnifiedDiscoveryFlowState) -> bool:
        """Work on the state; False when the phase failed, with its reasons in `errors`."""
        state.current_phase = self.key
        result = self.execute(state)
        state.phase_completion = {**state.phase_completion, self.key: result.success}
        if not result.success:
            reasons = [f"{self.key}: {note}" for note in result.notes]
            state.errors = [*state.errors, *reasons]
        return result.success

    @abstractmethod
    def execute(self, state: UnifiedDiscoveryFlowState) -> AgentResult:
        """Ask the phase's agent and put what it found into the state."""

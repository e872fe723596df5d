"""What every agent is: a name, one `execute`, and a result with a 0 to 100 confidence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class AgentResult:
    agent: str
    success: bool
    confidence: float
    """0 to 100."""
    data: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What a person should know: assumptions, rows left out, columns not understood."""


class BaseAgent(ABC):
    name: ClassVar[str]

    @abstractmethod
    def execute(self, data: Mapping[str, Any]) -> AgentResult:
        """Work on `data`; its keys are told by each agent. Never changes `data`."""

    def succeed(
        self, data: dict[str, Any], confidence: float, notes: tuple[str, ...] = ()
    ) -> AgentResult:
        return AgentResult(self.name, True, round(confidence, 1), data, notes)

    def fail(self, *notes: str) -> AgentResult:
        return AgentResult(self.name, False, 0.0, {}, notes)

"""How busy is the provider of the models, by the facts about it?

Pure; standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass

from wavecrew.journal import events as e


@dataclass(slots=True)
class ProviderState:
    """How busy the provider is, by the newest change."""

    changes: int = 0
    limit: int = 0
    """Calls at once; 0: no trouble so far."""
    agents: int = 0
    is_down: bool = False
    why: str = ""
    next_at: str = ""
    refused: int = 0
    failed: int = 0

    @property
    def is_busy(self) -> bool:
        return self.limit < self.agents or self.is_down

    def take(self, fact: e.ProviderChanged) -> None:
        """Take in a change, unless a newer one overtook it on its way into the log."""
        if fact.change < self.changes:
            return
        self.changes, self.limit, self.agents = fact.change, fact.limit, fact.agents
        self.is_down, self.next_at = fact.is_down, fact.next_at
        self.why = fact.why or self.why
        self.refused, self.failed = fact.refused, fact.failed

"""What has a session at the purse, and where does the ledger keep it?

In a row of its own, and added up in the rows of its place in the tree: so what
is set aside anywhere is one number, and a session that died can be taken out again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wavecrew.budget.traffic import Traffic
from wavecrew.journal.ledger import Row, Rows


@dataclass(slots=True)
class Held:
    """What one session has at the purse, as its row of the ledger holds it."""

    nodes: list[str]
    tokens: int = 0
    cost_usd: float = 0.0
    calls: int = 0
    is_calling: bool = False
    """True from the reservation to what came of it."""
    began: float = 0.0
    failing_since: float = 0.0
    """When the call that is tried again met its first trouble."""

    @classmethod
    def read(cls, row: Row) -> Held:
        return cls(**row) if row else cls([])


def row_of(session: str) -> str:
    return f"session/{session}"


def set_aside(rows: Rows, held: Held) -> None:
    for node in held.nodes:
        _add(rows[node], held.tokens, held.cost_usd, held.calls)


def take_back(rows: Rows, held: Held, traffic: Traffic) -> None:
    """Whatever a session holds, and its place among the calls under way."""
    if held.is_calling:
        traffic.gone()
    for node in held.nodes:
        if node in rows:
            _add(rows[node], -held.tokens, -held.cost_usd, -held.calls)
    held.tokens, held.cost_usd, held.calls, held.is_calling = 0, 0.0, 0, False


def together(want: Held, row: Row) -> Held:
    """What would be set aside at a node with `want`; `row` is the node's."""
    tokens, cost_usd = row.get("tokens", 0), row.get("cost_usd", 0.0)
    return Held(
        [], want.tokens + tokens, want.cost_usd + cost_usd, want.calls + row.get("calls", 0)
    )


def _add(row: dict[str, Any], tokens: int, cost_usd: float, calls: int) -> None:
    row["tokens"] = row.get("tokens", 0) + tokens
    row["cost_usd"] = round(row.get("cost_usd", 0.0) + cost_usd, 9)
    row["calls"] = row.get("calls", 0) + calls

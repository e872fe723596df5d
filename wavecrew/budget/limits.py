"""Which limit of the tree would one more call pass? Pure; zero means unlimited."""

from __future__ import annotations

from typing import Literal

from wavecrew.budget.held import Held
from wavecrew.journal.account import RUN, Spent
from wavecrew.plan.settings import Allowance, Budget

Level = Literal["", "run", "wave", "task", "provider"]


def allowance_of(budget: Budget, node: str) -> Allowance:
    """What may be spent at a node: the run, `wave/<id>` or `task/<id>`."""
    level, _, name = node.partition("/")
    if level == "wave":
        return budget.of_wave(name)
    return budget.of_task(name) if level == "task" else budget


def over(allowance: Allowance, spent: Spent, want: Held, node: str) -> str:
    """Which limit of `node` one more call would pass; empty: none."""
    if allowance.tokens and spent.tokens + want.tokens > allowance.tokens:
        return _used_up(node, f"{allowance.tokens} tokens", f" ({spent.tokens} spent)")
    if allowance.money and round(spent.cost_usd + want.cost_usd, 9) > allowance.money:
        limit = f"{allowance.money:g} USD"
        return _used_up(node, limit, f" ({spent.cost_usd:.4f} spent)")
    if allowance.model_calls and spent.model_calls + want.calls > allowance.model_calls:
        return _used_up(node, f"{allowance.model_calls} model calls", "")
    if allowance.wall_minutes and spent.worked_s / 60 > allowance.wall_minutes:
        return f"{_named(node, f'{allowance.wall_minutes:g} minutes')} are over"
    return ""


def _used_up(node: str, limit: str, spent: str) -> str:
    return f"{_named(node, f'budget of {limit}')} is used up{spent}"


def _named(node: str, what: str) -> str:
    level, _, name = node.partition("/")
    return f"the run's {what}" if level == RUN else f"the {what} of {level} {name!r}"


def level_of(node: str) -> Level:
    level = node.partition("/")[0]
    return level if level in ("run", "wave", "task") else ""  # type: ignore[return-value]

"""What agents have learned about a tenant's columns, for as long as the process lives."""

from __future__ import annotations

from collections import defaultdict

from discovery.core.context import RequestContext


class AgentLearning:
    """Confirmed mappings per engagement; nothing crosses from one tenant to another."""

    def __init__(self) -> None:
        self._confirmed: dict[tuple[str, str | None], dict[str, str]] = defaultdict(dict)

    def confirm(self, context: RequestContext, column: str, field: str) -> None:
        self._confirmed[_scope(context)][column.casefold()] = field

    def known_field(self, context: RequestContext, column: str) -> str | None:
        return self._confirmed[_scope(context)].get(column.casefold())


def _scope(context: RequestContext) -> tuple[str, str | None]:
    return (context.client_account_id, context.engagement_id)

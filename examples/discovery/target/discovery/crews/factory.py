"""Which crews are there, and how is one made?"""

from __future__ import annotations

from discovery.core.context import RequestContext
from discovery.crews.asset_inventory import AssetInventoryCrew
from discovery.crews.base import BaseDiscoveryCrew
from discovery.crews.field_mapping import FieldMappingCrew
from discovery.tools.registry import ToolRegistry, tool_registry

CREWS: dict[str, type[BaseDiscoveryCrew]] = {
    crew.name: crew for crew in (FieldMappingCrew, AssetInventoryCrew)
}


class CrewFactory:
    def __init__(self, context: RequestContext, registry: ToolRegistry | None = None) -> None:
        self._context = context
        self._registry = registry or tool_registry()

    def create(self, name: str) -> BaseDiscoveryCrew:
        """ValueError names the crews that there are."""
        if name not in CREWS:
            raise ValueError(f"no crew named {name!r}; there are {', '.join(sorted(CREWS))}")
        return CREWS[name](self._context, self._registry)

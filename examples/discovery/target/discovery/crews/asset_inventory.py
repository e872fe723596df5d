"""The crew that cleanses rows and takes stock of the assets in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from discovery.agents.asset_inventory import AssetInventoryAgent
from discovery.agents.data_cleansing import DataCleansingAgent
from discovery.crews.base import BaseDiscoveryCrew, CrewTask


class AssetInventoryCrew(BaseDiscoveryCrew):
    name = "asset_inventory"

    def create_tasks(self, inputs: Mapping[str, Any]) -> tuple[CrewTask, ...]:
        mappings = {"mappings": inputs.get("mappings", {})}
        return (
            CrewTask("cleanse", DataCleansingAgent(), {"rows": inputs["rows"]}),
            CrewTask("inventory", AssetInventoryAgent(), mappings, context=("cleanse",)),
        )

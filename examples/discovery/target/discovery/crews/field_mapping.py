"""The crew that reads a file's columns and maps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from discovery.agents.attribute_mapping import AttributeMappingAgent
from discovery.agents.data_validation import DataValidationAgent
from discovery.crews.base import BaseDiscoveryCrew, CrewTask


class FieldMappingCrew(BaseDiscoveryCrew):
    name = "field_mapping"
    tools = ("schema_analyzer", "field_matcher", "pii_scanner")

    def create_tasks(self, inputs: Mapping[str, Any]) -> tuple[CrewTask, ...]:
        rows = {"rows": inputs["rows"]}
        return (
            CrewTask("validate", DataValidationAgent(self.registry), rows),
            CrewTask("map", AttributeMappingAgent(), {}, context=("validate",)),
        )

"""Everything a run of the flow knows. An unknown field is an error."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class UnifiedDiscoveryFlowState(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    flow_id: str
    client_account_id: str
    engagement_id: str
    data_import_id: str = ""
    status: str = "initialized"
    current_phase: str = ""
    raw_data: list[dict[str, Any]] = Field(default_factory=list)
    field_mappings: dict[str, Any] = Field(default_factory=dict)
    cleaned_data: list[dict[str, Any]] = Field(default_factory=list)
    asset_inventory: dict[str, Any] = Field(default_factory=dict)
    dependencies: dict[str, Any] = Field(default_factory=dict)
    technical_debt: dict[str, Any] = Field(default_factory=dict)
    phase_completion: dict[str, bool] = Field(default_factory=dict)
    """Phase -> whether it has run to its end."""
    errors: list[str] = Field(default_factory=list)
    learning_scope: str = "engagement"
    cross_client_learning_enabled: bool = False
    learning_consent: bool = False

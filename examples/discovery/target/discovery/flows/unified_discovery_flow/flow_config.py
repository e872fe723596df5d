"""The numbers and names of the unified discovery flow."""

from __future__ import annotations

PHASES = (
    "data_import",
    "field_mapping",
    "data_cleansing",
    "asset_inventory",
    "dependency_analysis",
    "tech_debt_analysis",
)
APPROVAL_THRESHOLD = 0.85
"""Share of the critical columns that must be mapped for a flow to need no second look."""
AUTO_APPROVAL_THRESHOLD = 0.90
BATCH_SIZE = 100

OUT_OF_SUPPORT = ("windows server 2008", "windows server 2012", "rhel 6", "centos 6", "aix 6")

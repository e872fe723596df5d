"""An asset of a customer's estate: what a flow found out and later flows refine.

`discovery_flow_id` refers to the primary key of the flow that found the asset;
the asset stays when that flow is deleted, and goes with its client.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Boolean, CheckConstraint, Float, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from discovery.models.base import Base, OwnedByEngagement, Timestamps, new_id


class Asset(OwnedByEngagement, Timestamps, Base):
    __tablename__ = "assets"
    __table_args__ = (
        CheckConstraint("readiness_score BETWEEN 0 AND 100", name="readiness"),
        CheckConstraint("confidence_score BETWEEN 0 AND 1", name="confidence"),
        Index("ix_assets_tenant", "client_account_id", "engagement_id"),
        Index("ix_assets_flow", "discovery_flow_id"),
        Index("ix_assets_type_state", "asset_type", "asset_state"),
        Index("ix_assets_name", "name"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    discovery_flow_id: Mapped[str | None] = mapped_column(
        String(36), ForeignKey("discovery_flows.id", ondelete="SET NULL")
    )
    asset_type: Mapped[str] = mapped_column(String(50))
    asset_subtype: Mapped[str | None] = mapped_column(String(50))
    asset_state: Mapped[str] = mapped_column(String(50), default="discovered")
    name: Mapped[str] = mapped_column(String(255))
    attributes: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    readiness_score: Mapped[float] = mapped_column(Float, default=0.0)
    """0 to 100."""
    confidence_score: Mapped[float] = mapped_column(Float, default=0.0)
    """0 to 1."""
    source_systems: Mapped[list[str]] = mapped_column(JSON, default=list)
    created_by: Mapped[str | None] = mapped_column(String(36))
    updated_by: Mapped[str | None] = mapped_column(String(36))
    version: Mapped[int] = mapped_column(Integer, default=1)
    is_deleted: Mapped[bool] = mapped_column(Boolean, default=False)

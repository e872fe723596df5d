"""An edge that dependency analysis found in a flow's inventory."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from discovery.models.base import Base, new_id


class AssetDependency(Base):
    __tablename__ = "asset_dependencies"
    __table_args__ = (Index("ix_asset_dependencies_flow", "discovery_flow_id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    discovery_flow_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("discovery_flows.id", ondelete="CASCADE")
    )
    source_name: Mapped[str] = mapped_column(String(255))
    target_name: Mapped[str | None] = mapped_column(String(255))
    dependency_type: Mapped[str] = mapped_column(String(50))
    confidence: Mapped[float] = mapped_column(Float, default=0.0)
    """0 to 100, as the dependency agent gives it."""

"""One change of an asset: what it was, what it became, from where and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from discovery.models.base import Base, new_id, utcnow


class AssetVersion(Base):
    """The tenant of a version is its asset's; there is no column of its own for it."""

    __tablename__ = "asset_versions"
    __table_args__ = (
        UniqueConstraint("asset_id", "version_number", name="uq_asset_versions_number"),
        Index("ix_asset_versions_asset", "asset_id"),
        Index("ix_asset_versions_created", "created_at"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    asset_id: Mapped[str] = mapped_column(String(36), ForeignKey("assets.id", ondelete="CASCADE"))
    version_number: Mapped[int] = mapped_column(Integer)
    """From 1, without gaps; the newest one equals `assets.version`."""
    change_type: Mapped[str] = mapped_column(String(50))
    changed_fields: Mapped[list[str]] = mapped_column(JSON, default=list)
    previous_values: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    new_values: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    change_source_id: Mapped[str | None] = mapped_column(
        String(36), ForeignKey("data_sources.id", ondelete="SET NULL")
    )
    change_reason: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utcnow)
    created_by: Mapped[str | None] = mapped_column(String(36))

"""The current value of one attribute of an asset, and which source it is from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from discovery.models.base import Base, new_id, utcnow


class AssetAttribute(Base):
    """Goes with its asset; keeps its source from being deleted.

    The tenant of an attribute is its asset's; there is no column of its own for it.
    """

    __tablename__ = "asset_attributes"
    __table_args__ = (
        UniqueConstraint("asset_id", "attribute_name", name="uq_asset_attributes_name"),
        CheckConstraint("confidence_score BETWEEN 0 AND 1", name="confidence"),
        Index("ix_asset_attributes_asset", "asset_id"),
        Index("ix_asset_attributes_source", "source_id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    asset_id: Mapped[str] = mapped_column(String(36), ForeignKey("assets.id", ondelete="CASCADE"))
    attribute_name: Mapped[str] = mapped_column(String(100))
    attribute_value: Mapped[Any] = mapped_column(JSON(none_as_null=False), nullable=True)
    """Any JSON value; None is stored as JSON null, which is a value too."""
    source_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("data_sources.id", ondelete="RESTRICT")
    )
    confidence_score: Mapped[float] = mapped_column(Float, default=0.5)
    """0 to 1."""
    last_updated: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utcnow)
    update_count: Mapped[int] = mapped_column(Integer, default=1)

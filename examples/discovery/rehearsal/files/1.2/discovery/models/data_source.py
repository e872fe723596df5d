"""A system that data about a client's estate comes from, and how far it is trusted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    DateTime,
    Float,
    Index,
    Integer,
    String,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from discovery.models.base import Base, OwnedByClient, Timestamps, new_id

SOURCE_TYPES = ("cmdb", "assessment_tool", "monitoring", "documentation", "manual")
SECRET = frozenset({"connection_config"})
"""Columns that never leave the database by `to_dict` or `repr`."""


class DataSource(OwnedByClient, Timestamps, Base):
    __tablename__ = "data_sources"
    __table_args__ = (
        UniqueConstraint("client_account_id", "source_name", name="uq_data_sources_client_name"),
        CheckConstraint(f"source_type IN {SOURCE_TYPES}", name="type"),
        CheckConstraint("reliability_score BETWEEN 0 AND 1", name="reliability"),
        Index("ix_data_sources_client", "client_account_id"),
        Index("ix_client_active", "client_account_id", "is_active"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    source_type: Mapped[str] = mapped_column(String(50))
    source_name: Mapped[str] = mapped_column(String(255))
    reliability_score: Mapped[float] = mapped_column(Float, default=0.5)
    """0 to 1; moved by `DataSourceRepository.record_import`."""
    is_authoritative_for: Mapped[list[str]] = mapped_column(JSON, default=list)
    connection_config: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    last_sync_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    sync_frequency_hours: Mapped[int | None] = mapped_column(Integer)
    total_imports: Mapped[int] = mapped_column(Integer, default=0)
    successful_imports: Mapped[int] = mapped_column(Integer, default=0)
    extra_metadata: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)

    def to_dict(self) -> dict[str, Any]:
        """Column -> value, without `connection_config`: it may hold a password."""
        names = (column.name for column in self.__table__.columns)
        return {name: getattr(self, name) for name in names if name not in SECRET}

    def __repr__(self) -> str:
        return f"DataSource(id={self.id!r}, type={self.source_type!r}, name={self.source_name!r})"

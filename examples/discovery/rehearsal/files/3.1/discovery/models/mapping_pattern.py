"""A learned rule: columns that look like this feed that field.

A pattern without a client is shared with every tenant. A composite unique
constraint lets NULL repeat, so shared keys are kept unique by an index of
their own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
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

from discovery.models.base import Base, Timestamps, new_id

PATTERN_TYPES = ("exact", "regex", "fuzzy", "semantic")


class MappingPattern(Timestamps, Base):
    __tablename__ = "mapping_patterns"
    __table_args__ = (
        UniqueConstraint("client_account_id", "pattern_key", name="uq_mapping_patterns_client_key"),
        CheckConstraint(f"pattern_type IN {PATTERN_TYPES}", name="type"),
        CheckConstraint("confidence_score BETWEEN 0 AND 1", name="confidence"),
        Index("ix_mapping_patterns_client", "client_account_id"),
        Index("ix_mapping_patterns_target", "target_field"),
        Index("ix_client_active", "client_account_id", "is_active"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    client_account_id: Mapped[str | None] = mapped_column(
        String(36), ForeignKey("client_accounts.id", ondelete="CASCADE")
    )
    """None: shared with every tenant."""
    pattern_key: Mapped[str] = mapped_column(String(255))
    source_pattern: Mapped[str] = mapped_column(String(500))
    target_field: Mapped[str] = mapped_column(String(100))
    pattern_type: Mapped[str] = mapped_column(String(20))
    confidence_score: Mapped[float] = mapped_column(Float, default=0.5)
    """0 to 1."""
    usage_count: Mapped[int] = mapped_column(Integer, default=0)
    success_count: Mapped[int] = mapped_column(Integer, default=0)
    failure_count: Mapped[int] = mapped_column(Integer, default=0)
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    example_values: Mapped[list[Any]] = mapped_column(JSON, default=list)
    extra_metadata: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    is_active: Mapped[bool] = mapped_column(Boolean, default=True)


Index("ix_mapping_patterns_confidence", MappingPattern.confidence_score.desc())
Index("ix_mapping_patterns_usage", MappingPattern.usage_count.desc())
Index(
    "uq_mapping_patterns_shared_key",
    MappingPattern.pattern_key,
    unique=True,
    sqlite_where=MappingPattern.client_account_id.is_(None),
    postgresql_where=MappingPattern.client_account_id.is_(None),
)

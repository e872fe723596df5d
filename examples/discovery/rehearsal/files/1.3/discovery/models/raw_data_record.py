"""A row as it was received, kept beside what was made of it.

The signature is for finding equal content quickly. It is not unique: the same
row may arrive twice, and both arrivals are facts.
"""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import JSON, CheckConstraint, DateTime, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from discovery.models.base import Base, OwnedByClient, new_id, utcnow

PROCESSING_STATES = ("pending", "processed", "failed")


def content_signature(payload: Any) -> str:
    """SHA-256, as 64 hex digits, of the payload's JSON; the order of keys does not matter."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


class RawDataRecord(OwnedByClient, Base):
    __tablename__ = "raw_data_records"
    __table_args__ = (
        CheckConstraint(f"processing_status IN {PROCESSING_STATES}", name="status"),
        Index("ix_raw_data_records_flow", "client_account_id", "discovery_flow_id"),
        Index("ix_raw_data_records_import", "import_id"),
        Index("ix_raw_data_records_status", "processing_status"),
        Index("ix_raw_data_records_hash", "hash_signature"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    discovery_flow_id: Mapped[str | None] = mapped_column(
        String(36), ForeignKey("discovery_flows.id", ondelete="CASCADE")
    )
    data_source_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("data_sources.id", ondelete="RESTRICT")
    )
    import_id: Mapped[str] = mapped_column(String(36))
    record_type: Mapped[str] = mapped_column(String(50), default="unknown")
    raw_data: Mapped[Any] = mapped_column(JSON)
    processed_data: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    processing_status: Mapped[str] = mapped_column(String(20), default="pending")
    processing_errors: Mapped[list[str]] = mapped_column(JSON, default=list)
    hash_signature: Mapped[str] = mapped_column(String(64))
    imported_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=utcnow)
    processed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    extra_metadata: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)

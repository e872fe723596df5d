"""One row of an uploaded file, as the parser read it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from discovery.models.base import Base, OwnedByEngagement, new_id


class RawImportRecord(OwnedByEngagement, Base):
    __tablename__ = "raw_import_records"
    __table_args__ = (Index("ix_raw_import_records_import", "data_import_id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    data_import_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("data_imports.id", ondelete="CASCADE")
    )
    row_number: Mapped[int] = mapped_column(Integer)
    row_data: Mapped[dict[str, Any]] = mapped_column(JSON)

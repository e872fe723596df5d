"""An uploaded file."""

from __future__ import annotations

from sqlalchemy import Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from discovery.models.base import Base, OwnedByEngagement, Timestamps, new_id


class DataImport(OwnedByEngagement, Timestamps, Base):
    __tablename__ = "data_imports"
    __table_args__ = (Index("ix_data_imports_tenant", "client_account_id", "engagement_id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    file_name: Mapped[str] = mapped_column(String(255))
    import_type: Mapped[str] = mapped_column(String(50))
    row_count: Mapped[int] = mapped_column(Integer, default=0)

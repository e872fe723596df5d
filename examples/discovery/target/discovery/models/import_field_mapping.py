"""Which column of an uploaded file feeds which field of an asset."""

from __future__ import annotations

from sqlalchemy import Float, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from discovery.models.base import Base, OwnedByEngagement, new_id


class ImportFieldMapping(OwnedByEngagement, Base):
    __tablename__ = "import_field_mappings"
    __table_args__ = (
        UniqueConstraint("data_import_id", "source_column", name="uq_import_field_mappings_column"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    data_import_id: Mapped[str] = mapped_column(
        String(36), ForeignKey("data_imports.id", ondelete="CASCADE")
    )
    source_column: Mapped[str] = mapped_column(String(255))
    asset_field: Mapped[str] = mapped_column(String(100))
    confidence: Mapped[float] = mapped_column(Float)
    """0 to 100, as the mapping agent gives it."""
    status: Mapped[str] = mapped_column(String(30), default="suggested")

"""An engagement: one migration project of a client."""

from __future__ import annotations

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from discovery.models.base import Base, OwnedByClient, Timestamps, new_id


class Engagement(OwnedByClient, Timestamps, Base):
    __tablename__ = "engagements"
    __table_args__ = (
        UniqueConstraint("client_account_id", "name", name="uq_engagements_client_name"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(255))

"""A client: the tenant that everything belongs to."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from discovery.models.base import Base, Timestamps, new_id


class ClientAccount(Timestamps, Base):
    __tablename__ = "client_accounts"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(255), unique=True)

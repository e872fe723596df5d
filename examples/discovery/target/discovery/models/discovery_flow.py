"""A run of the discovery flow, with its state as JSON.

`id` is what other tables refer to; `flow_id` is what users and services look a
flow up by. Both are UUID text and they are never equal.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, Float, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from discovery.models.base import Base, OwnedByEngagement, Timestamps, new_id


class DiscoveryFlow(OwnedByEngagement, Timestamps, Base):
    __tablename__ = "discovery_flows"
    __table_args__ = (Index("ix_discovery_flows_tenant", "client_account_id", "engagement_id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    flow_id: Mapped[str] = mapped_column(String(36), unique=True, default=new_id)
    status: Mapped[str] = mapped_column(String(30), default="running")
    current_phase: Mapped[str] = mapped_column(String(50), default="")
    progress: Mapped[float] = mapped_column(Float, default=0.0)
    """Share of the phases that are complete, 0 to 100."""
    state: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    learning_scope: Mapped[str] = mapped_column(String(30), default="engagement")
    isolation: Mapped[str] = mapped_column(String(30), default="strict")

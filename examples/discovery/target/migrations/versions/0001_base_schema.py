"""Base schema: tenants, flows, imports, mappings and dependencies.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "client_accounts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("name", name=op.f("uq_client_accounts_name")),
    )
    op.create_table(
        "engagements",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("client_account_id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("client_account_id", "name", name=op.f("uq_engagements_client_name")),
    )
    op.create_table(
        "discovery_flows",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("flow_id", sa.String(36), nullable=False),
        sa.Column("client_account_id", sa.String(36), nullable=False),
        sa.Column("engagement_id", sa.String(36), nullable=False),
        sa.Column("status", sa.String(30), nullable=False),
        sa.Column("current_phase", sa.String(50), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("learning_scope", sa.String(30), nullable=False),
        sa.Column("isolation", sa.String(30), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagements.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("flow_id", name=op.f("uq_discovery_flows_flow_id")),
    )
    op.create_index(
        "ix_discovery_flows_tenant", "discovery_flows", ["client_account_id", "engagement_id"]
    )
    op.create_table(
        "data_imports",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("client_account_id", sa.String(36), nullable=False),
        sa.Column("engagement_id", sa.String(36), nullable=False),
        sa.Column("file_name", sa.String(255), nullable=False),
        sa.Column("import_type", sa.String(50), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagements.id"], ondelete="CASCADE"),
    )
    op.create_index(
        "ix_data_imports_tenant", "data_imports", ["client_account_id", "engagement_id"]
    )
    op.create_table(
        "raw_import_records",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("client_account_id", sa.String(36), nullable=False),
        sa.Column("engagement_id", sa.String(36), nullable=False),
        sa.Column("data_import_id", sa.String(36), nullable=False),
        sa.Column("row_number", sa.Integer(), nullable=False),
        sa.Column("row_data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagements.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["data_import_id"], ["data_imports.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_raw_import_records_import", "raw_import_records", ["data_import_id"])
    op.create_table(
        "import_field_mappings",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("client_account_id", sa.String(36), nullable=False),
        sa.Column("engagement_id", sa.String(36), nullable=False),
        sa.Column("data_import_id", sa.String(36), nullable=False),
        sa.Column("source_column", sa.String(255), nullable=False),
        sa.Column("asset_field", sa.String(100), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("status", sa.String(30), nullable=False),
        sa.ForeignKeyConstraint(["client_account_id"], ["client_accounts.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["engagement_id"], ["engagements.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["data_import_id"], ["data_imports.id"], ondelete="CASCADE"),
        sa.UniqueConstraint(
            "data_import_id", "source_column", name=op.f("uq_import_field_mappings_column")
        ),
    )
    op.create_table(
        "asset_dependencies",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("discovery_flow_id", sa.String(36), nullable=False),
        sa.Column("source_name", sa.String(255), nullable=False),
        sa.Column("target_name", sa.String(255), nullable=True),
        sa.Column("dependency_type", sa.String(50), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["discovery_flow_id"], ["discovery_flows.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_asset_dependencies_flow", "asset_dependencies", ["discovery_flow_id"])


def downgrade() -> None:
    for table in (
        "asset_dependencies",
        "import_field_mappings",
        "raw_import_records",
        "data_imports",
        "discovery_flows",
        "engagements",
        "client_accounts",
    ):
        op.drop_table(table)

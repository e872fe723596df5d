"""Runs the migrations: on a connection handed in by a test, else on the configured database."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection

from discovery.core.db import open_engine
from discovery.models import Base


def migrate(connection: Connection) -> None:
    """Run what the command asked for; SQLite changes tables by copying them (`batch`)."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    given: Connection | None = context.config.attributes.get("connection")
    if given is not None:
        migrate(given)
        return
    url = os.environ.get("DISCOVERY_DATABASE_URL") or context.config.get_main_option(
        "sqlalchemy.url", ""
    )
    with open_engine(url).connect() as connection:
        migrate(connection)


main()

"""What all tables of wave 1 have in common."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from discovery.core.context import RequestContext
from discovery.core.db import open_engine
from discovery.models import Base
from sqlalchemy import Engine, inspect, text
from sqlalchemy.orm import Session

TABLES = (
    "assets",
    "data_sources",
    "raw_data_records",
    "asset_versions",
    "asset_attributes",
    "mapping_patterns",
)
REPOSITORIES = (
    "asset.AssetRepository",
    "data_source.DataSourceRepository",
    "raw_data.RawDataRepository",
    "asset_version.AssetVersionRepository",
    "asset_attribute.AssetAttributeRepository",
    "mapping_pattern.MappingPatternRepository",
)


def config(connection: Any = None) -> Config:
    config = Config("alembic.ini")
    config.attributes["connection"] = connection
    return config


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(config()).get_heads()) == 1


@pytest.mark.parametrize("table", TABLES)
def test_models_and_migrations_name_the_same_columns(engine: Engine, table: str) -> None:
    migrated = {column["name"]: column["nullable"] for column in inspect(engine).get_columns(table)}
    declared = {column.name: column.nullable for column in Base.metadata.tables[table].columns}
    assert migrated == declared


@pytest.mark.usefixtures("world")
def test_migrations_go_down_and_up_on_a_database_with_rows(
    engine: Engine, session: Session
) -> None:
    session.close()
    before = inspect(engine).get_table_names()
    with engine.begin() as connection:
        command.downgrade(config(connection), "0001")
    assert not set(TABLES) & set(inspect(engine).get_table_names())
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM client_accounts")) == 2
        command.upgrade(config(connection), "head")
    assert inspect(engine).get_table_names() == before


def test_every_migration_can_be_undone_on_its_own() -> None:
    engine = open_engine("sqlite://")
    with engine.begin() as connection:
        for revision in reversed(list(ScriptDirectory.from_config(config()).walk_revisions())):
            command.upgrade(config(connection), revision.revision)
            if revision.down_revision is not None:
                command.downgrade(config(connection), "-1")
                command.upgrade(config(connection), "+1")
    engine.dispose()


@pytest.mark.parametrize("name", REPOSITORIES)
def test_a_repository_refuses_a_context_without_a_client(session: Session, name: str) -> None:
    module, _, repository = name.partition(".")
    made = getattr(importlib.import_module(f"discovery.repositories.{module}"), repository)
    with pytest.raises(ValueError):
        made(session, RequestContext(""))

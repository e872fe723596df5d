"""What holds for the schema as a whole, whoever adds to it."""

from __future__ import annotations

import importlib
import pkgutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

import discovery.models
from discovery.core.db import open_engine
from discovery.models import Base

ROOT = Path(__file__).resolve().parents[2]


def alembic_config(connection: Connection | None = None) -> Config:
    config = Config(str(ROOT / "alembic.ini"))
    config.attributes["connection"] = connection
    return config


def described(connection: Connection) -> dict[str, Any]:
    """Table -> everything the database knows about it, in an order that is always the same."""
    found = inspect(connection)
    return {
        table: {
            "columns": sorted(
                (c["name"], str(c["type"]), c["nullable"], c["default"])
                for c in found.get_columns(table)
            ),
            "primary_key": found.get_pk_constraint(table),
            "foreign_keys": sorted(map(repr, found.get_foreign_keys(table))),
            "unique": sorted(map(repr, found.get_unique_constraints(table))),
            "checks": sorted(map(repr, found.get_check_constraints(table))),
            "indexes": sorted(
                " ".join(sql.split())
                for (sql,) in connection.execute(
                    text("SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :t"),
                    {"t": table},
                )
                if sql
            ),
        }
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def test_index_names_are_unique_over_the_whole_schema() -> None:
    tables = defaultdict(list)
    for table in Base.metadata.sorted_tables:
        for index in table.indexes:
            tables[index.name].append(table.name)
    shared = {name: sorted(on) for name, on in tables.items() if len(on) > 1}
    assert not shared, f"index names are shared by several tables: {shared}"


def test_every_model_is_exported() -> None:
    for module in pkgutil.iter_modules(discovery.models.__path__):
        importlib.import_module(f"discovery.models.{module.name}")
    models = {mapper.class_.__name__ for mapper in Base.registry.mappers}
    assert models <= set(discovery.models.__all__)


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(alembic_config()).get_heads()) == 1


def test_migrations_build_the_schema_of_the_models(engine: Engine) -> None:
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "head")
        migrated = described(connection)
    other = open_engine("sqlite://")
    with other.begin() as connection:
        Base.metadata.create_all(connection)
        declared = described(connection)
    other.dispose()
    assert migrated.keys() == declared.keys()
    for table, description in declared.items():
        assert migrated[table] == description, f"migrations and model differ on {table}"


def test_migrations_go_down_and_up_again(engine: Engine) -> None:
    with engine.begin() as connection:
        command.upgrade(alembic_config(connection), "head")
        before = described(connection)
        command.downgrade(alembic_config(connection), "base")
        assert described(connection) == {}
        command.upgrade(alembic_config(connection), "head")
        assert described(connection) == before


@pytest.mark.parametrize("table", Base.metadata.sorted_tables, ids=lambda table: table.name)
def test_tables_can_be_made_on_postgresql(table: Any) -> None:
    assert table.name in str(CreateTable(table).compile(dialect=postgresql.dialect()))

"""A run's workflows on PostgreSQL: what another version left is set aside; how DBOS connects."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy

from wavecrew.errors import EnvironmentBroken
from wavecrew.run.liveness import KEY
from wavecrew.run.place import SharedSchema

Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def server(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def place(database_url: str) -> SharedSchema:
    return SharedSchema(database_url, "r1", "new-engine", 2)


def left_by(server: Connection, version: str) -> None:
    server.execute("create schema wavecrew_r1")
    server.execute(
        "create table wavecrew_r1.workflow_status (application_version text, executor_id text)"
    )
    row = (version, "old-engine")
    server.execute("insert into wavecrew_r1.workflow_status values (%s, %s)", row)


def schemas(server: Connection) -> set[object]:
    found = server.execute("select nspname from pg_namespace where nspname like 'wavecrew_r%'")
    return {name for (name,) in found}


def test_a_new_run_has_nothing_to_set_aside(place: SharedSchema, server: Connection) -> None:
    place.prepare("3")
    assert schemas(server) == set()


def test_the_same_version_goes_on_with_what_is_there(
    place: SharedSchema, server: Connection
) -> None:
    left_by(server, "3")
    place.prepare("3")
    assert schemas(server) == {"wavecrew_r1"}


def test_another_versions_workflows_are_kept_beside(
    place: SharedSchema, server: Connection
) -> None:
    left_by(server, "1")
    place.prepare("2")
    left_by(server, "2")
    place.prepare("3")
    assert schemas(server) == {"wavecrew_r1_aside_1", "wavecrew_r1_aside_2"}


def test_an_engine_of_another_version_that_is_alive_is_not_pushed_aside(
    place: SharedSchema, server: Connection
) -> None:
    left_by(server, "2")
    server.execute(f"select pg_advisory_lock({KEY.format('%s')})", ("old-engine",))
    with pytest.raises(EnvironmentBroken, match="works on run 'r1'"):
        place.prepare("3")
    assert schemas(server) == {"wavecrew_r1"}


def test_the_server_ends_a_session_of_dbos_whose_worker_is_cut_off(database_url):
    given = SharedSchema(database_url, "r1", "one", 2).config()["db_engine_kwargs"]
    url = database_url.replace("postgresql://", "postgresql+psycopg://")
    engine = sqlalchemy.create_engine(url, **given)
    try:
        with engine.connect() as connection:
            shown = connection.execute(sqlalchemy.text("show tcp_keepalives_idle")).scalar()
    finally:
        engine.dispose()
    assert shown == "5"

"""The sessions that DBOS opens at the server."""

from __future__ import annotations

import sqlalchemy

from wavecrew.run.place import SharedSchema


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

"""Migrations and the check at start, against a real Postgres."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url

from bearometer.embedded import Servers
from bearometer.errors import Misconfigured, Unavailable
from bearometer.settings import PostgresSettings
from storage.database import check_database, connect
from storage.migrate import head_revision, migrate
from storage.tables import metadata

VIEWS = {"alert_history", "negative_posts", "sentiment_by_day", "sentiment_by_hour", "sentiment_by_minute"}


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Engine]:
    engine = connect(PostgresSettings(url=SecretStr(empty_database_url)))
    yield engine
    engine.dispose()


def test_an_empty_database_is_brought_up_once_and_then_left_alone(empty: Engine) -> None:
    assert migrate(empty) == (None, head_revision())
    assert migrate(empty) == (head_revision(), head_revision())
    check_database(empty)
    assert set(inspect(empty).get_view_names()) == VIEWS


def test_several_that_migrate_at_once_take_turns(empty: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: migrate(empty), range(4)))

    assert sorted(found, key=str) == [(head_revision(), head_revision())] * 3 + [(None, head_revision())]


def test_the_tables_of_the_queries_are_those_of_the_migrations(empty: Engine) -> None:
    migrate(empty)
    there: dict[str, dict[str, bool]] = {}
    with empty.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT table_name, column_name, is_nullable = 'YES' FROM information_schema.columns"
                " JOIN information_schema.tables USING (table_schema, table_name)"
                " WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name <> 'alembic_version'"
            )
        )
        for table, column, nullable in rows:
            there.setdefault(table, {})[column] = nullable

    assert there == {
        table.name: {column.name: bool(column.nullable) for column in table.columns} for table in metadata.sorted_tables
    }


def test_a_database_without_tables_is_told_to_be_migrated(empty: Engine) -> None:
    with pytest.raises(Misconfigured, match=r"no tables .* `bearometer migrate`"):
        check_database(empty)


@pytest.mark.parametrize(("revision", "words"), [("9999", "newer than this program"), ("0000", "update Bearometer")])
def test_a_newer_database_is_left_alone(empty: Engine, revision: str, words: str) -> None:
    migrate(empty)
    with empty.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})

    with pytest.raises(Misconfigured, match=words):
        check_database(empty)
    with pytest.raises(Misconfigured, match=words):
        migrate(empty)


def test_an_older_database_is_told_to_be_migrated(empty: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(empty)
    monkeypatch.setattr("storage.database.head_revision", lambda: "0002")

    with pytest.raises(Misconfigured, match="at schema 0001, this program needs 0002: run `bearometer migrate`"):
        check_database(empty)


def test_what_keeps_us_from_the_database_is_said_in_one_line_without_the_password(empty_database_url: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as closed:
        port = closed.getsockname()[1]
    url = make_url(empty_database_url)
    cases = {
        f"postgresql://bearometer:hush@127.0.0.1:{port}/x": "Connection refused",
        "postgresql://bearometer:hush@no-such-host.invalid/x": "no-such-host.invalid",
        url.set(database="nowhere", password="hush").render_as_string(hide_password=False): '"nowhere" does not exist',
        "postgresql:///x?host=/nowhere": "/nowhere",
        url.set(username="nobody", password="hush").render_as_string(hide_password=False): '"nobody"',
    }
    for wrong, words in cases.items():
        with pytest.raises(Unavailable) as caught:
            check_database(connect(PostgresSettings(url=SecretStr(wrong))))
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "hush" not in str(caught.value)


def test_a_wrong_password_is_told_as_such(servers: Servers) -> None:
    superuser = servers.postgres.url("postgres", user="postgres")
    admin = create_engine(superuser, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE ROLE locked LOGIN PASSWORD 'right'"))
        # The embedded server knows its folder by an open file, so that nobody can swap it.
        path = connection.execute(text("SHOW hba_file")).scalar_one()
        rules = Path(path.replace("/proc/self/", f"/proc/{servers.postgres.pid}/"))
        before = rules.read_text("utf-8")
        rules.write_text(f"local all locked scram-sha-256\n{before}", "utf-8")
        connection.execute(text("SELECT pg_reload_conf()"))
        try:
            wrong = servers.postgres.url("postgres", user="locked").replace("locked@", "locked:hush@")
            with pytest.raises(Unavailable, match="password authentication failed") as caught:
                check_database(connect(PostgresSettings(url=SecretStr(wrong))))
            assert "hush" not in str(caught.value)
        finally:
            rules.write_text(before, "utf-8")
            connection.execute(text("DROP ROLE locked"))
    admin.dispose()


@pytest.mark.parametrize(
    "url", ["mysql://bearometer:hush@localhost/x", "nonsense hush", "postgresql://a:hush@h:port/x"]
)
def test_a_url_that_is_none_for_postgres_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"postgres\.url") as caught:
        connect(PostgresSettings(url=SecretStr(url)))
    assert "hush" not in str(caught.value)

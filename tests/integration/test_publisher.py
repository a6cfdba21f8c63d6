"""Posts onto a real broker, which is killed, comes back, is not there, or is full."""

import gc
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from bearometer.clock import SystemClock
from bearometer.embedded_broker import Broker
from bearometer.errors import Failed, Misconfigured, Reason, Rejected, Unavailable
from bearometer.post import Heartbeat, Post
from bearometer.run_dir import RunDir
from bearometer.settings import IngestSettings, KafkaSettings
from bearometer.wire import decode
from ingest.kafka import check_broker, count_partitions, create_topics, end_offsets, read_topic
from ingest.normalise import fingerprint
from ingest.publisher import Publisher
from ingest.source import RawPost
from ingest.worker import IngestReport, run_ingest
from tests.conditions import WaitUntil
from tests.conftest import Topics
from tests.unit.ingest.fakes import ListSource

# kafka-python drops the sockets of failed attempts to connect, and leaves it to the collector to close them.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
INGEST = IngestSettings()


@pytest.fixture(autouse=True)
def _collect_dropped_sockets() -> Iterator[None]:
    yield
    gc.collect()


def post(number: int, text: str = "") -> Post:
    text = text or f"Acme falls {number}"
    return Post(f"test:{number}", "test", text, NOW + timedelta(seconds=number), NOW, fingerprint(text), language="en")


@pytest.fixture
def kafka(broker: str, topics: Topics) -> KafkaSettings:
    settings = KafkaSettings(
        servers=broker,
        topic=topics.posts,
        dead_topic=topics.dead,
        partitions=3,
        idempotence=False,
        connect_timeout_seconds=5.0,
    )
    create_topics(settings)
    return settings


def stored(settings: KafkaSettings) -> list[Post | Heartbeat]:
    return [decode(record.value) for record in read_topic(settings, settings.topic)]


@pytest.mark.parametrize("idempotence", [False, True])
def test_every_post_arrives_once_and_its_offset_is_known(kafka: KafkaSettings, idempotence: bool) -> None:
    settings = kafka.model_copy(update={"idempotence": idempotence})
    with Publisher(settings, INGEST) as publisher:
        for number in range(2_000):
            publisher.publish(post(number))
        publisher.flush()
        assert publisher.unacknowledged == 0
        offsets = dict(publisher.next_offsets)
    assert sorted(message.id for message in stored(settings) if isinstance(message, Post)) == sorted(
        f"test:{number}" for number in range(2_000)
    )
    assert sum(offsets.values()) == 2_000
    assert offsets == end_offsets(settings, settings.topic)


def test_repeats_of_a_text_meet_on_one_partition(kafka: KafkaSettings) -> None:
    texts = ["Acme falls", "ACME  falls", "RT @ann: Acme falls http://e.com", "Wile rises", "wile rises via @bob"]
    with Publisher(kafka, INGEST) as publisher:
        for number, text in enumerate(texts * 10):
            publisher.publish(post(number, text))
        publisher.flush()
    places: dict[bytes | None, set[int]] = {}
    for record in read_topic(kafka, kafka.topic):
        places.setdefault(record.key, set()).add(record.partition)
    assert len(places) == 2
    assert all(len(partitions) == 1 for partitions in places.values())


def test_a_heartbeat_reaches_every_partition_behind_the_posts_before_it(kafka: KafkaSettings) -> None:
    with Publisher(kafka, INGEST) as publisher:
        for number in range(300):
            publisher.publish(post(number))
        publisher.heartbeat(Heartbeat("test", NOW))
        publisher.publish(post(300))
        publisher.flush()
    partitions: dict[int, list[Post | Heartbeat]] = {}
    for record in read_topic(kafka, kafka.topic):
        message = decode(record.value)
        assert (record.key is None) == isinstance(message, Heartbeat)
        partitions.setdefault(record.partition, []).append(message)
    assert sorted(partitions) == [0, 1, 2]
    for messages in partitions.values():
        beats = [place for place, message in enumerate(messages) if isinstance(message, Heartbeat)]
        assert len(beats) == 1
        behind = [message.id for message in messages[beats[0] + 1 :] if isinstance(message, Post)]
        assert set(behind) <= {"test:300"}


def test_a_message_that_no_broker_takes_is_rejected(kafka: KafkaSettings) -> None:
    with Publisher(kafka, INGEST) as publisher:
        with pytest.raises(Rejected) as caught:
            publisher.publish(post(1, "x" * 2_000_000))
        assert caught.value.reason is Reason.TOO_LONG
        publisher.publish(post(2))
        publisher.flush()
        assert publisher.unacknowledged == 0


def test_reading_starts_where_it_is_told_to(kafka: KafkaSettings) -> None:
    with Publisher(kafka, INGEST) as publisher:
        for number in range(100):
            publisher.publish_bytes(kafka.topic, None, str(number).encode(), 1)
        publisher.flush()
    assert [record.value for record in read_topic(kafka, kafka.topic, {1: 97})] == [b"97", b"98", b"99"]


def test_topics_get_the_stated_partitions_and_are_accepted_when_they_are_there(kafka: KafkaSettings) -> None:
    create_topics(kafka)
    assert count_partitions(kafka, kafka.topic) == 3
    assert count_partitions(kafka, kafka.dead_topic) == 3
    assert count_partitions(kafka, "no-such-topic") is None


def test_another_number_of_partitions_is_named(kafka: KafkaSettings) -> None:
    with pytest.raises(Misconfigured, match=r"`kafka\.partitions` is 5, .* has 3"):
        create_topics(kafka.model_copy(update={"partitions": 5}))


def test_reading_a_topic_that_is_not_there_is_said(kafka: KafkaSettings) -> None:
    with pytest.raises(Failed, match="no topic nowhere"):
        list(read_topic(kafka, "nowhere"))


@pytest.fixture
def silent_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize("kind", ["refused", "unknown", "silent"])
def test_an_unreachable_broker_is_one_line_in_time(
    kind: str, silent_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    servers = {"refused": "127.0.0.1:1", "unknown": "broker.invalid:9092", "silent": f"127.0.0.1:{silent_port}"}[kind]
    settings = KafkaSettings(servers=servers, connect_timeout_seconds=1.0)
    started = time.monotonic()
    calls: list[Callable[[], object]] = [lambda: check_broker(settings), lambda: Publisher(settings, INGEST)]
    for call in calls:
        with pytest.raises(Unavailable, match="does not answer") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert time.monotonic() - started < 10
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("servers", ["127.0.0.1:port", "", "[::1"])
def test_an_address_that_cannot_be_read_is_one_line(servers: str) -> None:
    with pytest.raises((Misconfigured, Unavailable)) as caught:
        check_broker(KafkaSettings(servers=servers, connect_timeout_seconds=1.0))
    assert "\n" not in str(caught.value)


def test_a_password_is_never_shown(silent_port: int) -> None:
    settings = KafkaSettings(
        servers=f"127.0.0.1:{silent_port}",
        security_protocol="SASL_PLAINTEXT",
        username="ann",
        password=SecretStr("open sesame"),
        connect_timeout_seconds=0.5,
    )
    with pytest.raises(Unavailable) as caught:
        check_broker(settings)
    assert "sesame" not in str(caught.value)


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that a test may kill: the others' topics are on another one."""
    with closing(RunDir(tmp_path / "run")) as run_dir:
        run_dir.open()
        server = Broker(run_dir)
        server.start()
        yield server
        server.stop()


@pytest.fixture
def own_kafka(own_broker: Broker) -> KafkaSettings:
    # As many as the broker gives a topic that it makes by itself: after its restart a producer may ask for it first.
    settings = KafkaSettings(servers=own_broker.address, partitions=4, idempotence=False, connect_timeout_seconds=5.0)
    create_topics(settings)
    return settings


def test_a_full_buffer_blocks_and_takes_no_more(own_broker: Broker, own_kafka: KafkaSettings) -> None:
    ingest = IngestSettings(buffer_bytes=1_000_000)
    with Publisher(own_kafka, ingest, max_block_seconds=0.2) as publisher:
        publisher.publish(post(0))
        publisher.flush()
        own_broker.kill()
        taken = 0
        with pytest.raises(Unavailable, match="has not acknowledged"):
            for taken in range(1, 10_000):
                publisher.publish(post(taken, f"{taken} " + "x" * 5_000))
        assert 150 < taken < 200
        assert publisher.unacknowledged == taken - 1
        with pytest.raises(Unavailable):
            publisher.flush(0.2)
        publisher.close(timeout_seconds=0)


@contextmanager
def frozen(broker: Broker) -> Iterator[None]:
    """The broker gives no answer for a while. (Killed, this one forgets: it keeps everything in memory.)"""
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(broker.pid, signal.SIGCONT)


@pytest.mark.parametrize("idempotence", [False, True])
def test_what_was_taken_while_the_broker_was_away_arrives_in_order(
    own_broker: Broker, own_kafka: KafkaSettings, idempotence: bool
) -> None:
    settings = own_kafka.model_copy(update={"idempotence": idempotence})
    with Publisher(settings, INGEST) as publisher:
        publisher.publish(post(0, "same"))
        publisher.flush()
        with frozen(own_broker):
            for number in range(1, 200):
                publisher.publish(post(number, "same"))
            with pytest.raises(Unavailable):
                publisher.flush(0.3)
            assert publisher.unacknowledged == 199
        publisher.flush()
    assert [message.id for message in stored(settings) if isinstance(message, Post)] == [
        f"test:{number}" for number in range(200)
    ]


def test_an_idempotent_producer_that_the_broker_forgot_is_replaced(
    own_broker: Broker, own_kafka: KafkaSettings, wait_until: WaitUntil
) -> None:
    settings = own_kafka.model_copy(update={"idempotence": True})
    with Publisher(settings, INGEST) as publisher:
        publisher.publish(post(0))
        publisher.flush()
        own_broker.restart()
        for number in range(1, 200):
            try:
                publisher.publish(post(number))
            except Unavailable:  # it has learned already that the topic is gone
                publisher.restore_topics()
                publisher.publish(post(number))

        def arrived() -> bool:
            publisher.restore_topics()
            try:
                publisher.flush(1.0)
            except Unavailable:
                return False
            return True

        wait_until(arrived, 60)
    ids = {message.id for message in stored(settings) if isinstance(message, Post)}
    assert ids == {f"test:{number}" for number in range(1, 200)}


def test_ingest_waits_for_a_broker_that_gives_no_answer(
    own_broker: Broker, own_kafka: KafkaSettings, wait_until: WaitUntil
) -> None:
    source = ListSource(
        [
            RawPost(f"{number} " + "x" * 2_000, NOW, f"item {number}", str(number), language="en")
            for number in range(1_500)
        ]
    )
    reports: list[IngestReport] = []
    with Publisher(own_kafka, IngestSettings(buffer_bytes=1_000_000), max_block_seconds=0.2) as publisher:
        thread = threading.Thread(
            target=lambda: reports.append(run_ingest(source, publisher, IngestSettings(), SystemClock()))
        )
        with frozen(own_broker):
            thread.start()
            wait_until(lambda: publisher.unacknowledged > 300, 15)
        thread.join(60)
        assert not thread.is_alive()
    assert reports[0].published == 1_500
    ids = {message.id for message in stored(own_kafka) if isinstance(message, Post)}
    assert ids == {f"list:{number}" for number in range(1_500)}

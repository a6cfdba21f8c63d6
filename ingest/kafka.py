"""The broker: how to reach it, whether it is there, its topics, and reading one from end to end."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import (
    AuthorizationError,
    IncompatibleBrokerVersion,
    KafkaError,
    KafkaTimeoutError,
    SaslAuthenticationFailedError,
    TopicAlreadyExistsError,
    for_code,
)

from bearometer.errors import BearometerError, Failed, Misconfigured, Unavailable
from bearometer.settings import KafkaSettings

__all__ = [
    "Record",
    "broker_errors",
    "check_broker",
    "client_options",
    "count_partitions",
    "create_topics",
    "end_offsets",
    "open_consumer",
    "read_topic",
]

_POLL_MS = 200
_STALLED_POLLS = 150
"""A read that sees nothing new for this many polls gives up."""


@dataclass(frozen=True, slots=True)
class Record:
    """A message as it lies on a topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Options of any kafka-python client: addresses, security, and how long to look for the broker."""
    # Each failed attempt to connect is an error in its log; we say it once, in one line.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    servers = [server.strip() for server in settings.servers.split(",") if server.strip()]
    if not servers:
        message = "`kafka.servers` is empty; it must be host:port, several separated by commas"
        raise Misconfigured(message)
    options: dict[str, Any] = {
        "bootstrap_servers": servers,
        "bootstrap_timeout_ms": int(settings.connect_timeout_seconds * 1000),
        "client_id": "bearometer",
        "reconnect_backoff_max_ms": 2_000,
        "security_protocol": settings.security_protocol,
    }
    if settings.ca_file is not None:
        if not settings.ca_file.is_file():
            message = f"`kafka.ca_file` is {settings.ca_file}, which does not exist"
            raise Misconfigured(message)
        options["ssl_cafile"] = str(settings.ca_file)
    if settings.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.username
        options["sasl_plain_password"] = settings.password.get_secret_value() if settings.password else None
    return options


@contextmanager
def broker_errors(settings: KafkaSettings) -> Iterator[None]:
    """Turn what kafka-python raises into one line a person can act on: Unavailable, Misconfigured or Failed.

    A ValueError is taken for an address that cannot be read: put only the opening of clients in here, and their
    calls to the broker.
    """
    try:
        yield
    except BearometerError:
        raise
    except SaslAuthenticationFailedError:
        message = f"the broker at {settings.servers} refuses kafka.username and kafka.password"
        raise Unavailable(message) from None
    except AuthorizationError as error:
        message = f"the broker at {settings.servers} does not allow this: {error}"
        raise Failed(message) from None
    except IncompatibleBrokerVersion as error:
        message = f"the broker at {settings.servers} is too old: {error}"
        raise Failed(message) from None
    except KafkaTimeoutError:
        seconds = settings.connect_timeout_seconds
        message = f"the broker at {settings.servers} does not answer within {seconds:g} s (kafka.servers)"
        raise Unavailable(message) from None
    except (KafkaError, OSError) as error:
        message = f"the broker at {settings.servers} does not answer (kafka.servers): {error}"
        raise Unavailable(message) from None
    except (ValueError, AssertionError) as error:
        message = f"`kafka.servers` is {settings.servers!r:.100}; it must be host:port ({error})"
        raise Misconfigured(message) from None


def check_broker(settings: KafkaSettings) -> None:
    """Return when the broker answers; Unavailable in one line after `connect_timeout_seconds`."""
    with _admin(settings):
        pass


def create_topics(settings: KafkaSettings) -> None:
    """Create the topics of posts and of dead letters; ones that exist already are taken as they are.

    Raises Misconfigured when the posts topic has fewer or more partitions than the settings say: keys would move to
    other partitions. Safe to call by several processes at once.
    """
    names = (settings.topic, settings.dead_topic)
    with _admin(settings) as admin:
        wanted = {"num_partitions": settings.partitions, "replication_factor": settings.replication_factor}
        missing = [name for name in names if name not in set(admin.list_topics())]
        if missing:
            answer = admin.create_topics(dict.fromkeys(missing, wanted), raise_errors=False)
            for topic in answer["topics"]:
                error = for_code(topic["error_code"])
                if topic["error_code"] and error is not TopicAlreadyExistsError:
                    message = f"topic {topic['name']} cannot be created: {topic['error_message'] or error.__name__}"
                    raise Failed(message)
            admin.wait_for_topics(missing, timeout_ms=int(settings.connect_timeout_seconds * 1000))
        for topic in admin.describe_topics([settings.topic]):
            found = len(topic["partitions"])
            if found != settings.partitions:
                message = (
                    f"`kafka.partitions` is {settings.partitions}, and the topic {settings.topic} has {found}: "
                    f"set it to {found}, or give another `kafka.topic`"
                )
                raise Misconfigured(message)


def count_partitions(settings: KafkaSettings, topic: str) -> int | None:
    """How many partitions a topic has; None when there is no such topic."""
    with _admin(settings) as admin:
        for found in admin.describe_topics([topic]):
            return len(found["partitions"]) or None
    return None


@contextmanager
def open_consumer(settings: KafkaSettings, topic: str, group: str | None = None) -> Iterator[tuple[Any, list[Any]]]:
    """A consumer of all partitions of a topic, each at its beginning, and these partitions.

    It joins no group and commits nothing by itself; `group` only says whose offsets it can read and commit.
    Failed when there is no such topic.
    """
    with broker_errors(settings):
        consumer = KafkaConsumer(
            **client_options(settings),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
        )
        try:
            partitions = consumer.partitions_for_topic(topic)
            if not partitions:
                message = f"the broker at {settings.servers} has no topic {topic}"
                raise Failed(message)
            assigned = [TopicPartition(topic, partition) for partition in sorted(partitions)]
            consumer.assign(assigned)
            consumer.seek_to_beginning(*assigned)
            yield consumer, assigned
        finally:
            with suppress(KafkaError):
                consumer.close(autocommit=False)


def read_topic(settings: KafkaSettings, topic: str, start: Mapping[int, int] | None = None) -> Iterator[Record]:
    """Every message that a topic holds when the reading starts, partition by partition in order of offset.

    `start` gives the first offset of some partitions. It ends at the high watermark of the first fetch, since
    Tansu answers a question for end offsets wrongly; so it also ends while others go on writing.
    """
    with open_consumer(settings, topic) as (consumer, partitions):
        for partition in partitions:
            if offset := (start or {}).get(partition.partition):
                consumer.seek(partition, offset)
        ends: dict[Any, int] = {}
        stalled = 0
        while stalled < _STALLED_POLLS:
            batch = consumer.poll(timeout_ms=_POLL_MS)
            for partition in partitions:
                if partition not in ends and (highwater := consumer.highwater(partition)) is not None:
                    ends[partition] = highwater
            for partition, messages in batch.items():
                for message in messages:
                    if message.offset < ends[partition]:
                        yield Record(topic, message.partition, message.offset, message.key, message.value)
            if len(ends) == len(partitions) and all(consumer.position(p) >= ends[p] for p in partitions):
                return
            stalled = 0 if batch else stalled + 1
        message = f"the broker at {settings.servers} stopped answering while {topic} was read"
        raise Unavailable(message)


def end_offsets(settings: KafkaSettings, topic: str) -> dict[int, int]:
    """For each partition the offset that its next message will get, by the high watermark of a fetch."""
    with open_consumer(settings, topic) as (consumer, partitions):
        for _ in range(_STALLED_POLLS):
            consumer.poll(timeout_ms=_POLL_MS)
            found = {partition.partition: consumer.highwater(partition) for partition in partitions}
            if all(end is not None for end in found.values()):
                return {partition: int(end) for partition, end in found.items() if end is not None}
            # What a partition holds is not wanted: it would be read to its end before another one is asked.
            consumer.pause(*(partition for partition in partitions if found[partition.partition] is not None))
    message = f"the broker at {settings.servers} does not say where {topic} ends"
    raise Unavailable(message)


@contextmanager
def _admin(settings: KafkaSettings) -> Iterator[Any]:
    with broker_errors(settings):
        admin = KafkaAdminClient(**client_options(settings))
        try:
            yield admin
        finally:
            admin.close()

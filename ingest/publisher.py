"""Posts onto the topic: acknowledged by all replicas, in bounded memory, nothing dropped in silence."""

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType, TracebackType
from typing import Any

from kafka import KafkaProducer
from kafka.errors import (
    AuthorizationError,
    InvalidProducerEpochError,
    InvalidRecordError,
    InvalidTopicError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumberError,
    PolicyViolationError,
    RecordListTooLargeError,
    SaslAuthenticationFailedError,
    UnknownProducerIdError,
)

from bearometer.errors import Failed, Reason, Rejected, Unavailable
from bearometer.post import Heartbeat, Post
from bearometer.settings import IngestSettings, KafkaSettings
from bearometer.wire import encode
from ingest.kafka import broker_errors, client_options, create_topics

__all__ = ["Publisher"]

log = logging.getLogger(__name__)

_OVERHEAD_BYTES = 400
"""What a waiting message costs beside its own bytes."""
_PRODUCER_LOST = (InvalidProducerEpochError, OutOfOrderSequenceNumberError, UnknownProducerIdError)
"""The broker forgot an idempotent producer: only a new one can go on."""
_FINAL = (
    AuthorizationError,
    InvalidRecordError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    SaslAuthenticationFailedError,
)
"""Sending again is vain. Any other error may pass: Tansu says "unknown" when it has lost a topic."""
_RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class _Message:
    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None

    @property
    def size(self) -> int:
        return len(self.key or b"") + len(self.value or b"") + _OVERHEAD_BYTES


class Publisher:
    """Sends in the background; a context manager. For one thread at a time.

    A message is held until the broker has acknowledged it, and sent again when that failed, so that it arrives at
    least once. Messages of one partition arrive in the order in which they were given; one that had to be sent
    again may come later. kafka-python 3 has no limit of its own on waiting messages: `ingest.buffer_bytes` is ours.
    Raises Unavailable when the broker does not answer within `connect_timeout_seconds`.
    """

    def __init__(self, settings: KafkaSettings, ingest: IngestSettings, *, max_block_seconds: float = 5.0) -> None:
        self._settings = settings
        self._max_bytes = ingest.buffer_bytes
        self._max_block_seconds = max_block_seconds
        self._changed = threading.Condition()
        self._waiting_bytes = 0
        self._waiting = 0
        self._failed: deque[tuple[_Message, Exception]] = deque()
        self._retry_at = 0.0
        self._next_offsets: dict[tuple[str, int], int] = {}
        self._producer = self._connect()

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(timeout_seconds=0.5 if kind else 10.0)

    @property
    def unacknowledged(self) -> int:
        """Messages that were given and that the broker has not acknowledged yet."""
        with self._changed:
            return self._waiting

    @property
    def next_offsets(self) -> Mapping[int, int]:
        """For each partition of the posts topic 1 + the highest offset that the broker has acknowledged to us."""
        with self._changed:
            mine = {p: offset for (topic, p), offset in self._next_offsets.items() if topic == self._settings.topic}
        return MappingProxyType(mine)

    def publish(self, post: Post) -> None:
        """Take a post, under its fingerprint as the key. Blocks while the buffer is full.

        Raises Unavailable when that lasts longer than `max_block_seconds`, having not taken the post; Rejected
        (TOO_LONG) when no broker would take it; Failed when the broker refused an earlier message for good.
        """
        self.publish_bytes(self._settings.topic, post.fingerprint.encode(), encode(post))

    def heartbeat(self, heartbeat: Heartbeat) -> None:
        """Take a heartbeat for every partition, behind the posts given before. Blocks and raises as `publish` does."""
        value = encode(heartbeat)
        with broker_errors(self._settings):
            partitions = sorted(self._producer.partitions_for(self._settings.topic))
        for partition in partitions:
            self.publish_bytes(self._settings.topic, None, value, partition)

    def publish_bytes(self, topic: str, key: bytes | None, value: bytes | None, partition: int | None = None) -> None:
        """Take any message for any topic that exists. Blocks and raises as `publish` does."""
        message = _Message(topic, key, value, partition)
        deadline = time.monotonic() + self._max_block_seconds
        while True:
            self._send_failed_again()
            with self._changed:
                if not self._failed and (not self._waiting or self._waiting_bytes + message.size <= self._max_bytes):
                    break
                if (left := deadline - time.monotonic()) <= 0:
                    raise Unavailable(self._stalled())
                self._changed.wait(min(left, _RETRY_SECONDS / 5 if self._failed else left))
        self._send(message)

    def flush(self, timeout_seconds: float = 60.0) -> None:
        """Block until every message is acknowledged. Raises Unavailable when that takes longer, losing nothing."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            self._send_failed_again()
            with suppress(KafkaTimeoutError):
                self._producer.flush(timeout=max(0.0, min(deadline - time.monotonic(), 1.0)))
            with self._changed:
                if not self._waiting:
                    return
                if time.monotonic() >= deadline:
                    raise Unavailable(self._stalled())
                self._changed.wait(0.01)

    def restore_topics(self) -> None:
        """Create topics that the broker has lost, if it answers: an embedded broker comes back empty."""
        with suppress(Unavailable):
            create_topics(self._settings)

    def close(self, timeout_seconds: float = 10.0) -> None:
        """Send what waits, for this long at most, and close. Call `flush` before to know that all has arrived."""
        _close(self._producer, timeout_seconds)

    def _connect(self) -> Any:
        idempotent = self._settings.idempotence
        with broker_errors(self._settings):
            return KafkaProducer(
                **client_options(self._settings),
                acks="all",
                enable_idempotence=idempotent,
                # Without idempotence a batch that is sent again would be overtaken by the one behind it.
                max_in_flight_requests_per_connection=5 if idempotent else 1,
                allow_auto_create_topics=False,
                batch_size=65_536,
                compression_type="gzip",
                # A batch never expires here: the buffer fills up instead, and the sources wait.
                delivery_timeout_ms=float("inf"),
                request_timeout_ms=15_000,
                # Each new batch wakes the sending thread. On a laden machine the switch costs milliseconds: with a
                # linger as short, every post becomes a batch of its own, ten times slower.
                linger_ms=50,
                max_block_ms=int(self._max_block_seconds * 1000),
                metrics_enabled=False,
            )

    def _send(self, message: _Message) -> None:
        with self._changed:
            self._waiting += 1
            self._waiting_bytes += message.size
        try:
            future = self._producer.send(message.topic, message.value, message.key, partition=message.partition)
        except MessageSizeTooLargeError as error:
            self._settle(message)
            raise Rejected(Reason.TOO_LONG, str(error)) from None
        except (KafkaError, ValueError) as error:
            # ValueError: the client's metadata lost the topic between its look for it and its choice of a partition.
            self._settle(message)
            text = f"the topic {message.topic} cannot be found on {self._settings.servers}: {error}"
            raise Unavailable(text) from None
        except BaseException:
            self._settle(message)
            raise
        future.add_callback(self._acknowledged, message)
        future.add_errback(self._not_acknowledged, message)

    def _acknowledged(self, message: _Message, metadata: Any) -> None:
        key = (metadata.topic, metadata.partition)
        with self._changed:
            self._next_offsets[key] = max(self._next_offsets.get(key, 0), metadata.offset + 1)
            self._waiting -= 1
            self._waiting_bytes -= message.size
            self._changed.notify_all()

    def _not_acknowledged(self, message: _Message, error: Exception) -> None:
        with self._changed:
            self._failed.append((message, error))
            self._changed.notify_all()

    def _settle(self, message: _Message) -> None:
        with self._changed:
            self._waiting -= 1
            self._waiting_bytes -= message.size
            self._changed.notify_all()

    def _send_failed_again(self) -> None:
        """Send once more what failed and may yet succeed, now and then; raise for what never will."""
        if not self._failed or time.monotonic() < self._retry_at:
            return
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        for _ in range(len(self._failed)):
            message, error = self._failed[0]
            if isinstance(error, _PRODUCER_LOST):
                self._replace_producer(error)
            elif isinstance(error, _FINAL):
                text = f"the broker at {self._settings.servers} refused a message for good: {error}"
                raise Failed(text) from error
            self._send(message)  # when this raises, the message stays where it is
            with self._changed:
                self._failed.popleft()
            self._settle(message)

    def _replace_producer(self, error: Exception) -> None:
        log.warning("the broker forgot this producer (%s); starting a new one", type(error).__name__)
        producer = self._connect()
        _close(self._producer, 0)
        self._producer = producer
        with self._changed:  # what the old one still held has come back as failed, in order
            self._failed = deque((message, _Abandoned()) for message, _ in self._failed)

    def _stalled(self) -> str:
        why = f" ({self._failed[0][1]})" if self._failed else ""
        return (
            f"the broker at {self._settings.servers} has not acknowledged {self._waiting} messages{why}; they are kept"
        )


class _Abandoned(Exception):
    """Stands for the error of a message whose producer was replaced."""


def _close(producer: Any, timeout_seconds: float) -> None:
    try:
        producer.close(timeout=timeout_seconds)
    except KafkaTimeoutError:
        # close() gives up with its thread running; what it holds must come back to us, as errors.
        producer._sender.force_close()
        producer._sender.join(5)

"""Posts from a topic of somebody else's Kafka.

It joins no group and commits nothing there: the cursor holds the next offset of each partition, and is stored with
what was made of the messages. The brokers' addresses are the operator's own, mostly private, and are not checked.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
from kafka import TopicPartition
from pydantic import SecretStr

from bearometer.clock import Clock
from bearometer.errors import BearometerError, Reason, Rejected
from bearometer.settings import IngestSettings, KafkaSettings
from bearometer.source_base import reveal
from bearometer.stream_source_settings import KafkaTopicSettings
from ingest.json_post import read_post
from ingest.kafka import end_offsets, open_consumer
from ingest.patience import Patience, keep_reading
from ingest.source import RawPost, Unreadable
from ingest.wanted import with_symbols

__all__ = ["KafkaTopicSource"]

_FIRST_WAIT_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 60.0
_POLL_MS = 500
_POLLED_MESSAGES = 500
_LATEST_MS = 10**14
_LOOK_SECONDS = 60.0
"""How often it looks whether the brokers are there, and for partitions that were added."""

Item = RawPost | Unreadable | None


class KafkaTopicSource:
    """Every message once, in order within each partition, those of a partition that is added later too.

    A first start begins with what comes from then on, or with all there is. Where Kafka has deleted messages before
    they were read, it goes on with the oldest left, and `last_error` says so.
    """

    live = True

    def __init__(
        self,
        settings: KafkaTopicSettings,
        ingest: IngestSettings,
        clock: Clock,
        *,
        once: bool = False,
        chance: random.Random | None = None,
    ) -> None:
        del ingest
        self.name = settings.name
        self.last_error: str | None = None
        self._settings = settings
        self._clock = clock
        self._once = once
        self._setting = f"ingest.sources.{settings.name}"
        self._kafka = _broker(settings, self._setting)
        self._patience = Patience(_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS, chance)
        self._next: dict[int, int] = {}
        """For each partition the offset of the next message."""

    def resume(self, cursor: str | None) -> None:
        """Go on from a stored cursor; one that is of another topic is as none."""
        try:
            stored = orjson.loads(cursor or "{}")
            offsets = stored["next"].items() if stored["topic"] == self._settings.topic else ()
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return
        self._next = {
            int(partition): offset
            for partition, offset in offsets
            if partition.isascii() and partition.isdigit() and isinstance(offset, int) and offset >= 0
        }

    @property
    def cursor(self) -> str | None:
        """The next offsets."""
        if not self._next:
            return None
        offsets = {str(partition): offset for partition, offset in sorted(self._next.items())}
        return orjson.dumps({"topic": self._settings.topic, "next": offsets}).decode()

    def read(self) -> Iterator[Item]:
        """Posts as they appear; None at least once a second while there are none."""
        return keep_reading(self._session, self._patience, self._clock, self._tell, once=self._once)

    def _session(self) -> Iterator[Item]:
        try:
            if not self._next and self._settings.start == "latest":
                self._next = end_offsets(self._kafka, self._settings.topic)
            with open_consumer(self._kafka, self._settings.topic) as (consumer, partitions):
                deleted = self._seek(consumer, partitions)
                self.last_error = f"{deleted} messages were deleted before they were read" if deleted else None
                yield None
                yield from self._poll(consumer, len(partitions))
        except BearometerError as error:
            # Written for the broker of Bearometer itself, whose settings have the same names.
            error.args = (str(error).replace("kafka.", f"{self._setting}."),)
            raise

    def _seek(self, consumer: Any, partitions: list[Any]) -> int:
        """Go to where we were; how many messages are gone that we have not seen."""
        oldest = consumer.beginning_offsets(partitions)
        deleted = 0
        for partition in partitions:
            least = oldest.get(partition, 0)
            wanted = self._next.setdefault(partition.partition, least)
            deleted += max(least - wanted, 0)
            self._next[partition.partition] = max(wanted, least)
            consumer.seek(partition, self._next[partition.partition])
        return deleted

    def _poll(self, consumer: Any, known: int) -> Iterator[Item]:
        look_at = self._clock.monotonic() + _LOOK_SECONDS
        while True:
            batches = consumer.poll(timeout_ms=_POLL_MS, max_records=_POLLED_MESSAGES)
            for messages in batches.values():
                for message in messages:
                    self._next[message.partition] = message.offset + 1
                    if message.value is not None:  # without a value it deletes its key
                        yield self._item(message)
            yield None
            if self._clock.monotonic() >= look_at:
                look_at = self._clock.monotonic() + _LOOK_SECONDS
                # A poll says nothing of brokers that went away; this asks them, and raises when none answers.
                timeout_ms = int(1000 * self._settings.connect_timeout_seconds)
                consumer.beginning_offsets([*consumer.assignment()], timeout_ms=timeout_ms)
                found = consumer.partitions_for_topic(self._settings.topic) or set()
                if len(found) > known:
                    known = len(found)
                    partitions = [TopicPartition(self._settings.topic, number) for number in sorted(found)]
                    consumer.assign(partitions)
                    self._seek(consumer, partitions)

    def _item(self, message: Any) -> RawPost | Unreadable:
        position = f"{message.topic}, partition {message.partition}, offset {message.offset}"
        if len(message.value) > self._settings.max_message_bytes:
            return Unreadable(position, Reason.TOO_LONG, f"{len(message.value)} bytes")
        try:
            post = _read(message, self._settings.fields, position, self._clock.now())
        except Rejected as error:
            return Unreadable(position, error.reason, error.detail)
        symbols = (*self._settings.symbols, *post.symbols) if post.symbols else ()
        symbols = tuple(dict.fromkeys(symbols)) or with_symbols(self._settings.symbols, post.text)
        return replace(post, symbols=symbols)

    def _tell(self, trouble: str) -> None:
        self.last_error = trouble


def _read(message: Any, fields: Mapping[str, str], position: str, now: datetime) -> RawPost:
    try:
        entry = orjson.loads(message.value)
    except orjson.JSONDecodeError as error:
        raise Rejected(Reason.UNDECODABLE, str(error)) from None
    sent = message.timestamp  # in milliseconds, by the producer or the broker; -1 for none
    at = datetime.fromtimestamp(sent / 1000, UTC) if isinstance(sent, int) and 0 < sent < _LATEST_MS else now
    return read_post(entry, fields, position, at, _native_id(message))


def _native_id(message: Any) -> str:
    """An id for what has none; a topic that was deleted and made anew counts its offsets from 0 again."""
    return f"{message.topic}-{message.partition}-{message.offset}-{message.timestamp}"


def _broker(settings: KafkaTopicSettings, setting: str) -> KafkaSettings:
    password = settings.password
    return KafkaSettings(
        servers=settings.servers,
        topic=settings.topic,
        security_protocol=settings.security_protocol,
        sasl_mechanism=settings.sasl_mechanism,
        username=settings.username,
        password=None if password is None else SecretStr(reveal(password, f"{setting}.password")),
        ca_file=settings.ca_file,
        connect_timeout_seconds=settings.connect_timeout_seconds,
    )

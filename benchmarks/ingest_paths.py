"""What `benchmarks.ingest` measures whole: a file, and the ways from it to a real broker, each checked afterwards."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count, islice
from pathlib import Path

from sqlalchemy import Engine

from bearometer.clock import SystemClock
from bearometer.embedded import Servers
from bearometer.errors import Failed, Rejected
from bearometer.post import Post
from bearometer.replay import publish_source
from bearometer.settings import IngestSettings, KafkaSettings, Settings
from bearometer.source_settings import FileSettings
from bearometer.wire import decode, encode
from ingest.file_source import FileSource
from ingest.kafka import create_topics, end_offsets, read_topic
from ingest.ledger import Ledger
from ingest.normalise import normalise
from ingest.publisher import Publisher
from ingest.replay import ReplaySource
from ingest.runner import Job, run_jobs
from ingest.source import RawPost, Source, Unreadable
from storage.sources import SourceStore

__all__ = ["NAMES", "Bench", "Input", "Rows"]

NAMES = IngestSettings()
"""As they are when nobody sets anything: companies are linked by their names."""


@dataclass
class Rows:
    """The first rows of a file as a source; `bare` leaves out the symbols and the language that they state."""

    source: Source
    most: int
    bare: bool = False
    live = False

    @property
    def name(self) -> str:
        """The source's."""
        return self.source.name

    def read(self) -> Iterator[RawPost | Unreadable | None]:
        """At most so many rows."""
        for row in islice(self.source.read(), self.most):
            yield replace(row, symbols=(), language=None) if self.bare and isinstance(row, RawPost) else row


@dataclass
class ResumableRows(Rows):
    """The same of a source that notes its place."""

    source: FileSource

    @property
    def cursor(self) -> str | None:
        """As the source's."""
        return self.source.cursor

    @property
    def last_error(self) -> str | None:
        """As the source's."""
        return self.source.last_error

    def resume(self, cursor: str | None) -> None:
        """As the source's."""
        self.source.resume(cursor)


@dataclass
class Input:
    """A file, and what there is to know of its posts before they are measured."""

    path: Path
    fields: dict[str, str]
    most: int
    clock: SystemClock = field(default_factory=SystemClock)
    raw: list[RawPost] = field(default_factory=list)
    """Those that can be used."""
    posts: list[Post] = field(default_factory=list)
    rejected: int = 0

    def __post_init__(self) -> None:
        source = self.open()
        for row in Rows(source, self.most).read():
            if isinstance(row, RawPost):
                try:
                    self.posts.append(normalise(row, source.name, NAMES, self.clock.now()))
                    self.raw.append(row)
                    continue
                except Rejected:
                    pass
            self.rejected += 1
        if source.truncated:
            raise Failed(source.truncated)
        if not self.posts:
            message = f"{self.path} has no post that can be used; {self.rejected:,} rows were rejected"
            raise Failed(message)

    def rows(self, *, bare: bool = False) -> Rows:
        """The rows as a source, from the first; as in Rows."""
        return Rows(self.open(), self.most, bare)

    def read(self) -> None:
        """Read all rows, and do nothing with them."""
        for _ in self.rows().read():
            pass

    def open(self) -> ReplaySource:
        """The whole file."""
        return ReplaySource(self.path, NAMES, self.clock, name="benchmark", field_map=self.fields)


class Bench:
    """The broker and Postgres, and topics on them, a new one for each way of each round."""

    def __init__(self, servers: Servers, engine: Engine, what: Input) -> None:
        self._servers, self._engine, self._what = servers, engine, what
        self._ready = [(post.fingerprint.encode(), encode(post)) for post in what.posts]
        self._numbers = count(1)
        self._settings = Settings()
        self._publisher: Publisher | None = None

    def new_topic(self) -> None:
        """What comes next goes to a topic of its own."""
        name = f"posts-{next(self._numbers)}"
        kafka = KafkaSettings(servers=self._servers.broker.address, topic=name, idempotence=False)
        self._settings = Settings(kafka=kafka, ingest=NAMES)
        create_topics(kafka)

    def open_publisher(self) -> None:
        """A new topic, and a publisher that is connected."""
        self.new_topic()
        self._publisher = Publisher(self._settings.kafka, NAMES)

    def publish_ready(self) -> None:
        """The bytes of all posts."""
        assert self._publisher is not None
        topic = self._settings.kafka.topic
        for key, value in self._ready:
            self._publisher.publish_bytes(topic, key, value)
        self._publisher.flush()

    def replay(self, *, bare: bool) -> None:
        """The path of `bearometer replay`."""
        publish_source(self._what.rows(bare=bare), self._settings, self._what.clock, lambda _: None, lambda _: None)

    def ingest(self) -> None:
        """The path of `bearometer ingest`."""
        name, what, clock = self._settings.kafka.topic, self._what, self._what.clock
        settings = FileSettings(name=name, path=what.path, fields=what.fields)
        job = Job(name, "file", lambda: ResumableRows(FileSource(settings, NAMES, clock, once=True), what.most))
        with Ledger(SourceStore(self._engine), clock) as ledger:
            opened = self._settings
            run_jobs([job], lambda: Publisher(opened.kafka, NAMES), NAMES, clock, threading.Event(), ledger, once=True)

    def check(self) -> None:
        """Raises Failed unless each post lies on the topic once, and nothing but heartbeats beside them."""
        if self._publisher is not None:
            self._publisher.close()
            self._publisher = None
        kafka, expected = self._settings.kafka, len(self._what.posts)
        ends = sum(end_offsets(kafka, kafka.topic).values())
        messages = [decode(record.value) for record in read_topic(kafka, kafka.topic)]
        found = sum(isinstance(message, Post) for message in messages)
        if found != expected or ends != len(messages):
            message = (
                f"{expected:,} posts were published on {kafka.topic}, and {found:,} lie there; its end offsets add up "
                f"to {ends:,}, its messages to {len(messages):,}: the numbers of this run count for nothing"
            )
            raise Failed(message)

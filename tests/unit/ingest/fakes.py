"""Hand-written doubles of a source and of the publisher."""

from collections.abc import Callable, Iterator
from datetime import datetime

from bearometer.errors import Unavailable
from bearometer.post import Heartbeat, Post
from ingest.source import RawPost, Unreadable


class ListSource:
    """A source that gives a list."""

    def __init__(self, items: list[RawPost | Unreadable | None], *, live: bool = False) -> None:
        self.name = "list"
        self.live = live
        self._items = items

    def read(self) -> Iterator[RawPost | Unreadable | None]:
        yield from self._items


class MemoryPublisher:
    """A publisher that keeps everything, and is away as often as it is told to be."""

    def __init__(self, away: int = 0) -> None:
        self.sent: list[Post | Heartbeat] = []
        self.flushed = 0
        self.restored = 0
        self.away = away
        self.on_refusal: Callable[[], None] = lambda: None
        self.on_publish: Callable[[], None] = lambda: None

    @property
    def next_offsets(self) -> dict[int, int]:
        return {0: len(self.sent)}

    @property
    def posts(self) -> list[Post]:
        return [message for message in self.sent if isinstance(message, Post)]

    @property
    def beats(self) -> list[datetime]:
        return [message.at for message in self.sent if isinstance(message, Heartbeat)]

    def publish(self, post: Post) -> None:
        self._answer()
        self.sent.append(post)
        self.on_publish()

    def heartbeat(self, heartbeat: Heartbeat) -> None:
        self._answer()
        self.sent.append(heartbeat)

    def flush(self, timeout_seconds: float = 60.0) -> None:
        del timeout_seconds
        self._answer()
        self.flushed += 1

    def restore_topics(self) -> None:
        self.restored += 1

    def _answer(self) -> None:
        if self.away > 0:
            self.away -= 1
            self.on_refusal()
            message = "the broker is away"
            raise Unavailable(message)

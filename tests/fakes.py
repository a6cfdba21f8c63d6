"""Hand-written stand-ins for the expensive parts; each keeps the promises of the protocol it stands for."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from bearometer.clock import Clock
from bearometer.errors import Unavailable, WindowsLost
from bearometer.linking import find_spans
from bearometer.mention import Scored, Sentiment, Unscored
from bearometer.post import Post
from bearometer.progress import Progress
from bearometer.settings import SpamSettings
from model.classifier import Judgement, Passage
from storage.memory_stories import MemoryStoryStore
from stream.sift import Sift, Stories

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

NEGATIVE = Sentiment(0.9, 0.08, 0.02)
NEUTRAL = Sentiment(0.05, 0.9, 0.05)


def make_post(native_id: str, text: str = "Harbor Mills opens a plant", **changes: Any) -> Post:
    """A post about HBRM at noon, different where told so."""
    fields: dict[str, Any] = {
        "id": f"test:{native_id}",
        "source": "test",
        "text": text,
        "published_at": NOON,
        "ingested_at": NOON + timedelta(seconds=5),
        "fingerprint": f"{hash(text) & 0xFFFFFFFF:08x}",
        "symbols": ("HBRM",),
        "author": f"author-{native_id}",
    }
    return Post(**{**fields, **changes})


def make_sift(stories: Stories | None = None) -> Sift:
    """With stories in memory, unless others are given, the usual rules on spam, and a model that knows English."""
    return Sift(stories or MemoryStoryStore(), SpamSettings(), ("en",))


class KeywordClassifier:
    """Says `negative` of a text with the word `plunge`, nothing of one with `unscorable`, else `neutral`."""

    version = "keywords@1"

    def __init__(self) -> None:
        self.judged: list[str] = []

    def prepare(self, passages: Sequence[Passage]) -> Sequence[Passage]:
        return list(passages)

    def classify(self, prepared: Sequence[Passage]) -> list[Judgement | None]:
        self.judged.extend(passage.text for passage in prepared)
        return [self._judge(passage) for passage in prepared]

    def _judge(self, passage: Passage) -> Judgement | None:
        if "unscorable" in passage.text:
            return None
        sentiment = NEGATIVE if "plunge" in passage.text else NEUTRAL
        found = tuple(bool(find_spans(passage.text, entity)) for entity in passage.entities)
        return Judgement(sentiment, (sentiment,) * len(passage.entities), found)


class MemoryPosts:
    """Posts and progress in two dictionaries; fails as often as told before it works again."""

    def __init__(self, failures: int = 0) -> None:
        self.stored: dict[str, Scored] = {}
        self.unscored: dict[str, Unscored] = {}
        self.progress: dict[tuple[str, int], Progress] = {}
        self.failures = failures

    def save(self, batch: Sequence[Scored | Unscored], progress: Sequence[Progress]) -> list[Scored]:
        if self.failures:
            self.failures -= 1
            message = "Postgres does not answer"
            raise Unavailable(message)
        for one in batch:
            if isinstance(one, Scored):
                self.stored.setdefault(one.post.id, one)
            else:
                self.unscored.setdefault(one.post.id, one)
        self.progress.update({(step.topic, step.partition): step for step in progress})
        ids = dict.fromkeys(one.post.id for one in batch)
        return [self.stored[post_id] for post_id in ids if post_id in self.stored]


class MemoryWindows:
    """Posts that were counted, by id; lost until rebuilt when told so."""

    def __init__(self, *, lost: bool = False) -> None:
        self.counted: dict[str, Scored] = {}
        self.lost = lost
        self.rebuilds = 0
        self.restore_too: Callable[[], None] = lambda: None

    def add(self, scored: Sequence[Scored]) -> int:
        if self.lost:
            message = "no marker"
            raise WindowsLost(message)
        self.counted.update({one.post.id: one for one in scored})
        return len(scored)

    def rebuild(self, posts: MemoryPosts, clock: Clock) -> int:
        del clock
        self.counted = dict(posts.stored)
        self.lost = False
        self.rebuilds += 1
        self.restore_too()
        return len(self.counted)


def scores_of(stored: Mapping[str, Scored]) -> dict[str, str]:
    """Post id to label."""
    return {post_id: scored.sentiment.label for post_id, scored in stored.items()}

"""A batch of messages on its way: decoded, tokenised, classified, stored. No Kafka and no Faust in here."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from bearometer.clock import Clock
from bearometer.errors import Reason, Rejected, Transient, WindowsLost
from bearometer.linker import Linker, open_linker
from bearometer.mention import Mention, Scored, Unscored
from bearometer.post import Heartbeat, Post
from bearometer.progress import Progress
from bearometer.sketch import Sketch, make_sketch
from bearometer.wire import DeadLetter, decode
from model.classifier import Classifier, Judgement, Passage
from stream.sift import Sift, Sifted

__all__ = ["Batch", "BatchScorer", "Message", "Outcome", "Posts", "Windows"]

log = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_RETRY_SECONDS = 0.2
_LAST_RETRY_SECONDS = 15.0
_NO_ANSWER = "the classifier gave no probabilities"
_MAX_KEPT_BYTES = 600_000
"""Longer messages go to the dead letters without their bytes: in base64 they would be too large for a broker's usual
limit of a megabyte, and a letter that cannot be published would stop every worker in turn."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as the broker gave it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Posts(Protocol):
    """The part of the post store that a batch needs."""

    def save(self, batch: Sequence[Scored | Unscored], progress: Sequence[Progress]) -> list[Scored]:
        """Store in one transaction; what is to be counted, as stored, the first score winning."""
        ...


class Windows(Protocol):
    """The part of the window store that a batch needs."""

    def add(self, scored: Sequence[Scored]) -> int:
        """Count posts that are not counted yet; WindowsLost when Redis came back empty."""
        ...

    def rebuild(self, posts: Any, clock: Clock) -> int:
        """Count again everything that the post store has of the last hours."""
        ...


@dataclass(slots=True)
class _Slot:
    """The answer for one text, shared by all its repeats, filled when its batch is classified."""

    judgement: Judgement | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """A post that was read, with what is needed to finish it."""

    message: Message
    post: Post
    sketch: Sketch
    slot: _Slot | None
    """None where the model is not asked: `unscored` says why."""
    unscored: str = ""


@dataclass(slots=True)
class Batch:
    """Messages that were decoded and tokenised, in order."""

    messages: Sequence[Message]
    classifier: Classifier
    """The one that was in use when the batch was read: only it can make sense of `prepared`."""
    prepared: Any = None
    fresh: list[_Slot] = field(default_factory=list)
    posts: list[_Read] = field(default_factory=list)
    heartbeats: list[tuple[Message, Heartbeat]] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch: both stores have all of it but the dead letters, which are yet to be published."""

    messages: int
    posts: int
    cache_hits: int
    dead: tuple[DeadLetter, ...]


class BatchScorer:
    """Takes batches through classifier and stores in two steps, each to be called from one thread of its own.

    `read` of one batch may run while `finish` of the batch before does: tokenising overlaps inference. Batches
    must be finished in the order in which they were read. Finishing the same messages again changes nothing.

    `sift` knows which posts are scored, tell the same, or are spam. `linker` knows by which words a text names a
    symbol; by default that of the names that ship.
    `shadow` gets the posts of each batch that is in both stores; it must neither block nor raise.
    """

    def __init__(  # noqa: PLR0913 - each by name, from the one place that composes a worker
        self,
        *,
        classifier: Classifier,
        posts: Posts,
        windows: Windows,
        sift: Sift,
        clock: Clock,
        cache_size: int,
        stop: threading.Event,
        shadow: Callable[[Sequence[Post]], None] | None = None,
        linker: Linker | None = None,
    ) -> None:
        self._classifier = classifier
        self._linker = linker or open_linker()
        self._shadow = shadow
        self._posts = posts
        self._windows = windows
        self._sift = sift
        self._clock = clock
        self._cache_size = cache_size
        self._stop = stop
        self._cache: OrderedDict[tuple[str, str, tuple[str, ...]], _Slot] = OrderedDict()

    def use(self, classifier: Classifier) -> None:
        """Judge with this one from the next `read` on; a batch on its way keeps its own. From any thread."""
        self._classifier = classifier

    def read(self, messages: Sequence[Message]) -> Batch:
        """Decode, sketch and tokenise; what cannot be decoded becomes a dead letter."""
        batch = Batch(messages, self._classifier)
        passages: list[Passage] = []
        for message in messages:
            try:
                noun = decode(message.value)
            except Rejected as rejection:
                batch.dead.append(self._bury(message, rejection))
                continue
            if isinstance(noun, Heartbeat):
                batch.heartbeats.append((message, noun))
                continue
            if unscored := self._sift.why_unscored(noun):
                batch.posts.append(_Read(message, noun, make_sketch(noun), None, unscored))
                continue
            slot, is_new = self._find_slot(batch.classifier.version, noun)
            if is_new:
                batch.fresh.append(slot)
                passages.append(Passage(noun.text, noun.symbols, self._linker.locate(noun.text, noun.symbols)))
            batch.posts.append(_Read(message, noun, make_sketch(noun), slot))
        if passages:
            batch.prepared = batch.classifier.prepare(passages)
        return batch

    def finish(self, batch: Batch) -> Outcome:
        """Classify, find each post's story in Redis, write Postgres, then count in Redis.

        Blocks, retrying, while a store is away; raises Transient only when told to stop meanwhile. When it returns
        the messages may be acknowledged, once the dead letters are out.
        """
        if batch.fresh:
            judgements = batch.classifier.classify(batch.prepared)
            for slot, judgement in zip(batch.fresh, judgements, strict=True):
                slot.judgement = judgement
        dead = list(batch.dead)
        answered: list[_Read] = []
        for one in batch.posts:
            if one.slot is not None and one.slot.judgement is None:
                dead.append(self._bury(one.message, Rejected(Reason.UNSCORABLE, _NO_ANSWER)))
            else:
                answered.append(one)
        version = batch.classifier.version
        judged = [_join(one, sifted, version) for one, sifted in zip(answered, self._place(answered), strict=True)]
        stored = self._retry("Postgres", lambda: self._posts.save(judged, _find_progress(batch)))
        self._retry("Redis", lambda: self._with_windows(lambda: self._count(answered, stored)))
        if self._shadow is not None:
            self._shadow([one.post for one in judged if isinstance(one, Scored)])
        return Outcome(
            messages=len(batch.messages),
            posts=len(batch.posts),
            cache_hits=sum(one.slot is not None for one in batch.posts) - len(batch.fresh),
            dead=tuple(dead),
        )

    def restore_windows(self) -> None:
        """Restore Redis if it came back empty, though no batch may come for hours; blocks while a store is away."""
        self._retry("Redis", lambda: self._with_windows(lambda: self._windows.add(())))

    def _place(self, answered: Sequence[_Read]) -> list[Sifted]:
        posts, sketches = [one.post for one in answered], [one.sketch for one in answered]
        return self._retry("Redis", lambda: self._with_windows(lambda: self._sift.place(posts, sketches)))

    def _count(self, answered: Sequence[_Read], stored: Sequence[Scored]) -> None:
        self._sift.confirm([one.sketch for one in answered], stored)
        self._windows.add(stored)

    def _find_slot(self, version: str, post: Post) -> tuple[_Slot, bool]:
        key = (version, post.fingerprint, post.symbols)
        slot = self._cache.get(key)
        if slot is not None:
            self._cache.move_to_end(key)
            return slot, False
        slot = self._cache[key] = _Slot()
        if len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)
        return slot, True

    def _with_windows(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except WindowsLost:
            log.warning("Redis has lost its windows: restoring them from Postgres")
            self._windows.rebuild(self._posts, self._clock)
            return call()

    def _retry(self, server: str, call: Callable[[], T]) -> T:
        wait = _FIRST_RETRY_SECONDS
        while True:
            try:
                return call()
            except Transient as error:
                if self._stop.is_set():
                    raise
                log.warning("%s: trying again in %.1f s: %s", server, wait, error)
            self._stop.wait(wait)
            wait = min(wait * 2, _LAST_RETRY_SECONDS)

    def _bury(self, message: Message, rejection: Rejected) -> DeadLetter:
        key, value, detail = message.key, message.value, rejection.detail[:500]
        size = len(key or b"") + len(value or b"")
        if size > _MAX_KEPT_BYTES:
            key, value = None, None
            detail = f"{size} bytes, too many to be kept here; they lie at this topic and offset. {detail}"
        return DeadLetter(
            reason=rejection.reason,
            detail=detail,
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            failed_at=self._clock.now(),
            key=key,
            value=value,
        )


def _join(read: _Read, sifted: Sifted, model: str) -> Scored | Unscored:
    post = read.post
    judgement = read.slot.judgement if read.slot is not None else None
    if judgement is None:
        return Unscored(post, read.unscored, sifted.story, sifted.spam)
    mentions = tuple(
        Mention(symbol, sentiment, in_text)
        for symbol, sentiment, in_text in zip(post.symbols, judgement.entities, judgement.found, strict=True)
    )
    return Scored(
        post=post,
        sentiment=judgement.sentiment,
        mentions=mentions,
        model=model,
        topics=judgement.topics,
        story=sifted.story,
        spam=sifted.spam,
    )


def _find_progress(batch: Batch) -> list[Progress]:
    newest: dict[tuple[str, int], datetime] = {}
    for message, moment in (
        # A post from the future (a feed with a wrong time zone) must not make all others late.
        *((one.message, min(one.post.published_at, one.post.ingested_at)) for one in batch.posts),
        *((m, h.at) for m, h in batch.heartbeats),
    ):
        place = (message.topic, message.partition)
        newest[place] = max(moment, newest.get(place, moment))
    next_offset: dict[tuple[str, int], int] = {}
    for message in batch.messages:
        place = (message.topic, message.partition)
        next_offset[place] = max(message.offset + 1, next_offset.get(place, 0))
    return [Progress(*place, offset, newest.get(place)) for place, offset in sorted(next_offset.items())]

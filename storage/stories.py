"""Which story a post tells, decided over all workers: what leads to stories lies in Redis, for `redis.ttl_hours`."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from redis.exceptions import LockError

from bearometer.errors import Transient
from bearometer.settings import RedisSettings
from bearometer.sketch import SKETCH_VERSION, Sketch
from bearometer.story import Placement
from storage.chunks import chunks
from storage.redis_errors import connect_redis, translated_errors
from storage.story_plan import (
    ID_BYTES,
    POSTS,
    STORIES_PER_TOKEN,
    Asked,
    Filed,
    Plan,
    Put,
    begins,
    pack_story,
    stories_in,
)

__all__ = ["StoryStore"]

POSTS_PER_CALL = 64
"""Redis serves nobody else while a script runs: this many take about 10 ms."""
TRIES = 5
"""Of a batch on which others have intruded; then its posts go one by one."""
TRIES_ALONE = 50
TURNS = 50
"""So many batches on, a worker that met others waits for its turn: they are at the same stories, a template perhaps."""
TURN_SECONDS = 2.0
"""Whoever has waited so long, or has had its turn so long, is waited for no longer."""
LENGTH = [bytes([length]) for length in range(STORIES_PER_TOKEN * ID_BYTES + 1)]
SCRIPT = Path(__file__).with_name("place_posts.lua")


class StoryStore:
    """The stories of the last days. Safe to share between threads; any number of workers have their own.

    A post joins the story in which its fingerprint was seen, or else the one whose first post is most like it
    (`compare` of bearometer/sketch.py); if there is none, it begins one. Only stories count whose first post was
    published within `hours` of it, before or after. Times are the posts' own, so that a replay at any speed finds the
    same stories.

    What is decided is written in one step, and only if all that it rests on is still so; else it is decided anew. So
    however many workers place near-repeats at once, they all get one story. Workers that were in each other's way take
    turns for a while.

    Nothing is placed unless the guard of the windows says that Redis holds everything (storage/windows.py): after an
    empty start, or any restart of Redis, `place` raises WindowsLost until a rebuild has had everything `remember`ed.

    Redis needs about 2 kB for a post that begins a story and 0.1 to 0.3 kB for one that joins it. Of authors and ids it
    gets digests only. Redis Cluster is not supported.
    """

    def __init__(self, settings: RedisSettings, hours: float = 24.0) -> None:
        self._redis = connect_redis(settings)
        self._complete = f"{settings.prefix}:complete"
        self._base = f"{settings.prefix}:story:v{SKETCH_VERSION}:"
        self._life = int(timedelta(hours=settings.ttl_hours).total_seconds() * 1000)
        self._reach = int(hours * 3600)
        self._script = self._redis.register_script(SCRIPT.read_text("utf-8"))
        self._crowded = 0

    def epoch(self) -> str:
        """Another one after all that was placed was lost, and perhaps remembered again; empty before anything is."""
        with translated_errors(self._redis):
            epoch: Any = self._redis.get(f"{self._base}epoch")
        return (epoch or b"").decode()

    def place(self, sketches: Sequence[Sketch]) -> list[Placement]:
        """Where each post stands, in order; posts come into being in this order.

        A post that was placed before has the same story and the same numbers again (while its time stays the same),
        and counts once. How the posts are cut into batches changes nothing.

        WindowsLost when Redis does not hold everything, Unavailable when it is away, Transient when others intruded too
        often. Some of the batch may be placed then, and the same call may simply be repeated.
        """
        placed: list[Placement] = []
        # Without posts the guard is still looked at: a worker learns of the loss at once.
        for batch in chunks(sketches, POSTS_PER_CALL) if sketches else [[]]:
            asked = [Asked.of(sketch, self._reach) for sketch in batch]
            placed += self._write(asked, None, self._complete, "")
        return placed

    def remember(self, stored: Iterable[tuple[Sketch, str]], guard: str | None = None, token: str = "") -> None:
        """Know again posts, each with the story that it is stored with, in any order; again changes nothing.

        For a rebuild, which calls it under its own guard and token, as storage/windows.py counts posts. Whatever is no
        story's id is left out (posts of older versions have none). Where a story's first post does not come, the first
        to come stands in for it. Raises as `place`.

        The posts are counted, but the numbers that each was placed with are gone with Redis: one that is delivered
        again afterwards is told to be the first of its text and of its author, so that nothing hides it for what came
        later. A post that was placed before the loss and is not stored is a new one.
        """
        known = ((Asked.of(sketch, self._reach), pack_story(story)) for sketch, story in stored)
        usable = ((asked, story) for asked, story in known if story)
        while batch := list(islice(usable, POSTS_PER_CALL)):
            self._write([asked for asked, _ in batch], [story for _, story in batch], guard or self._complete, token)

    def _write(self, batch: list[Asked], told: list[bytes] | None, guard: str, token: str) -> list[Placement]:
        for _ in range(TRIES if len(batch) > 1 else TRIES_ALONE):
            with self._turn() if self._crowded else nullcontext():
                placed = self._try(batch, told, guard, token)
            if placed is not None:
                self._crowded = max(0, self._crowded - 1)
                return placed
            self._crowded = TURNS
        if len(batch) == 1:
            message = "the stories in Redis were changed by others too often; try again"
            raise Transient(message)
        alone = [([asked], told and [told[n]]) for n, asked in enumerate(batch)]
        return [placement for one, its_story in alone for placement in self._write(one, its_story, guard, token)]

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One at a time of those who ask for it; that nothing is written on what has changed does not rest on it."""
        lock = self._redis.lock(f"{self._base}turn", timeout=TURN_SECONDS, sleep=0.005, blocking_timeout=TURN_SECONDS)
        with translated_errors(self._redis):
            is_ours = lock.acquire()
        try:
            yield
        finally:
            if is_ours:
                with suppress(LockError), translated_errors(self._redis):
                    lock.release()

    def _try(self, batch: list[Asked], told: list[bytes] | None, guard: str, token: str) -> list[Placement] | None:
        """The placements, or None when somebody else changed what they rest on, and nothing was written."""
        keys = [guard, self._base]
        posts = [len(batch), *(part for asked in batch for part in _asking(asked))]
        with translated_errors(self._redis):
            answer: Any = self._script(keys=keys, args=[token, self._life, "", "", *posts])
            version, digest, found = answer
            filed = _by_token(found)
            plan = Plan(self._reach, filed, self._read_leaders(stories_in(filed).union(told or ())))
            if told is None:
                puts = [plan.place(asked) for asked in batch]
            else:
                puts = [plan.remember(asked, story) for asked, story in zip(batch, told, strict=True)]
            arguments = [*posts, *_changes(plan), *(part for put in puts for part in _putting(put))]
            written: Any = self._script(keys=keys, args=[token, self._life, version, digest, *arguments])
        if len(written) < 2 * len(puts):
            return None
        return [_placement(put, *written[2 * n : 2 * n + 2]) for n, put in enumerate(puts)]

    def _read_leaders(self, stories: set[bytes]) -> dict[bytes, bytes]:
        ordered = sorted(stories)
        if not ordered:
            return {}
        kept: Any = self._redis.mget([f"{self._base}leader:{story.hex()}" for story in ordered])
        return {story: leader for story, leader in zip(ordered, kept, strict=True) if leader is not None}


def _asking(asked: Asked) -> tuple[Any, ...]:
    (_, post), (_, text), *bands = asked.tokens
    return asked.slots[0], asked.slots[-1], post, text, len(bands), b"".join(band for _, band in bands)


def _by_token(found: list[Any]) -> Filed:
    filed: Filed = {}
    for at in range(0, len(found), 4):
        slot, kind, token, stories = found[at : at + 4]
        # With a post's story stand its numbers, which are the script's affair.
        filed.setdefault((kind, token), {})[slot] = stories[:ID_BYTES] if kind == POSTS else stories
    return filed


def _changes(plan: Plan) -> Iterator[Any]:
    """What tokens hold from now on, those of one hash together: few long arguments, for each costs a microsecond."""
    of_hash: dict[tuple[int, int], list[tuple[bytes, bytes]]] = {}
    for slot, token in plan.changed:
        kind, name = token
        of_hash.setdefault((slot, kind), []).append((name, plan.filed[token][slot]))
    yield len(of_hash)
    for (slot, kind), parts in of_hash.items():
        names = b"".join([name for name, _ in parts])
        stories = b"".join([part for _, held in parts for part in (LENGTH[len(held)], held)])
        yield from (slot, kind, len(parts), names, stories)


def _putting(put: Put) -> tuple[Any, ...]:
    asked = put.asked
    return put.story, asked.author, asked.text, put.leader, asked.hour, put.slot, put.how.value


def _placement(put: Put, same_text_authors: int, author_posts: int) -> Placement:
    story = put.story.hex()
    return Placement(story, begins(story, put.asked.sketch.post_id), same_text_authors, author_posts)

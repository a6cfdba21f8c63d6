"""Which story each post of a batch joins, and what is to be written for it: the decisions of storage/stories.py.

Whatever leads from a post to a story is a **token**: the digest of the post's id, that of its fingerprint, or one of
its bands. A token is filed in a slot, twelve hours of event time, and holds the ids of up to eight stories, the newest
last; a post's token that of its one story.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from bearometer.sketch import Leader, Sketch, compare
from bearometer.story import story_id

__all__ = [
    "AUTHOR_BYTES",
    "FIRST_BAND",
    "ID_BYTES",
    "POSTS",
    "SLOT",
    "STORIES_PER_TOKEN",
    "Asked",
    "Filed",
    "How",
    "Plan",
    "Put",
    "author_digest",
    "begins",
    "pack_story",
    "post_token",
    "stories_in",
]

SLOT = 43_200
"""Seconds. The shorter, the sooner all of a slot has expired, and the more of them are looked through for a post."""
POSTS, TEXTS, FIRST_BAND = 1, 2, 3
"""Kinds of tokens; each band is a kind of its own."""
ID_BYTES = 8
STORIES_PER_TOKEN = 8
"""A band that more stories share says little: the newest are kept."""
COMPARED = 50
"""So many leaders at most are compared with a post: those that share most bands with it."""
AUTHOR_BYTES = 6
LEADER_AT = 2 * AUTHOR_BYTES
"""Before a leader's own bytes stand its author's digest and its text's."""

Token: TypeAlias = tuple[int, bytes]
"""Its kind, and what it is within that."""
Filed: TypeAlias = dict[Token, dict[int, bytes]]
"""For each token the stories that it holds in each slot."""


def begins(story: str, post_id: str) -> bool:
    """Whether the post is the story's first."""
    return story == story_id(post_id)


def pack_story(story: str) -> bytes:
    """A story's id as Redis keeps it; empty for what is none."""
    try:
        packed = bytes.fromhex(story)
    except ValueError:
        return b""
    return packed if len(packed) == ID_BYTES and packed.hex() == story else b""


def post_token(post_id: str) -> Token:
    """What leads from a post, delivered again, to its story."""
    return POSTS, _digest(b"post", post_id, 10)


def author_digest(name: str) -> bytes:
    """All that is kept of an author. As in buckets, a name is one author whatever the source."""
    return _digest(b"author", name, AUTHOR_BYTES)


@dataclass(frozen=True, slots=True)
class Asked:
    """A post of the batch with all that leads to its story."""

    sketch: Sketch
    at: int
    """When it was published, in seconds."""
    slots: range
    """Where stories that it may join are filed."""
    tokens: tuple[Token, ...]
    """Of the post, of its fingerprint, then of each band."""
    author: bytes
    text: bytes
    hour: bytes
    """Under which its author's posts of this hour are counted: his digest first; empty without an author."""

    @property
    def slot(self) -> int:
        """Where a story that begins with it is filed."""
        return self.at // SLOT

    @classmethod
    def of(cls, sketch: Sketch, reach: int) -> "Asked":
        """`reach` is how many seconds before and after a story's first post others may join it."""
        at = sketch.leader.published_at
        tokens = (
            post_token(sketch.post_id),
            (TEXTS, _digest(b"fingerprint", sketch.fingerprint, 10)),
            *enumerate(sketch.bands, FIRST_BAND),
        )
        author = author_digest(sketch.author or sketch.post_id)
        hour = author + _digest(b"source", sketch.source, 3) + bytes([at % SLOT // 3600]) if sketch.author else b""
        text = _digest(b"text", sketch.fingerprint, 6)
        return cls(sketch, at, range((at - reach) // SLOT, (at + reach) // SLOT + 1), tokens, author, text, hour)


class How(Enum):
    """How a post came to its story."""

    KNOWN = 0
    """It has it already: nothing is to be counted, and its numbers are those that it was placed with."""
    PLACED = 1
    REMEMBERED = 2
    """It is counted, but its numbers stay unknown: which posts came before it, nobody can say any more."""


@dataclass(frozen=True, slots=True)
class Put:
    """What was decided of a post."""

    asked: Asked
    story: bytes
    slot: int
    """Where its own token is filed."""
    how: How
    leader: bytes = b""
    """What is to be kept of it as the story's leader."""


@dataclass(slots=True)
class Plan:
    """Puts posts into stories, one after the other, on what was read; the later ones see what the earlier ones did."""

    reach: int
    filed: Filed
    """What tokens hold; changed in place."""
    leaders: dict[bytes, bytes]
    """Of every story that the tokens hold, as kept; one that is missing has expired."""
    changed: set[tuple[int, Token]] = field(default_factory=set)
    """Of texts and bands: what is to be written there. A post's token is written with its numbers."""
    _read: dict[bytes, Leader | None] = field(default_factory=dict, init=False)

    def place(self, asked: Asked) -> Put:
        """The story that the post has, or joins, or begins."""
        _, text, *bands = asked.tokens
        if known := self._find_known(asked):
            return known
        story = self._find_exact(asked, text) or self._find_alike(asked, bands)
        leader = b""
        if not story:
            story = pack_story(story_id(asked.sketch.post_id))
            leader = self._lead(asked, story)
        self._file(self._slot_of(story, asked), text, story)
        return self._put(asked, story, How.PLACED, leader)

    def remember(self, asked: Asked, story: bytes) -> Put:
        """Have the post in the story that it is stored with, unless it has one already."""
        text = asked.tokens[1]
        if known := self._find_known(asked):
            return known
        leader = b""
        if begins(story.hex(), asked.sketch.post_id) or self._leader(story) is None:
            leader = self._lead(asked, story)
        # Its first post may yet come, in another slot: the text is found from here too.
        self._file(asked.slot, text, story)
        self._file(self._slot_of(story, asked), text, story)
        return self._put(asked, story, How.REMEMBERED, leader)

    def _put(self, asked: Asked, story: bytes, how: How, leader: bytes) -> Put:
        self.filed.setdefault(asked.tokens[0], {})[asked.slot] = story
        return Put(asked, story, asked.slot, how, leader)

    def _find_known(self, asked: Asked) -> Put | None:
        by_slot = self.filed.get(asked.tokens[0], {})
        slot = max((slot for slot in asked.slots if slot in by_slot), default=None)
        return None if slot is None else Put(asked, by_slot[slot], slot, How.KNOWN)

    def _find_exact(self, asked: Asked, text: Token) -> bytes:
        found = [(self._distance(story, asked), story) for story in self._stories(asked, text)]
        return min(((distance, story) for distance, story in found if distance <= self.reach), default=(0, b""))[1]

    def _find_alike(self, asked: Asked, bands: Iterable[Token]) -> bytes:
        shared = Counter(story for band in bands for story in set(self._stories(asked, band)))
        best: tuple[float, float, int, bytes] | None = None
        for story, _ in sorted(shared.items(), key=lambda item: (-item[1], item[0]))[:COMPARED]:
            leader = self._leader(story)
            distance = self._distance(story, asked)
            if leader is None or distance > self.reach:
                continue
            alike = compare(leader, asked.sketch.leader)
            if alike.is_same:
                rank = (-alike.resemblance, -alike.containment, distance, story)
                best = rank if best is None else min(best, rank)
        return best[-1] if best else b""

    def _stories(self, asked: Asked, token: Token) -> list[bytes]:
        by_slot = self.filed.get(token)
        if by_slot is None:
            return []
        return [story for slot in asked.slots if slot in by_slot for story in _split(by_slot[slot])]

    def _distance(self, story: bytes, asked: Asked) -> int:
        leader = self._leader(story)
        return self.reach + 1 if leader is None else abs(leader.published_at - asked.at)

    def _slot_of(self, story: bytes, asked: Asked) -> int:
        """Where the story is filed; where the post would be when that lies out of its sight."""
        leader = self._leader(story)
        slot = asked.slot if leader is None else leader.published_at // SLOT
        return slot if slot in asked.slots else asked.slot

    def _lead(self, asked: Asked, story: bytes) -> bytes:
        kept = asked.author + asked.text + asked.sketch.leader.to_bytes()
        self.leaders[story] = kept
        self._read.pop(story, None)
        for band in asked.tokens[2:]:
            self._file(asked.slot, band, story)
        return kept

    def _leader(self, story: bytes) -> Leader | None:
        if story not in self._read:
            try:
                self._read[story] = Leader.from_bytes(self.leaders.get(story, b"")[LEADER_AT:])
            except ValueError:  # nothing, or nothing that we wrote
                self._read[story] = None
        return self._read[story]

    def _file(self, slot: int, token: Token, story: bytes) -> None:
        by_slot = self.filed.setdefault(token, {})
        held = by_slot.get(slot, b"")
        if not held or story not in _split(held):
            by_slot[slot] = (held + story)[-STORIES_PER_TOKEN * ID_BYTES :]
            self.changed.add((slot, token))


def stories_in(filed: Filed) -> set[bytes]:
    """Every story that is held there."""
    return {story for by_slot in filed.values() for held in by_slot.values() for story in _split(held)}


def _split(held: bytes) -> Iterator[bytes]:
    for at in range(0, len(held), ID_BYTES):
        yield held[at : at + ID_BYTES]


def _digest(kind: bytes, text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=size, person=kind).digest()

"""Whether two posts tell the same: MinHash finds who might, what they share and what differs decides.

A post's words, one by one and in pairs, are its shingles. Their resemblance and containment (Broder, On the resemblance
and containment of documents, 1997) are exact for short posts, and estimated from the least hashes for long ones.
Candidates share a band of MinHash values (Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, section 3.4).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from typing import Self

from rensa import RMinHash

from bearometer.post import Post
from bearometer.sketch_opposites import NEGATED, find_opposites
from bearometer.sketch_order import find_reorderings
from bearometer.sketch_words import Said, read_said

__all__ = ["SKETCH_VERSION", "Comparison", "Leader", "Sketch", "compare", "is_same", "make_sketch"]

SKETCH_VERSION = 1
"""Sketches of different versions cannot be compared; it belongs into the name of whatever keeps them."""

MIN_WORDS = 5
"""A text with fewer is the same only as exactly that text."""
SAME_RESEMBLANCE = 0.5
"""So large a part of the shingles of both is shared."""
SAME_CONTAINMENT = 0.8
"""Or so large a part of the shorter one's."""

ROWS = 3
BANDS = 20
SEED = 20_151_014
KEPT = 48
"""Hashes of a text's shingles that are kept, the least: all of them for up to 24 words or so."""
MAX_SYMBOLS = 64

_HEADER = struct.Struct(">qI16sBB")
_ROWS = struct.Struct(f">{BANDS * ROWS}H")
LONGER = 4
"""So many times as long a text may be of which not all hashes are kept, to say whether the other stands in it."""
TOLERATED = 5
"""Of so many figures or names one may differ."""
STEM = 4
"""Letters."""
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Leader:
    """What must be known of a post to decide whether another one tells the same."""

    fingerprint: str
    published_at: int
    """Seconds since 1970, UTC."""
    size: int
    """Shingles; 0 for a text that only its exact copies repeat."""
    shingles: frozenset[int]
    """The least hashes, at most 48."""
    numbers: frozenset[str]
    """Figures, weekdays, months and quarters."""
    names: frozenset[str]
    """Words that are not common ones."""
    symbols: frozenset[str]
    stance: int
    """Which of opposite words stand in it (bearometer/sketch_opposites.py)."""
    order: tuple[int, ...]
    """Its words in order, hashed; none of a text of more than 40 (bearometer/sketch_order.py)."""

    def to_bytes(self) -> bytes:
        """Some 150 bytes for a usual post."""
        hashes = struct.pack(f">{len(self.shingles)}I{len(self.order)}H", *sorted(self.shingles), *self.order)
        texts = "\n".join(
            (self.fingerprint, *(" ".join(sorted(each)) for each in (self.numbers, self.names, self.symbols)))
        )
        header = _HEADER.pack(
            self.published_at, self.size, self.stance.to_bytes(16), len(self.shingles), len(self.order)
        )
        return header + hashes + texts.encode()

    @classmethod
    def from_bytes(cls, packed: bytes) -> Self:
        """What `to_bytes` of the same SKETCH_VERSION gave. Raises ValueError for what it cannot have given."""
        try:
            published_at, size, stance, count, length = _HEADER.unpack_from(packed)
            hashes = struct.unpack_from(f">{count}I", packed, _HEADER.size)
            order = struct.unpack_from(f">{length}H", packed, _HEADER.size + 4 * count)
            fingerprint, *sets = packed[_HEADER.size + 4 * count + 2 * length :].decode().split("\n")
        except (struct.error, ValueError) as error:
            message = f"these {len(packed)} bytes are no leader of a story"
            raise ValueError(message) from error
        numbers, names, symbols = (frozenset(each.split()) for each in sets)
        return cls(
            fingerprint, published_at, size, frozenset(hashes), numbers, names, symbols, int.from_bytes(stance), order
        )


@dataclass(frozen=True, slots=True)
class Sketch:
    """A post as the search for near-repeats sees it."""

    post_id: str
    fingerprint: str
    source: str
    author: str | None
    published_at: datetime
    symbols: tuple[str, ...]
    bands: tuple[bytes, ...]
    """Short keys; posts that tell the same have one in common, nearly always. None for a text of a few words."""
    leader: Leader
    """What to keep if a story begins with this post."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How alike two posts are."""

    exact: bool
    """The same fingerprint: nothing else matters then."""
    resemblance: float
    """Shingles shared, of all that either has."""
    containment: float
    """Shingles shared, of those of the shorter one; 0 where too few hashes are known to tell."""
    blocks: tuple[str, ...]
    """Why they are not the same however alike; may be none."""

    @property
    def is_alike(self) -> bool:
        """Whether they share enough."""
        return self.exact or self.resemblance >= SAME_RESEMBLANCE or self.containment >= SAME_CONTAINMENT

    @property
    def is_same(self) -> bool:
        """Whether they tell the same."""
        return self.exact or (self.is_alike and not self.blocks)


def make_sketch(post: Post) -> Sketch:
    """The sketch of a post; the same in every process and on every machine. In time linear in its text."""
    said = read_said(post.text)
    bands: tuple[bytes, ...] = ()
    size, kept = 0, frozenset[int]()
    if len(said.words) - said.letters / 2 >= MIN_WORDS:
        shingles = _shingle(said)
        bands = tuple(_find_bands(shingles))
        size = len(shingles)
        (hashes,) = RMinHash.hash_token_sets([shingles])
        kept = frozenset(sorted({value >> 32 for value in hashes})[:KEPT])
    leader = Leader(
        fingerprint=_one_word(post.fingerprint),
        published_at=int(post.published_at.timestamp()),
        size=size,
        shingles=kept,
        numbers=frozenset(said.numbers),
        names=frozenset(said.names).difference(symbol.lower() for symbol in post.symbols),
        symbols=frozenset(map(_one_word, post.symbols[:MAX_SYMBOLS])),
        stance=said.stance,
        order=said.order,
    )
    return Sketch(post.id, post.fingerprint, post.source, post.author, post.published_at, post.symbols, bands, leader)


def is_same(one: Leader, other: Leader) -> bool:
    """Whether two posts tell the same, whichever came first; their times do not matter."""
    return compare(one, other).is_same


def compare(one: Leader, other: Leader) -> Comparison:
    """How alike two posts are, and what keeps them apart; the same in either order."""
    exact = one.fingerprint == other.fingerprint
    if not one.size or not other.size:
        few = "too few words: only an exact copy is the same"
        return Comparison(exact, float(exact), float(exact), () if exact else (few,))
    resemblance = _resemblance(one.shingles, other.shingles)
    short, long = sorted((one.size, other.size))
    containment = 0.0
    if long <= KEPT or long <= LONGER * short:
        containment = min(1.0, resemblance / (1 + resemblance) * (short + long) / short)
    found = Comparison(exact, resemblance, containment, () if exact else tuple(_find_blocks(one, other)))
    if found.is_same and not exact:
        # Last, for it takes most time and needs texts that are alike.
        return replace(found, blocks=tuple(find_reorderings(one.order, other.order)))
    return found


def _one_word(name: str) -> str:
    """As `to_bytes` can hold it: what came another way than by ingest may have white space."""
    return "_".join(name.split())


def _find_blocks(one: Leader, other: Leader) -> Iterator[str]:
    if _differ(one.numbers, other.numbers, len(one.numbers & other.numbers)):
        yield f"different numbers: {_list(one.numbers - other.numbers)} / {_list(other.numbers - one.numbers)}"
    mine, yours = one.names - other.names, other.names - one.names
    if mine and yours and _differ(one.names, other.names, len(one.names & other.names) + _count_alike(mine, yours)):
        yield f"different names: {_list(mine)} / {_list(yours)}"
    if one.symbols and other.symbols and not one.symbols & other.symbols:
        yield f"different symbols: {_list(one.symbols)} / {_list(other.symbols)}"
    if (one.stance ^ other.stance) & NEGATED:
        yield "one of them says no"
    for first, second in find_opposites(one.stance, other.stance):
        yield f"opposite words: {first} / {second}"


def _differ(one: frozenset[str], other: frozenset[str], shared: int) -> bool:
    """Whether each has what the other lacks; of five that the one with fewer has, one may be missing."""
    fewer = min(len(one), len(other))
    return shared < fewer - fewer // TOLERATED


def _count_alike(one: frozenset[str], other: frozenset[str]) -> int:
    """Words of either that begin like one of the other: Venezuela, Venezuelan, and what was cut off."""
    mine, yours = ([word for word in words if len(word) >= STEM] for words in (one, other))
    alike = [(a, b) for a in mine for b in yours if a.startswith(b) or b.startswith(a)]
    return min(len({a for a, _ in alike}), len({b for _, b in alike}))


def _list(words: frozenset[str]) -> str:
    shown = sorted(words)
    return ", ".join(shown[:SHOWN]) + (", …" if len(shown) > SHOWN else "")


def _resemblance(one: frozenset[int], other: frozenset[int]) -> float:
    """Exact when both hold all hashes of their text."""
    both = one & other
    if len(one) < KEPT and len(other) < KEPT:
        return len(both) / (len(one) + len(other) - len(both))
    least = sorted(one | other)[:KEPT]
    return sum(value in both for value in least) / len(least)


def _shingle(said: Said) -> list[str]:
    words = said.words
    pairs = (f"{first} {second}" for first, second in pairwise(words))
    return list(dict.fromkeys((*words, *pairs)))


def _find_bands(shingles: list[str]) -> Iterator[bytes]:
    """Of each row two bytes, which is enough for a candidate."""
    hashed = RMinHash(BANDS * ROWS, SEED)
    hashed.update(shingles)
    rows = _ROWS.pack(*[value >> 16 for value in hashed.digest()])
    width = 2 * ROWS
    for band, start in enumerate(range(0, len(rows), width)):
        yield band.to_bytes(1, "big") + rows[start : start + width]

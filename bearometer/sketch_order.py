"""Whether of two short texts one puts a word in another's place, turns a word round, or swaps who and whom.

A copy is cut off, gets words added or loses its marks; who puts one word for another at the same place and copies the
rest says something else: "names a new financial officer" and "product officer".
"""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from zlib import crc32

from bearometer.sketch_opposites import stance_of

__all__ = ["find_reorderings", "read_order"]

MAX_ORDER = 40
"""Of a text with more words no order is kept."""
MAX_REPLACED = 2
"""Words in one place; more are a text written anew."""
MAX_SWAPPED = 3
"""Words of a name."""
PREFIX = 6
"""Letters of a word without its ending that count: what was torn or inflected is not another word."""

STUMP = 4
"""Letters; a shorter last word may have been torn."""

_FUNCTION, _CONTENT, _TURNED = range(3)
"""Lowest two bits of a word in an order; 3 turns one of the last two into the other."""

_FUNCTIONAL = """
a an the this that these those and or but nor so yet if than then of to in on at by for from with as into onto over off
out up down about amid among around against after before during through via per upon within without toward towards under
until till since because due between is are was were be been being am has have had having do does did will would shall
should can could may might must it its he she his her him they their them we our us you your i my me hers himself
herself themselves im ive id who whom whose which what when where why how there here not no also just still now today
yesterday tomorrow tonight says say said saying despite according report reports reported reporting reportedly source
sources see sees sets set some any all each very too more most new latest amp s t u w m d re ll ve vs
"""
_FUNCTION_WORDS = frozenset(_FUNCTIONAL.split())
"""Put for one another, or for a word that counts, they say nothing new (or stand among the opposites)."""

_ALIKE = """
share shares stock stocks equity equities
deal deals agreement agreements accord pact
company companies firm firms group corp inc co maker
ceo chief boss head
probe probes investigation investigations inquiry inquiries
plant plants factory factories
shut shuts shutting close closes closing closed
quit quits resign resigns resigned leave leaves leaving
price prices pricing
plan plans planned planning want wants aim aims seek seeks intend intends look looks mull mulls consider considers eye
  eyes weigh weighs
job jobs worker workers staff employee employees position positions
big large huge major significant biggest largest
forecast forecasts estimate estimates expectation expectations view views guidance outlook
show shows reveal reveals
result results earnings
buyback buybacks repurchase
deadline
u.s us american america
pct percent per cent
car cars vehicle vehicles auto autos
wage wages pay salary salaries
die dies died dead death
truck trucks lorry lorries
announce announces announced unveil unveils unveiled
cut cuts lower lowers lowered reduce reduces reduced slash slashes slashed trim trims trimmed downgrade downgrades
  downgraded
raise raises raised boost boosts boosted lift lifts lifted increase increases increased hike hikes hiked upgrade
  upgrades upgraded
issue issues assign assigns give gives
start starts started begin begins began
end ends ended stop stops stopped halt halts halted
beat beats top tops exceed exceeds
name names appoint appoints pick picks
fix fixes repair repairs
"""
_SAME_AS = {word: words[0] for words in map(str.split, re.split(r"\n(?! )", _ALIKE.strip())) for word in words}
_ENDING = re.compile(r"(?<=..)(?:ings?|ied|ies|ers?|ed|es|s|e|y|ly)$")
_TURNING = re.compile(r"^(?:un|dis|non|mis|de)(?=[a-z]{4})")

_UNMOVED = frozenset({"number", "part", "torn"})
"""Figures have a guard of their own."""


def read_order(tokens: Sequence[tuple[str, str]]) -> tuple[int, ...]:
    """Kinds and words as numbers of 16 bits, in order; none of a long text."""
    if len(tokens) > MAX_ORDER:
        return ()
    order: list[int] = []
    turned = False
    for kind, word in tokens:
        if word == "non":
            turned = True
            continue
        code = _hash(word, _FUNCTION) if kind in _UNMOVED else _encode(word)
        order.append(code ^ 3 if turned and code & 3 != _FUNCTION else code)
        turned = False
    if order and len(tokens[-1][1]) < STUMP and not stance_of(tokens[-1][1]):
        order[-1] &= ~3
    return tuple(order)


@lru_cache(maxsize=20_000)
def _encode(word: str) -> int:
    if word in _FUNCTION_WORDS:
        return _hash(word, _FUNCTION)
    kind = _CONTENT
    if word not in _SAME_AS and not stance_of(word):
        base = _TURNING.sub("", word)
        kind = _CONTENT if base == word else _TURNED
        word = base
    if word in _SAME_AS:
        word = _SAME_AS[word]
    elif stance := stance_of(word):
        return _hash(f"/{stance & -stance}", kind)
    stem = _ENDING.sub("", word)
    if len(stem) > 3 and stem[-1] == stem[-2]:
        stem = stem[:-1]
    return _hash(stem[:PREFIX], kind)


def _hash(word: str, kind: int) -> int:
    return crc32(word.encode()) << 2 & 0xFFFC | kind


_LISTING = frozenset(_hash(word, _FUNCTION) for word in ("and", "or", "nor", "as", "with", "vs"))


def find_reorderings(one: tuple[int, ...], other: tuple[int, ...]) -> Iterator[str]:
    """Why two texts that share most of their words are not the same; the same in either order of the two."""
    if not one or not other or one == other:
        return
    mine, yours = set(one), set(other)
    if _turns(mine, yours) or _turns(yours, mine):
        yield "a word and the same turned round by un-, dis- or non-"
    elif _substitutes(min(one, other), max(one, other), mine & yours):
        yield "one word put for another"
    elif _swaps([word for word in one if word in yours], [word for word in other if word in mine]):
        yield "two names swapped"


def _turns(mine: set[int], yours: set[int]) -> bool:
    """Whether one has a word that only the other has without its prefix."""
    return any(
        word & 3 == _TURNED and word ^ 3 in yours and word not in yours and word ^ 3 not in mine for word in mine
    )


def _substitutes(one: tuple[int, ...], other: tuple[int, ...], shared: set[int]) -> bool:
    for what, start, end, begin, stop in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if what != "replace":
            continue
        mine, yours = (
            [word for word in words if word & 3 != _FUNCTION] for words in (one[start:end], other[begin:stop])
        )
        # Where both end, one may have been cut off within a word.
        torn = end == len(one) and stop == len(other) and end - start != stop - begin
        if (
            0 < len(mine) <= MAX_REPLACED
            and 0 < len(yours) <= MAX_REPLACED
            and not torn
            and shared.isdisjoint(mine)
            and shared.isdisjoint(yours)
        ):
            return True
    return False


def _swaps(one: list[int], other: list[int]) -> bool:
    """Whether X w Y has become Y w X, where w says something, and is no "and"."""
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    start = next((at for at, (mine, yours) in enumerate(zip(one, other, strict=False)) if mine != yours), 0)
    one, other = one[start:], other[start:]
    if len(one) != len(other):
        return False
    for first in range(1, MAX_SWAPPED + 1):
        for last in range(1, min(MAX_SWAPPED, len(one) - first - 1) + 1):
            between = one[first:-last]
            if (
                one[:first] == other[-first:]
                and one[-last:] == other[:last]
                and between == other[last:-first]
                and _LISTING.isdisjoint(between)
                and any(word & 3 != _FUNCTION for word in (*one[:first], *one[-last:]))
            ):
                return any(word & 3 != _FUNCTION for word in between)
    return False

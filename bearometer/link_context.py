"""Whether an ambiguous name or ticker means the company: cues around it, each with a weight and a reason.

The weights were set by hand on sentences of our own and checked on the hard cases of `tests/data/linker_cases.jsonl`:
a name is linked from THRESHOLD on.
"""

import re
from collections.abc import Iterator
from functools import cached_property

from bearometer import link_words as known
from bearometer.gazetteer.read import Entry, Level
from bearometer.gazetteer.words import Words

__all__ = ["THRESHOLD", "Cue", "Scene", "name_cues", "only_a_place", "ticker_cues"]

THRESHOLD = 2.0

Cue = tuple[float, str]
"""What it adds to the score, and why."""

_SENTENCE_ENDS = frozenset('.!?:;\n\u2022|"\u201c\u201d\u2014\u2013()[]*>')
_PLATFORMS = known.PLATFORMS
_LONGEST_LISTING = 12
_LISTING = _PLATFORMS | {"and", "or", "the", "our", "&"}
_SPACE_OR_COLON = (" ", "\u00a0", "\n", ":")
_CHANGES = frozenset({"", "+", "-", "\u2010", "\u2013", "\u2212", "@", "$", "@$", ":", "(+", "(-"})
"""Between a ticker and what its price does."""
_SMALL = re.compile(r"[a-z\u00df-\u00ff]")
_NO_CAPITALS = {Level.SURE: 1.0, Level.CASE: 1.0, Level.WORD: 0.0, Level.VERB: -1.0}
_SMALL_LETTERS = {Level.SURE: 0.0, Level.CASE: -0.5, Level.WORD: -1.0, Level.VERB: -2.0}
_BOILERPLATE: Cue = (-9.0, "only the place where it is shared or read")


class Scene:
    """One text and what is known of it so far; what costs time is worked out when somebody asks."""

    def __init__(self, words: Words, cashtags: frozenset[str]) -> None:
        self.words = words
        self.cashtags = cashtags
        """Of the companies, not as written: GOOGL for $GOOG."""
        self.companies: set[str] = set()
        """Symbols of the names that are linked already."""

    @cached_property
    def casing(self) -> str:
        """`lower` without capitals, `upper` with little else, `title` with one on almost every word, else `normal`."""
        text = self.words.text
        if text == text.lower():
            return "lower"
        if len(_SMALL.findall(text)) < 0.3 * sum(map(len, self.words.written)):
            return "upper"
        long = [word for word in self.words.written[1:] if len(word) > 3]
        capital = sum(not word[0].islower() for word in long)
        return "title" if len(long) >= 3 and capital >= 0.75 * len(long) else "normal"

    @cached_property
    def finance(self) -> float:
        """0 to 1: whether money is spoken of."""
        count = len(known.FINANCE.intersection(self.words.folded))
        text = self.words.text
        count += "%" in text
        count += "$" in text
        return min(1.0, count / 2)

    def before(self, place: int, distance: int = 1) -> str:
        """The folded word so far before; empty at the text's start."""
        return self.words.folded[place - distance] if place >= distance else ""

    def after(self, place: int) -> int | None:
        """The place of the word behind, a possessive `s` left out; None at the end."""
        following = place + 1
        if self.is_possessive(place):
            following += 1
        return following if following < len(self.words) else None

    def is_possessive(self, place: int) -> bool:
        """Whether `'s` follows."""
        words = self.words
        return (
            place + 1 < len(words) and words.folded[place + 1] == "s" and words.gap(place) in {"'", "\u2019", "\u02bc"}
        )

    def starts_sentence(self, place: int) -> bool:
        """Whether a capital would stand here anyway."""
        return place == 0 or any(sign in _SENTENCE_ENDS for sign in self.words.gap(place - 1))

    def mark(self, place: int) -> str:
        """The sign that touches the word in front: `#`, `@`, `$` or another."""
        start = self.words.spans[place][0]
        return self.words.text[start - 1] if start else ""


def only_a_place(scene: Scene, first: int, last: int) -> Cue | None:
    """`Share on Facebook`, `via YouTube`, `RT @Microsoft:`, `Sent from my iPhone`: nobody is spoken of."""
    if first == 0 or scene.is_possessive(last):
        return None
    before = scene.before(first)
    if before == "via" or (before == "rt" and scene.mark(first) == "@"):
        return _BOILERPLATE
    if before == "my" and scene.before(first, 2) == "from" and scene.before(first, 3) in {"sent", "posted", "tweeted"}:
        return _BOILERPLATE
    folded = scene.words.folded
    return (
        _BOILERPLATE if _is_shared_on(folded, first) and not _PLATFORMS.isdisjoint(folded[first : last + 1]) else None
    )


def _is_shared_on(folded: list[str], first: int) -> bool:
    """Whether the name is behind `share on`, maybe in a list: `on Facebook, Twitter and YouTube`."""
    place = first - 1
    while place > max(0, first - _LONGEST_LISTING) and folded[place] in _LISTING:
        place -= 1
    earlier = folded[max(0, place - 4) : place]
    if not earlier or not (folded[place] == "on" or (folded[place] == "from" and "download" in earlier)):
        return folded[place] == "via"
    return earlier[-1] in known.NEAR_SHARING or not known.SHARING.isdisjoint(earlier)


def name_cues(scene: Scene, first: int, last: int, entry: Entry) -> Iterator[Cue]:
    """Everything that speaks for or against the company, of a name that is ambiguous in one way or another."""
    symbol = entry.symbol
    if symbol in scene.cashtags or symbol in scene.companies:
        yield 4.0, "the text names the company in another way"
    elif scene.cashtags or scene.companies:
        yield 1.0, "other companies are named"
    capital = _has_capitals(scene.words, first, last, entry)
    yield _writing(scene, first, entry, capital)
    mark = scene.mark(first)
    if mark == "@":
        yield 3.0, "an account"
    elif mark == "#":
        yield 1.5, "a hashtag"
    if scene.is_possessive(last):
        yield 1.0, "possessive"
    yield from _behind(scene, last, entry, capital)
    yield from _in_front(scene, first, entry, capital)
    if scene.finance:
        yield scene.finance, "money is spoken of"


def _has_capitals(words: Words, first: int, last: int, entry: Entry) -> bool:
    written = words.written[first : last + 1]
    if words.text[words.spans[first][0] : words.spans[last][1]] == entry.name:
        return True
    if entry.name.isupper():
        return all(word.isupper() or not word.isalpha() for word in written)
    return all(not word[0].islower() for word in written if len(word) > 3) and not written[0][0].islower()


def _writing(scene: Scene, first: int, entry: Entry, capital: bool) -> Cue:
    level, casing = entry.level, scene.casing
    if entry.name[0].isdecimal():
        return 0.0, "a number"
    if not capital:
        if casing == "lower":
            return _NO_CAPITALS[level], "no capitals anywhere"
        return (-1.5 if level is Level.CASE and entry.name.isupper() else _SMALL_LETTERS[level]), "small letters"
    if level is Level.CASE:
        return 2.0, "written as the company is"
    if casing == "normal" and not scene.starts_sentence(first):
        return 2.0, "a capital within a sentence"
    where = "at the start of a sentence" if casing == "normal" else "as on all words"
    return (0.0 if level is Level.VERB else 1.0), f"a capital {where}"


def _behind(scene: Scene, last: int, entry: Entry, capital: bool) -> Iterator[Cue]:
    place = scene.after(last)
    if place is None:
        return
    words, word = scene.words, scene.words.folded[place]
    gap = words.gap(place - 1)
    if word in known.LEGAL and (capital or len(word) > 2):
        yield 3.0, f"followed by `{word}`"
    elif any(sign in _SENTENCE_ENDS for sign in gap):
        return
    elif word in known.BUSINESS or word in known.PRODUCTS:
        # `sold 3M shares` is a number of them.
        if not entry.name[0].isdecimal() or (scene.starts_sentence(last) and word in known.BUSINESS):
            yield (2.0 if word in known.BUSINESS else 1.5), f"followed by `{word}`"
    elif word == "to" and capital:
        yield 2.0, "followed by `to`"
    elif word in known.DOES:
        yield (0.5 if word in known.WEAK_DOES else 2.0), f"followed by `{word}`"
    elif entry.level is Level.VERB and word in known.VERB_OBJECTS and (not capital or scene.starts_sentence(last)):
        yield -3.0, f"a verb before `{word}`"
    elif (
        (entry.level in {Level.WORD, Level.VERB} or len(entry.name) == 2)
        and scene.casing == "normal"
        and gap.isspace()
        and place == last + 1
        and words.written[place][0].isupper()
        and word not in known.COMMON
        and word not in known.FINANCE
        and not words.written[place].isupper()
    ):
        yield -2.0, f"part of a longer name before `{words.written[place]}`"


def _in_front(scene: Scene, first: int, entry: Entry, capital: bool) -> Iterator[Cue]:
    if first == 0 or scene.starts_sentence(first):
        return
    before, second = scene.before(first), scene.before(first, 2)
    written = scene.words.written[first - 1]
    if entry.name[0].isdecimal() and not (before in {"of", "in"} and second in known.OWNERS):
        return
    # An article belongs to what follows: `the Apple CEO`, `a Ford truck`.
    if before in known.ARTICLES:
        yield (-2.0 if capital else -3.0), f"`{before}` in front"
    elif before == "the":
        if not capital or entry.level is not Level.CASE:
            yield (-1.0 if capital else -3.0), "`the` in front"
    elif before in {"of", "in"} and second in known.OWNERS:
        yield 2.0, f"`{second} {before}` in front"
    elif entry.level is Level.VERB and before in known.VERB_SUBJECTS and not (capital and scene.casing == "normal"):
        yield -3.0, f"a verb behind `{before}`"
    elif before in known.BEFORE:
        yield 1.5, f"`{before}` in front"
    elif before in known.PLACES and capital:
        yield 1.0, f"`{before}` in front"
    elif (
        entry.level in {Level.WORD, Level.VERB}
        and scene.casing == "normal"
        and capital
        and scene.words.gap(first - 1).isspace()
        and written[0].isupper()
        and not written.isupper()
        and before not in known.COMMON
        and before not in known.FINANCE
        and before not in known.BUSINESS
    ):
        yield -2.0, f"part of a longer name behind `{written}`"


def ticker_cues(scene: Scene, place: int, symbol: str, is_neighbour: bool) -> Iterator[Cue]:
    """What speaks for a bare ticker in capitals; `symbol` is its company's main one.

    `is_neighbour`: another ticker stands beside it.
    """
    written = scene.words.written[place]
    if symbol in scene.cashtags or symbol in scene.companies:
        yield 4.0, "the text names the company in another way"
    elif scene.cashtags or scene.companies:
        yield 0.5, "other companies are named"
    shouting = scene.casing == "upper"
    if len(written) > 2 and written not in known.WORD_TICKERS:
        yield (0.5 if shouting else 2.0), "a ticker and no word"
    else:
        yield (-2.5 if shouting else -0.5 if len(written) == 2 else 0.0), "a word as well"
    words = scene.words
    start, end = words.spans[place]
    if words.text[start - 1 : start] == "(" and words.text[end : end + 1] == ")":
        yield 1.5, "in brackets"
    if words.text[start - 1 : start] in {"#", "@"}:
        yield 0.5, "a hashtag"
    following = place + 1
    if following < len(words):
        word, gap = words.folded[following], words.gap(place)
        sign = "".join(gap.split())
        if gap[:1] in _SPACE_OR_COLON and sign in _CHANGES and (word in known.MOVES or (word.isdigit() and sign)):
            yield 2.0, f"followed by `{word}`"
    if words.text[end : end + 1] == ":" and words.text[end + 1 : end + 2].isalnum():
        yield -3.0, "an exchange before `:`"
    before = scene.before(place)
    if before in known.TRADES or (before == "of" and scene.before(place, 2) in known.OWNERS):
        yield 2.0, f"`{before}` in front"
    if is_neighbour:
        yield 1.5, "beside another ticker"

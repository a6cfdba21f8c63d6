"""Which words are new: said in a window far more often than the weeks before would have it."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

from bearometer.alert import NewTerm
from bearometer.linking import find_spans

__all__ = ["find_new_terms"]

MAX_TERMS = 5
MIN_TEXTS = 3
MIN_TIMES_EXPECTED = 3.0
MIN_SURPRISE = 5.0
"""In natural logs: with this, chance alone brings a given word about once in 500 windows."""
PRIOR_TEXTS = 50.0
"""The weight of how one speaks of others, in texts: a company of which little was said before borrows from them."""
MIN_CHARS, MAX_CHARS = 3, 30

_DEAD = re.compile(r"(?:https?://|www\.)\S+|[@$]\w+(?:[.\-]\w+)?")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
# Words that say nothing by themselves, and those that every message board is full of.
_STOP_TEXT = """
    about above after again against all almost also although always among amp and another any are aren't around because
    been before being below between both but can can't cannot could couldn't did didn't does doesn't doing don't down
    during each either else even ever every few for from further get gets getting going gonna got had hadn't has hasn't
    have haven't having her here here's hers him himself his how however http https i'd i'll i'm i've into isn't it'd
    it'll it's its itself just least less let let's like made make makes many may maybe might mine more most much must
    myself neither never new nor not now off often once one only onto other our ours out over own per perhaps please
    put quite rather really said same say says see seen shall she she's should shouldn't since some such take than that
    that's the their theirs them themselves then there there's these they they'll they're they've this those though
    through thus till too toward two under until upon via very via was wasn't way we'd we'll we're we've well were
    weren't what what's when where whether which while who who's whole whom whose why will with within without won't
    would wouldn't yes yet you you'd you'll you're you've your yours yourself
    january february march april may june july august september october november december jan feb mar apr jun jul aug
    sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri
    today tomorrow yesterday tonight morning afternoon evening week weeks month months year years day days hour hours
    minute minutes time com www utm
"""
_STOP_WORDS = frozenset(_STOP_TEXT.split())


def find_new_terms(
    window: Iterable[str], past: Iterable[str], elsewhere: Iterable[str], symbol: str
) -> tuple[NewTerm, ...]:
    """At most five words or pairs of words of the window's texts that the past does not explain, the newest first.

    `window` are distinct texts, near-repeats folded; `past` are texts about the same from before and `elsewhere`
    texts about anything, in which equal ones count once. What is expected of a term is its share of the past, drawn
    to its share elsewhere by as much as PRIOR_TEXTS texts are worth; a term is new when at least MIN_TEXTS have it,
    MIN_TIMES_EXPECTED times as many as expected, and a Poisson count would hardly be so high (half its deviance is
    MIN_SURPRISE or more). Nothing is new where nothing was said before. Stop words, days and months, links, handles,
    cashtags, numbers, the symbol and what may be its name (`walmart` for WMT) are no terms; terms are in lower case.
    Pure.
    """
    texts = [_terms(text, symbol) for text in window]
    own, others = [_terms(text, symbol) for text in set(past)], [_terms(text, symbol) for text in set(elsewhere)]
    if not own and not others:
        return ()
    seen, before, around = _count(texts), _count(own), _count(others)
    found: list[tuple[float, NewTerm]] = []
    for term, times in seen.items():
        if times < MIN_TEXTS or _may_be_name(term, symbol):
            continue
        share = (around[term] + 0.5) / (len(others) + 1)
        expected = len(texts) * (before[term] + PRIOR_TEXTS * share) / (len(own) + PRIOR_TEXTS)
        if times >= MIN_TIMES_EXPECTED * expected:
            surprise = times * math.log(times / expected) - (times - expected)
            if surprise >= MIN_SURPRISE:
                found.append((surprise, NewTerm(term, times, expected)))
    return _without_overlaps(found, seen)


def _without_overlaps(found: Iterable[tuple[float, NewTerm]], seen: Mapping[str, int]) -> tuple[NewTerm, ...]:
    """The most surprising ones, none with a word of one before; what is said mostly in a pair stands in the pair."""
    ranked = sorted(found, key=lambda each: (-each[0], each[1].term))
    in_pair: dict[str, int] = {}  # by word; posts can be written to bring thousands of candidates
    for _, new in ranked:
        if " " in new.term:
            for word in new.term.split():
                in_pair[word] = max(in_pair.get(word, 0), new.seen)
    chosen: list[NewTerm] = []
    taken: set[str] = set()
    for _, new in ranked:
        words = set(new.term.split())
        is_told_by_a_pair = " " not in new.term and 4 * in_pair.get(new.term, 0) >= 3 * seen[new.term]
        if not is_told_by_a_pair and words.isdisjoint(taken):
            chosen.append(new)
            taken |= words
            if len(chosen) == MAX_TERMS:
                break
    return tuple(chosen)


def _may_be_name(term: str, symbol: str) -> bool:
    """Whether the symbol may be short for the term: its letters stand in it, in order, from the first one on."""
    letters = [letter for letter in symbol.casefold() if letter.isalpha()]
    rest = iter(term)
    return len(letters) >= MIN_CHARS and term[0] == letters[0] and all(letter in rest for letter in letters)


def _count(texts: Iterable[frozenset[str]]) -> Counter[str]:
    return Counter(term for text in texts for term in text)


def _terms(text: str, symbol: str) -> frozenset[str]:
    """The words of a text and the pairs of neighbours, in lower case; a hashtag is a word."""
    for start, end in reversed(find_spans(text, symbol)):
        text = f"{text[:start]} . {text[end:]}"
    text = unicodedata.normalize("NFKC", _DEAD.sub(" . ", text)).replace("\u2019", "'").casefold()
    terms: set[str] = set()
    before: tuple[str, int] | None = None
    for match in _WORD.finditer(text):
        word = match.group().removesuffix("'s")
        if not MIN_CHARS <= len(word) <= MAX_CHARS or word in _STOP_WORDS:
            before = None
            continue
        terms.add(word)
        if before is not None and text[before[1] : match.start()].strip(" -\t") == "":
            terms.add(f"{before[0]} {word}")
        before = (word, match.end())
    return frozenset(terms)

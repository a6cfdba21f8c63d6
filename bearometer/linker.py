"""Exact linking: which companies a text names, where, and why; cashtags, bare tickers, names, brands, products.

One pass over the text by an Aho-Corasick automaton (ahocorasick-rs) whose letters are whole words: each word is folded
and stands between two spaces, so that a match begins and ends with one.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

from ahocorasick_rs import AhoCorasick, MatchKind

from bearometer.gazetteer.read import Entry, Gazetteer, Level, read_gazetteer
from bearometer.gazetteer.words import Words, split_words
from bearometer.link_context import THRESHOLD, Cue, Scene, name_cues, only_a_place, ticker_cues
from bearometer.linking import Span, find_cashtags, find_symbol

__all__ = ["Link", "Linker", "open_linker"]

MAX_LINKS = 1_000
"""Of one text; who names more is looked at no further."""

_LONG = 1_000
"""Characters."""

_EXCHANGE = re.compile(
    r"(?<!\w)(?:NYSE(?:\s?American|MKT|Arca)?|NASDAQ(?:GS|GM|CM)?|AMEX|OTC(?:QB|QX|MKTS)?)\s{0,3}:\s{0,3}"
    r"([A-Z]{1,5}(?:[.\-][A-Z])?)(?![\w])",
    re.IGNORECASE,
)
_FOREIGN = re.compile(r"[A-Z]{1,2}(?!\w)")
"""Behind the dot of a symbol of another exchange."""
_GAP = re.compile(r"\s{0,2}|\s{0,2}[\-\u2010-\u2015'\u2019\u02bc.*!/]\s{0,2}")
_SHORT = frozenset({"bros", "inc", "corp", "yum", "warner", "amazon", "booking", "match", "salesforce"})
Candidate = tuple[int, int, Entry | None]
"""First word, last word, and the name; None for a bare ticker."""

_SURE: tuple[Cue, ...] = ((THRESHOLD, "a name that is only the company's"),)


_CASHTAG: tuple[Cue, ...] = ((9.0, "a cashtag"),)
_LISTED: tuple[Cue, ...] = ((9.0, "behind its exchange"),)
_AND = frozenset({"and", "or", "vs", "&", "over"})
_by_place = attrgetter("span")


class Link(NamedTuple):
    """A place in a text that names a company, or that only looks so."""

    symbol: str
    span: Span
    kind: str
    """`cashtag`, `exchange`, `ticker` or `name`."""
    score: float
    cues: Sequence[Cue]

    @property
    def linked(self) -> bool:
        """Whether it is taken to mean the company."""
        return self.score >= THRESHOLD


class Linker:
    """Links texts by one gazetteer; immutable, for any number of threads."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        self._company = gazetteer.company
        self._tickers = gazetteer.tickers
        self._names = gazetteer.names
        tickers = {ticker.lower() for ticker in gazetteer.tickers}
        self._keys = [*gazetteer.names, *(ticker for ticker in tickers if ticker not in gazetteer.names)]
        self._automaton = AhoCorasick([_spaced(key.split()) for key in self._keys], MatchKind.LeftmostLongest)

    def find(self, text: str) -> list[Link]:
        """Every place that names a company, in the text's order; places do not overlap."""
        return [link for link in self.judge(text) if link.linked]

    def symbols(self, text: str) -> Iterator[str]:
        """The symbols named, in order of appearance, with repeats."""
        return (link.symbol for link in self.judge(text) if link.score >= THRESHOLD)

    def symbol_of(self, name: str) -> str | None:
        """The symbol of a name that the gazetteer has, whatever its context."""
        entry = self._names.get(" ".join(split_words(name).folded))
        return entry.symbol if entry is not None else None

    def locate(self, text: str, symbols: Sequence[str]) -> tuple[tuple[Span, ...], ...]:
        """For each symbol the places where it stands in the text, or else its company's names; may be none."""
        stated = [find_symbol(text, symbol) for symbol in symbols]
        if all(stated):
            return tuple(stated)
        named: dict[str, list[Span]] = {}
        for link in self.find(text):
            named.setdefault(self._company.get(link.symbol, link.symbol), []).append(link.span)
        return tuple(
            spans or tuple(named.get(self._company.get(symbol, symbol), ()))
            for spans, symbol in zip(stated, symbols, strict=True)
        )

    def name_in(self, text: str, symbol: str) -> str:
        """What the text calls a company: its symbol, or the name that stands first; the symbol if neither does."""
        ((start, end), *_) = *self.locate(text, (symbol,))[0], (0, 0)
        return text[start:end] or symbol

    def judge(self, text: str) -> list[Link]:
        """What `find` gives, and between it what was looked at and refused; each with its score and cues.

        In time linear in the length of the text. Names: the longest wins. A name of a company with several tickers gets
        the one that stands in the text as a cashtag, else the main one.
        """
        stated = _stated(text)
        words = split_words(_without(text, stated) if stated else text)
        raw = self._candidates(words)
        if not raw:
            return stated
        company = self._company
        tags = {link.symbol for link in stated}
        scene = Scene(words, frozenset(company.get(tag, tag) for tag in tags))
        # Names that are sure come first, since the others lean on them.
        judged: list[Link] = []
        unsure: list[Candidate] = []
        for first, last, entry in raw[:MAX_LINKS]:
            start, end = words.spans[first][0], words.spans[last][1]
            if _is_address(words.text, start, end):
                continue
            if entry is None or entry.level is not Level.SURE:
                unsure.append((first, last, entry))
            elif entry.symbol is not None:
                place = only_a_place(scene, first, last)
                if place is None:
                    scene.companies.add(entry.symbol)
                judged.append(self._link(entry.symbol, (start, end), "name", (*_SURE, place) if place else _SURE, tags))
        if unsure:
            judged += self._weigh(scene, unsure, tags)
        return sorted([*stated, *judged], key=_by_place)

    def _candidates(self, words: Words) -> list[Candidate]:
        """The longest name or bare ticker at each place."""
        spaced = _spaced(words.folded)
        found: list[Candidate] = []
        at = place = 0
        for number, start, end in self._automaton.find_matches_as_indexes(spaced):
            place += spaced.count("  ", at, start + 1)
            at = start
            size = 1 + spaced.count("  ", start + 1, end)
            candidate = self._candidate(words, place, size, self._keys[number])
            if candidate is not None:
                found.append(candidate)
        return found

    def _candidate(self, words: Words, place: int, size: int, key: str) -> Candidate | None:
        """None for what is nobody's name."""
        while size > 1 and not _is_joined(words, place, size):
            # The longest that is written as one name: of `a Ford. Motor shows` it is Ford.
            key, size = key.rpartition(" ")[0], size - 1
        entry = self._names.get(key)
        if size == 1 and (entry is None or not (entry.level is Level.SURE or entry.name.isupper())):
            ticker = key.upper()
            # The second question spares most texts the third; in a long one it would take too long itself.
            text = words.text
            if ticker in self._tickers and (len(text) > _LONG or ticker in text or not text.isascii()):
                written = words.written[place]
                if ticker == written or ticker == normalize("NFKC", written):
                    return place, place, None
        return (place, place + size - 1, entry) if entry is not None and entry.symbol is not None else None

    def _weigh(self, scene: Scene, unsure: list[Candidate], tags: set[str]) -> list[Link]:
        """Once, and again for those that are refused, since what is linked may decide about them."""
        tickers = {first for first, _, entry in unsure if entry is None}
        links, known = [], len(scene.companies)
        for candidate in unsure:
            link = self._weigh_one(scene, candidate, tickers, tags)
            links.append(link)
            if link.linked:
                scene.companies.add(self._company.get(link.symbol, link.symbol))
        if len(scene.companies) == known:
            return links
        return [
            link if link.linked else self._weigh_one(scene, candidate, tickers, tags)
            for link, candidate in zip(links, unsure, strict=True)
        ]

    def _weigh_one(self, scene: Scene, candidate: Candidate, tickers: set[int], tags: set[str]) -> Link:
        first, last, entry = candidate
        span = scene.words.spans[first][0], scene.words.spans[last][1]
        if entry is None:
            symbol = normalize("NFKC", scene.words.written[first])
            beside = not tickers.isdisjoint((first - 1, first + 1)) or (
                (first + 2 in tickers and scene.words.folded[first + 1] in _AND)
                or (first - 2 in tickers and scene.words.folded[first - 1] in _AND)
            )
            company = self._company.get(symbol, symbol)
            return self._link(symbol, span, "ticker", tuple(ticker_cues(scene, first, company, beside)), set())
        assert entry.symbol is not None  # nobody is no candidate
        place = only_a_place(scene, first, last)
        cues = tuple(name_cues(scene, first, last, entry))
        return self._link(entry.symbol, span, "name", (*cues, place) if place else cues, tags)

    def _link(self, symbol: str, span: Span, kind: str, cues: Sequence[Cue], tags: set[str]) -> Link:
        company = self._company
        if tags and symbol not in tags:
            symbol = next((tag for tag in sorted(tags) if company.get(tag) == symbol), symbol)
        return Link(symbol, span, kind, sum(weight for weight, _ in cues), cues)


@lru_cache(maxsize=8)
def open_linker(own: Path | None = None) -> Linker:
    """The linker with what ships and a user's CSV; read once per process. Raises Misconfigured, naming the line."""
    return Linker(read_gazetteer(own))


def _spaced(words: Sequence[str]) -> str:
    """Each word between two spaces of its own."""
    return f" {'  '.join(words)} "


def _stated(text: str) -> list[Link]:
    """What needs no gazetteer."""
    links = (
        [Link(symbol, span, "cashtag", 9.0, _CASHTAG) for symbol, span in find_cashtags(text)] if "$" in text else []
    )
    if ":" in text:
        low = text.lower()
        if "nyse" in low or "nasdaq" in low or "amex" in low or "otc" in low:
            found = _EXCHANGE.finditer(text)
            links += [Link(match[1].upper(), match.span(1), "exchange", 9.0, _LISTED) for match in found]
            links.sort(key=_by_place)
    return links


def _without(text: str, links: Sequence[Link]) -> str:
    """The text with blanks for these places, so that all others stay where they are."""
    parts: list[str] = []
    at = 0
    for link in links:
        start, end = link.span
        parts += text[at:start], " " * (end - start)
        at = end
    return "".join([*parts, text[at:]])


def _is_joined(words: Words, place: int, size: int) -> bool:
    """Whether only what stands within names parts the words: `J. P. Morgan`, but not `a Ford. Motor shows`."""
    for at in range(place, place + size - 1):
        gap = words.gap(at)
        if gap and gap != " ":
            if not _GAP.fullmatch(gap):
                return False
            if gap[0] in ".!" and len(gap) > 1 and len(words.folded[at]) > 3 and words.folded[at] not in _SHORT:
                return False
    return True


def _is_address(text: str, start: int, end: int) -> bool:
    """Whether it is a part of `foo@apple.com`, `apple.com/x`, `ESI.TO`, `$gap_a` or a snake_case name."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if before in {"@", "."} and start > 1 and text[start - 2].isalnum():
        return True
    if before == "$" or (before == "_") != (after == "_"):
        return True
    follows = text[end + 1 : end + 4]
    return after == "." and (follows.lower() in {"com", "co.", "org", "net"} or _FOREIGN.match(follows) is not None)

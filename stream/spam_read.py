"""What the spam rules ask of a text: how many symbols, words and phrases of advertising it has. Pure."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from stream.spam_fold import fold
from stream.spam_news import tells_bad_news, tells_news
from stream.spam_words import BOARD_FIELDS, BOARD_PRICES, CALLS, LISTS, POPULAR, STRONG, WARNINGS, WEAK

__all__ = ["FARM_SYMBOLS", "FARM_WORDS", "MAX_CHARS", "Read", "read"]

MAX_CHARS = 4_000
"""What stands behind them is not read: nobody hides what he advertises."""
FARM_SYMBOLS = 3
"""A link farm names so many companies that have nothing to do with each other, to be found under each."""
FARM_WORDS = 14
"""And says no more than this."""

_TOKEN = re.compile(r"(?:(?<![\w$])[$#@])?\w+(?:['.\-/]\w+)*")
_JOINT = re.compile(r"[-_]+")
_GLUED = 10
"""Letters; a shorter phrase written as one word may be another word."""
_CHAT_NUMBER = re.compile(r"\bwhats ?app\b\W{0,3}(?:(?:me|us|at|on|no|number)\b\W{0,3}){0,2}(?:\+ ?\d|\[phone)")
_MAX_CASHTAG = 12
_DATE = re.compile(r"(?:mon|tues|wednes|thurs|fri|satur|sun)day [a-z]{3,9} \d{1,2} \d{4}")
"""As no person dates a post."""


_Phrases = Mapping[str, tuple[tuple[str, list[str], int], ...]]
"""First word → the phrase, its other words, its kind; longer phrases first."""
_STRONG, _WEAK, _CALL = range(3)


class Read(NamedTuple):
    """What is found in a text."""

    symbols: int
    """Distinct cashtags."""
    hashtags: int
    numbers: int
    words: int
    """Others than tags, names and numbers; without spaces between them, two characters are a word."""
    strong: list[str]
    weak: list[str]
    """Distinct ones that do not overlap; of those that are hashtags, the first."""
    call: str
    """What the text ends with, behind its tags, if it calls for a click."""
    is_string: bool
    """Whether it begins with a cashtag, or holds nothing else, or says that what it lists is popular."""
    is_list: bool
    """Whether it says what the symbols have in common."""
    warns: bool
    board: str
    """What kind of an automatic line it is, if it is one."""
    folded: str

    def tells_news(self) -> bool:
        """Whether it says that something went badly or how prices moved; slower than the rest."""
        return tells_news(self.folded)

    def tells_bad_news(self, beside: str) -> bool:
        """Whether it says, beside that phrase, that something went badly; slower than the rest."""
        return tells_bad_news(self.folded.replace("#", "").replace(beside, ""))


def read(text: str, own: tuple[str, ...]) -> Read:
    """What the rules ask of a text; `own` are the phrases of the settings. Linear."""
    folded = fold(text)[:MAX_CHARS]
    phrases, unspaced = _index(own)
    tokens = _TOKEN.findall(folded)
    bare = [token.lstrip("#") for token in tokens] if "#" in folded else tokens
    parts = _split(tokens) if "-" in folded or "_" in folded else tokens
    bare_parts = bare if parts is tokens else [part.lstrip("#") for part in parts]
    symbols: set[str] = set()
    hashtags: set[str] = set()
    words = numbers = 0
    for token in tokens:
        mark = token[0]
        if mark == "$":
            if token[1].isalpha() and len(token) <= _MAX_CASHTAG:
                symbols.add(token)
        elif mark == "#":
            hashtags.add(token)
        elif not token.isascii():
            words += max(1, len(token) // 2)
        elif mark.isalpha() and token != "rt":
            words += 1
        elif mark.isdigit():
            numbers += 1
    strong, weak, call = _said(parts, bare_parts, phrases)
    if "whats" in folded and _CHAT_NUMBER.search(folded):
        weak.append("whatsapp +")
    return Read(
        symbols=len(symbols),
        hashtags=len(hashtags),
        numbers=numbers,
        words=words,
        strong=[phrase for phrase, said in unspaced if said in folded] + strong,
        weak=weak,
        call=call,
        is_string=words == 0 or tokens[0][0] == "$" or not POPULAR.isdisjoint(bare),
        is_list=not LISTS.isdisjoint(bare),
        warns=not WARNINGS.isdisjoint(bare_parts),
        board=_board(tokens) if len(symbols) >= FARM_SYMBOLS and words <= FARM_WORDS else "",
        folded=folded,
    )


def _said(tokens: list[str], bare: list[str], phrases: _Phrases) -> tuple[list[str], list[str], str]:
    """The strong phrases of a text, its weak ones, and the call at its end."""
    strong: dict[str, None] = {}
    weak: dict[str, None] = {}
    call = ""
    weak_end = 0
    has_weak_tag = False
    for at, word in enumerate(bare):
        for phrase, rest, kind in phrases.get(word, ()):
            end = at + 1 + len(rest)
            if rest and bare[at + 1 : end] != rest:
                continue
            if kind == _STRONG:
                strong[phrase] = None
            elif kind == _CALL:
                if end == len(tokens) and at and tokens[at - 1][0] in "$#":
                    call = phrase
            elif at >= weak_end and not (has_weak_tag and tokens[at][0] == "#"):
                weak[phrase] = None
                weak_end = end
                has_weak_tag = has_weak_tag or tokens[at][0] == "#"
    return list(strong), list(weak), call


def _split(tokens: list[str]) -> list[str]:
    """`#join-our-chat` as three tokens, the first one a tag; a cashtag stays whole."""
    parts: list[str] = []
    for token in tokens:
        if token[0] == "$" or ("-" not in token and "_" not in token):
            parts.append(token)
        else:
            parts += [part for part in _JOINT.split(token) if part not in ("", "#", "@")]
    return parts


def _board(tokens: list[str]) -> str:
    """`XYZ Xylo Inc. Day Low $XYZ $AAPL $MSFT $GE #XYZ #stocks`; `$XYZ Chart Updated Friday, May 8 $AAPL $MSFT $GE`."""
    for at, token in enumerate(tokens):
        if token == "updated" and _DATE.fullmatch(" ".join(tokens[at + 1 : at + 5])):
            return "a page that says it was updated, beside other symbols"
        if token[0] != "$" or at == 0 or tokens[at - 1][0] == "$":
            continue
        end = at
        while end < len(tokens) and tokens[end][0] == "$":
            end += 1
        has_tags = end + 1 < len(tokens) and tokens[end][0] == tokens[end + 1][0] == "#"
        is_field = tokens[at - 1] in BOARD_FIELDS or " ".join(tokens[max(0, at - 2) : at]) in BOARD_PRICES
        if end - at >= FARM_SYMBOLS and has_tags and is_field and token[1:] in tokens[:at]:
            return "a line of a board of quotes, beside other symbols"
    return ""


@lru_cache(maxsize=8)
def _index(own: tuple[str, ...]) -> tuple[_Phrases, tuple[tuple[str, str], ...]]:
    """The phrases by their first words; and those to be found anywhere, for some languages have no spaces."""
    index: dict[str, list[tuple[str, list[str], int]]] = {}
    for phrases, kind in ((STRONG, _STRONG), (own, _STRONG), (WEAK, _WEAK), (CALLS, _CALL)):
        for phrase in phrases:
            folded = fold(phrase)
            words = [token.lstrip("#") for token in _split(_TOKEN.findall(folded))]
            if words and folded.isascii():
                index.setdefault(words[0], []).append((phrase, words[1:], kind))
                glued = "".join(words)
                if kind == _STRONG and len(words) > 1 and len(glued) >= _GLUED:
                    index.setdefault(glued, []).append((phrase, [], kind))
    longest_first = {
        first: tuple(sorted(entries, key=lambda entry: -len(entry[1]))) for first, entries in index.items()
    }
    own_folded = [(phrase, fold(phrase)) for phrase in own]
    return longest_first, tuple((phrase, folded) for phrase, folded in own_folded if not folded.isascii())

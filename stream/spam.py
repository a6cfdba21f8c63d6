"""What makes a post spam: advertising, strings of symbols, bot noise. Pure; docs/spam.md says what each rule finds."""

import operator
import re
import string
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from bearometer.post import Post
from bearometer.settings import IngestSettings
from bearometer.source_base import FEEDS
from bearometer.spam_settings import SpamSettings
from bearometer.story import Placement
from stream.spam_words import BOARD_FIELDS, BOARD_PRICES, CALLS, LISTS, POPULAR, SLOGANS, STRONG, WARNINGS, WEAK

__all__ = ["CODES", "find_spam", "name_trusted"]

CODES = ("many-symbols", "promotion", "same-text", "rate", "link-farm", "gibberish")
"""What a reason begins with, in the order in which reasons stand."""

_MAX_CHARS = 4_000
"""What stands behind them is not read: nobody hides what he advertises."""
_LONG_WORDS = 100
"""A post of so many words says more than a phrase of it; it needs a strong one for each so many."""
_FARM_SYMBOLS = 3
"""A link farm names so many companies that have nothing to do with each other, to be found under each."""
_FARM_WORDS = 14
"""And says no more than this."""
_FEW_WORDS = 3
"""Beside a string of cashtags: room for the name of a company, not for what is said of it."""
_FEW_FOLLOWERS = 5
"""What the accounts of a retweet farm have at most."""

_OWN_WORDS = 6
"""No two people hit on the same text of so many by chance."""

_TOKEN = re.compile(r"(?:(?<![\w$])[$#@])?\w+(?:['\u2019.\-/]\w+)*")
_MAX_CASHTAG = 12
_RETWEET = re.compile(r"[Rr][Tt] @?\w")
_DATE = re.compile(r"(?:mon|tues|wednes|thurs|fri|satur|sun)day [a-z]{3,9} \d{1,2} \d{4}")
"""As no person dates a post."""

_LONG = 20
"""Characters; no word of a post has so many, but for links, runs of tags, and what was typed by nobody."""
_RARE = frozenset("*;<=>[\\]^_`{|}~")
"""Punctuation that prices, tags and links have seldom, and random characters have plenty of."""
_RARE_DISTINCT = 4
_CHANGES = 0.5
"""Random printable characters change between capitals, small letters, digits and punctuation at 7 places of 10."""
_KINDS = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
_KIND = {ord(character): "aA0"[number] for number, kind in enumerate(_KINDS) for character in kind} | dict.fromkeys(
    map(ord, string.punctuation), "."
)
_GARBLED = re.compile(r"\$B[!-~ ]{1,200}\(B")
"""Japanese in ISO-2022-JP whose escape characters were lost."""

_Phrases = Mapping[str, tuple[tuple[str, list[str], int], ...]]
"""First word → the phrase, its other words, its kind; longer phrases first."""
_STRONG, _WEAK, _CALL = range(3)


class _Read(NamedTuple):
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


def find_spam(post: Post, placement: Placement | None, settings: SpamSettings) -> tuple[str, ...]:
    """Why this post is spam, each reason as `code: words` in the order of CODES; empty when it is not.

    Pure and deterministic, linear in the text, and raises for no text. A reason is one printable line, and what it
    quotes is a phrase of ours or of the settings, never the post.
    """
    if not settings.enabled or post.source in settings.trusted_sources:
        return ()
    text = post.text[:_MAX_CHARS]
    read = _read(text, settings.phrases)
    found = (
        _many_symbols(read, settings),
        _promotion(read),
        _same_text(post, placement, read, settings),
        _rate(placement, settings),
        _link_farm(post, read),
        _gibberish(text),
    )
    return tuple(reason for reason in found if reason)


def name_trusted(settings: SpamSettings, ingest: IngestSettings) -> SpamSettings:
    """The same with the names under which posts of the trusted sources come.

    A kind (`edgar`) stands for all sources of that kind, and `feeds` for all feeds, whose posts bear the feed's name
    or its host.
    """
    trusted = dict.fromkeys(settings.trusted_sources)
    if FEEDS in trusted:
        trusted.update(dict.fromkeys(feed.name or _host(feed.url) for feed in ingest.feeds))
    trusted.update(dict.fromkeys(source.name for source in ingest.sources if source.kind in trusted))
    return settings.model_copy(update={"trusted_sources": tuple(trusted)})


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or url
    except ValueError:  # for ingest to complain of
        return url


def _many_symbols(read: _Read, settings: SpamSettings) -> str:
    beside = f"beside {_many(read.words, 'word')}"
    if read.numbers > 1:  # prices and changes: figures are news
        return ""
    if read.symbols > settings.max_symbols and read.words <= _FEW_WORDS and read.is_string and not read.is_list:
        return f"many-symbols: {read.symbols} symbols {beside}"
    if read.symbols >= 2 and read.hashtags >= 5 and read.symbols + read.hashtags >= 8 and read.words <= 1:
        return f"many-symbols: {read.symbols} symbols and {read.hashtags} hashtags {beside}"
    return ""


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _promotion(read: _Read) -> str:
    if read.warns:
        return ""
    if len(read.strong) > read.words // _LONG_WORDS:
        return f'promotion: "{read.strong[0]}"'
    if len(read.weak) >= 2 and read.words <= _LONG_WORDS:
        return f'promotion: "{read.weak[0]}", "{read.weak[1]}"'
    return ""


def _same_text(post: Post, placement: Placement | None, read: _Read, settings: SpamSettings) -> str:
    if placement is None or placement.same_text_authors < settings.min_accounts:
        return ""
    accounts = f"same-text: from {placement.same_text_authors} accounts"
    is_nobodys = post.followers is not None and post.followers <= _FEW_FOLLOWERS
    if not _RETWEET.match(post.text):
        # A headline is passed on with its link, and a few words are found by many.
        is_copied = is_nobodys and not post.links and read.words >= _OWN_WORDS
        return f"{accounts}, no retweets" if is_copied or read.weak or read.symbols >= 4 else ""
    # People retweet. Accounts that nobody follows, and that do it by the dozen for a text full of tags, are bought.
    if is_nobodys and read.symbols >= 2 and read.symbols + read.hashtags >= 3:
        return f"{accounts}, retweeted by one with {_many(post.followers or 0, 'follower')}"
    return ""


def _rate(placement: Placement | None, settings: SpamSettings) -> str:
    if placement is None or placement.author_posts <= settings.max_posts_per_hour:
        return ""
    return f"rate: about {placement.author_posts} posts in an hour by one author"


def _link_farm(post: Post, read: _Read) -> str:
    if read.board:
        return f"link-farm: {read.board}"
    if not post.links or read.symbols < _FARM_SYMBOLS or read.words > _FARM_WORDS or read.warns:
        return ""
    if phrase := read.call or next((weak for weak in read.weak if weak not in SLOGANS), ""):
        return f'link-farm: "{phrase}" and a link beside {read.symbols} symbols'
    return ""


def _gibberish(text: str) -> str:
    longest = max(text.split(), key=len, default="")
    if len(longest) < _LONG:
        return ""
    if longest.isascii() and 2 * len(longest) > len(text) and len(_RARE.intersection(longest)) >= _RARE_DISTINCT:
        kinds = longest.translate(_KIND)
        if sum(map(operator.ne, kinds, kinds[1:])) > _CHANGES * len(longest):
            return f"gibberish: {len(longest)} characters at random"
    if "(B" in text and 2 * sum(map(len, _GARBLED.findall(text))) > len(text):
        return "gibberish: text in an encoding that was lost"
    return ""


def _read(text: str, own: tuple[str, ...]) -> _Read:
    folded = text.lower()
    phrases, unspaced = _index(own)
    tokens = _TOKEN.findall(folded)
    bare = [token.lstrip("#") for token in tokens]
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
    strong, weak, call = _said(tokens, bare, phrases)
    return _Read(
        symbols=len(symbols),
        hashtags=len(hashtags),
        numbers=numbers,
        words=words,
        strong=[phrase for phrase, said in unspaced if said in folded] + strong,
        weak=weak,
        call=call,
        is_string=words == 0 or tokens[0][0] == "$" or not POPULAR.isdisjoint(bare),
        is_list=not LISTS.isdisjoint(bare),
        warns=not WARNINGS.isdisjoint(bare),
        board=_board(tokens) if len(symbols) >= _FARM_SYMBOLS and words <= _FARM_WORDS else "",
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
        if end - at >= _FARM_SYMBOLS and has_tags and is_field and token[1:] in tokens[:at]:
            return "a line of a board of quotes, beside other symbols"
    return ""


@lru_cache(maxsize=8)
def _index(own: tuple[str, ...]) -> tuple[_Phrases, tuple[tuple[str, str], ...]]:
    """The phrases by their first words; and those to be found anywhere, for some languages have no spaces."""
    index: dict[str, list[tuple[str, list[str], int]]] = {}
    for phrases, kind in ((STRONG, _STRONG), (own, _STRONG), (WEAK, _WEAK), (CALLS, _CALL)):
        for phrase in phrases:
            words = [token.lstrip("#") for token in _TOKEN.findall(phrase.lower())]
            if words and phrase.isascii():
                index.setdefault(words[0], []).append((phrase, words[1:], kind))
    longest_first = {
        first: tuple(sorted(entries, key=lambda entry: -len(entry[1]))) for first, entries in index.items()
    }
    return longest_first, tuple((phrase, phrase.lower()) for phrase in own if not phrase.isascii())

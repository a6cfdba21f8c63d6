"""What makes a post spam: advertising, strings of symbols, bot noise. Pure; docs/spam.md says what each rule finds."""

import operator
import re
import string
from urllib.parse import urlsplit

from bearometer.post import Post
from bearometer.settings import IngestSettings
from bearometer.source_base import FEEDS
from bearometer.spam_settings import SpamSettings
from bearometer.story import Placement
from stream.spam_read import FARM_SYMBOLS, FARM_WORDS, MAX_CHARS, Read, read
from stream.spam_words import SALES, SLOGANS, SOFT

__all__ = ["CODES", "find_spam", "name_trusted"]

CODES = ("many-symbols", "promotion", "same-text", "rate", "link-farm", "gibberish")
"""What a reason begins with, in the order in which reasons stand."""

_LONG_WORDS = 100
"""A post of so many words says more than a phrase of it; it needs a strong one for each so many."""
_FEW_WORDS = 3
"""Beside a string of cashtags: room for the name of a company, not for what is said of it."""
_FEW_FOLLOWERS = 5
"""What the accounts of a retweet farm have at most."""

_OWN_WORDS = 6
"""No two people hit on the same text of so many by chance."""

_RETWEET = re.compile(r"[Rr][Tt] @?\w")
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


def find_spam(post: Post, placement: Placement | None, settings: SpamSettings) -> tuple[str, ...]:
    """Why this post is spam, each reason as `code: words` in the order of CODES; empty when it is not.

    Pure and deterministic, linear in the text, and raises for no text. A reason is one printable line, and what it
    quotes is a phrase of ours or of the settings, never the post.
    """
    if not settings.enabled or post.source in settings.trusted_sources:
        return ()
    text = post.text[:MAX_CHARS]
    said = read(text, settings.phrases)
    found = (
        _many_symbols(said, settings),
        _promotion(said),
        _same_text(post, placement, said, settings),
        _rate(placement, settings),
        _link_farm(post, said),
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


def _many_symbols(said: Read, settings: SpamSettings) -> str:
    if said.numbers > 1 or said.warns:  # prices and changes: figures are news
        return ""
    beside = f"beside {_many(said.words, 'word')}"
    if said.symbols > settings.max_symbols and said.words <= _FEW_WORDS and said.is_string and not said.is_list:
        found = f"many-symbols: {said.symbols} symbols {beside}"
    elif said.symbols >= 2 and said.hashtags >= 5 and said.symbols + said.hashtags >= 8 and said.words <= 1:
        found = f"many-symbols: {said.symbols} symbols and {said.hashtags} hashtags {beside}"
    else:
        return ""
    return "" if said.tells_news() else found


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _promotion(said: Read) -> str:
    if said.warns:
        return ""
    if len(said.strong) > said.words // _LONG_WORDS:
        return f'promotion: "{said.strong[0]}"'
    if len(said.weak) >= 2 and said.words <= _LONG_WORDS and not SOFT.issuperset(said.weak):
        return f'promotion: "{said.weak[0]}", "{said.weak[1]}"'
    return ""


def _same_text(post: Post, placement: Placement | None, said: Read, settings: SpamSettings) -> str:
    if placement is None or placement.same_text_authors < settings.min_accounts:
        return ""
    accounts = f"same-text: from {placement.same_text_authors} accounts"
    is_nobodys = post.followers is not None and post.followers <= _FEW_FOLLOWERS
    if not _RETWEET.match(post.text):
        # A headline is passed on with its link, and a few words are found by many.
        is_copied = is_nobodys and not post.links and said.words >= _OWN_WORDS
        is_pushed = not SLOGANS.issuperset(said.weak) or said.symbols >= 4
        is_headline = said.tells_news() or (post.links and not is_nobodys)
        return f"{accounts}, no retweets" if is_copied or (is_pushed and not is_headline) else ""
    # People retweet. Accounts that nobody follows, and that do it by the dozen for a text full of tags, are bought.
    if is_nobodys and said.symbols >= 2 and said.symbols + said.hashtags >= 3 and not said.tells_news():
        return f"{accounts}, retweeted by one with {_many(post.followers or 0, 'follower')}"
    return ""


def _rate(placement: Placement | None, settings: SpamSettings) -> str:
    if placement is None or placement.author_posts <= settings.max_posts_per_hour:
        return ""
    return f"rate: about {placement.author_posts} posts in an hour by one author"


def _link_farm(post: Post, said: Read) -> str:
    if said.board:
        return f"link-farm: {said.board}"
    if not post.links or said.symbols < FARM_SYMBOLS or said.words > FARM_WORDS or said.warns:
        return ""
    phrase = said.call or next((weak for weak in said.weak if weak not in SLOGANS and weak not in SALES), "")
    if not phrase or said.tells_bad_news(phrase):
        return ""
    return f'link-farm: "{phrase}" and a link beside {said.symbols} symbols'


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

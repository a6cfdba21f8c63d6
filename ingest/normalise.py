"""From what a source gave to the post that travels: cleaned, checked, and with an identity of its own."""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bearometer.clock import Clock
from bearometer.errors import Reason, Rejected
from bearometer.post import Post
from bearometer.settings import IngestSettings
from ingest.language import decide_language
from ingest.privacy import MAX_AUTHOR_CHARS, hide_author, hide_contacts
from ingest.source import RawPost, Source, Unreadable
from ingest.symbols import clean_symbols, find_symbols
from ingest.text import clean_text, find_links, limit_marks, one_line

__all__ = ["MAX_RAW_CHARS", "allowed_time", "fingerprint", "normalise", "normalise_all"]

MAX_RAW_CHARS = 1_000_000
"""A longer text is refused before anything looks at it."""

_MAX_ID_CHARS = 500
_MAX_URL_CHARS = 2_000
_MAX_COUNT = 2**53
_RETWEETED = re.compile(r"@\w+:?")
_NAMED = re.compile(r"@\w+[).]?")


def normalise_all(source: Source, settings: IngestSettings, clock: Clock) -> Iterator[Post | Unreadable]:
    """Every post of a source, normalised, and in its place what cannot be read or used. Publishes nothing."""
    for item in source.read():
        if isinstance(item, RawPost):
            try:
                yield normalise(item, item.source or source.name, settings, clock.now())
            except Rejected as error:
                yield Unreadable(item.position, error.reason, error.detail)
        elif item is not None:
            yield item


def normalise(raw: RawPost, source: str, settings: IngestSettings, now: datetime) -> Post:
    """The post in `raw`; what comes out is the same however often it went in. Pure: no I/O, no clock.

    (The names to link by are read with the first post.) Symbols that the source states stay alone; else they are those
    of all companies that the text names.

    Authors and contacts are hidden first, as the settings ask (ingest/privacy.py): ids and fingerprints follow from
    what is left. A post without a native id gets one that follows from author, time and text. Raises Rejected:
    NO_TEXT, TOO_LONG, BAD_TIME, BAD_ID.
    """
    if len(raw.text) > MAX_RAW_CHARS:
        raise Rejected(Reason.TOO_LONG, f"{len(raw.text)} characters")
    published_at = allowed_time(raw.published_at, settings, now)
    raw, hidden_name = hide_author(raw, source, settings)
    without_links, links = find_links(clean_text(raw.text))
    text = " ".join(without_links.split())
    if not text:
        raise Rejected(Reason.NO_TEXT, "only links and white space" if raw.text.strip() else "")
    length = max(len(text), sum(map(len, links)))
    if length > settings.max_text_chars:
        raise Rejected(Reason.TOO_LONG, f"{length} characters; ingest.max_text_chars is {settings.max_text_chars}")
    text, links = hide_contacts(text, links, hidden_name, settings)
    author = one_line(raw.author or "", MAX_AUTHOR_CHARS) or None
    said = text if settings.mask_contacts else raw.text
    return Post(
        id=f"{source}:{_native_id(raw, author, published_at, said)}",
        source=source,
        text=text,
        published_at=published_at,
        ingested_at=now,
        fingerprint=fingerprint(text),
        symbols=clean_symbols(raw.symbols) or find_symbols(text, settings),
        author=author,
        followers=None if raw.followers is None else _count(raw.followers),
        url=_url(raw.url),
        links=tuple(link for link in links if len(link) <= _MAX_URL_CHARS),
        language=decide_language(raw.language, text),
        engagement=_count(raw.engagement),
    )


def allowed_time(moment: datetime | None, settings: IngestSettings, now: datetime) -> datetime:
    """The moment in UTC; Rejected(BAD_TIME) when it is missing or outside the years that the settings allow."""
    if moment is None:
        raise Rejected(Reason.BAD_TIME, "no time")
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise Rejected(Reason.BAD_TIME, f"{moment} is out of range") from None
    if moment.year < settings.earliest_published_at_year:
        detail = f"{moment.isoformat()} is before the year {settings.earliest_published_at_year}"
        raise Rejected(Reason.BAD_TIME, detail)
    if moment > now + timedelta(hours=settings.max_ahead_hours):
        detail = f"{moment.isoformat()} is more than {settings.max_ahead_hours:g} hours ahead"
        raise Rejected(Reason.BAD_TIME, detail)
    return moment


def fingerprint(text: str) -> str:
    """A digest that two texts share when they differ only in links, letter case, white space and retweet marks.

    Retweet marks are `RT @name:` in front and `via @name` behind, any number of them.
    """
    without_links, _ = find_links(text)
    # Upper case first: some letters meet only there (dotless i, final sigma).
    folded = unicodedata.normalize("NFKC", limit_marks(without_links.upper().casefold()))
    if not folded.isascii():
        folded = "".join(character for character in folded if unicodedata.category(character) != "Cf")
    return _digest("".join(_drop_retweet_marks(folded.split())))


def _drop_retweet_marks(words: list[str]) -> list[str]:
    start, end = 0, len(words)
    while end - start >= 2 and words[end - 2] in {"via", "(via"} and _NAMED.fullmatch(words[end - 1]):
        end -= 2
    while end - start >= 2 and words[start] == "rt" and (mark := _RETWEETED.match(words[start + 1])):
        rest = words[start + 1][mark.end() :]
        if rest and not mark.group().endswith(":"):
            break
        start += 2
        if rest:
            return [rest, *words[start:end]]
    return words[start:end]


def _native_id(raw: RawPost, author: str | None, published_at: datetime, said: str) -> str:
    if len(raw.native_id or "") > _MAX_ID_CHARS:
        raise Rejected(Reason.BAD_ID, f"{len(raw.native_id or '')} characters")
    native_id = one_line(raw.native_id or "", _MAX_ID_CHARS)
    return native_id or _digest("\x1f".join((author or "", published_at.isoformat(), said)))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()


def _url(url: str | None) -> str | None:
    if not url or len(url) > _MAX_URL_CHARS or not url.lower().startswith(("http://", "https://")):
        return None
    return one_line(url, _MAX_URL_CHARS)


def _count(number: int) -> int:
    return min(max(number, 0), _MAX_COUNT)

"""News articles that GDELT has found, by its DOC 2.0 API.

https://blog.gdeltproject.org/gdelt-doc-2-0-api-debuts/: a list of articles (no more than 250) of a span of time; their
times are those at which GDELT saw them, on a grid of 15 minutes. Text in place of JSON is what is wrong.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from bearometer.clock import Clock
from bearometer.errors import Failed, Reason, Rejected, Transient
from bearometer.source_settings import GdeltSettings
from bearometer.terminal import plain
from ingest.fetch import shown_url, with_params
from ingest.polled import Page, Place, Web, read_items
from ingest.source import RawPost

__all__ = ["Articles"]

PAGE = 250
"""Articles in an answer; GDELT gives no more."""
_REACH = timedelta(days=89)
"""GDELT searches the last three months."""
_TIME = "%Y%m%d%H%M%S"
_SEEN = "%Y%m%dT%H%M%SZ"
_BAD_ESCAPE = re.compile(rb'\\(?!["\\/bfnrtu])')
_BEFORE_MARK = re.compile(r" (?=[,.;:!?%)])")
_LANGUAGES = {
    **{"arabic": "ar", "bulgarian": "bg", "chinese": "zh", "croatian": "hr", "czech": "cs", "danish": "da"},
    **{"dutch": "nl", "english": "en", "finnish": "fi", "french": "fr", "german": "de", "greek": "el"},
    **{"hebrew": "he", "hindi": "hi", "hungarian": "hu", "indonesian": "id", "italian": "it", "japanese": "ja"},
    **{"korean": "ko", "norwegian": "no", "persian": "fa", "polish": "pl", "portuguese": "pt", "romanian": "ro"},
    **{"russian": "ru", "spanish": "es", "swedish": "sv", "thai": "th", "turkish": "tr", "ukrainian": "uk"},
    **{"vietnamese": "vi"},
}


@dataclass(slots=True)
class Articles:
    """An article is one post: its title; id: its address; author: its domain."""

    settings: GdeltSettings
    clock: Clock

    def ask(self, web: Web, place: Place, known: Callable[[str], bool], where: str) -> Page:
        """The oldest articles of the time from `place` to now; the next page begins at the newest of them."""
        del known
        now = self.clock.now()
        newest = _moment(place.get("newest"), _TIME) or now - timedelta(hours=self.settings.first_hours)
        start = _moment(place.get("page"), _TIME) or newest - timedelta(minutes=self.settings.overlap_minutes)
        start = max(start, now - _REACH)
        query = {"query": self.settings.query, "mode": "artlist", "format": "json", "sort": "dateasc"}
        span = {"startdatetime": start.strftime(_TIME), "enddatetime": max(now, start).strftime(_TIME)}
        url = with_params(self.settings.url, {**query, "maxrecords": str(PAGE), **span})
        body = web.get(url, "application/json")
        articles = [] if body is None else _articles(body, url)
        items = read_items(articles, where, _article)
        times = [each.what.published_at for each in items if isinstance(each.what, RawPost) and each.what.published_at]
        last = max(times, default=start)
        stored = {"newest": min(max(newest, last), now).strftime(_TIME)}
        if len(articles) < PAGE:
            return Page(items, stored)
        # More than a page of one moment cannot be had: the moment after is the next.
        on = last if last > start else start + timedelta(seconds=1)
        return Page(items, {**stored, "page": on.strftime(_TIME)}, more=True)


def _articles(body: bytes, url: str) -> list[Any]:
    text = body.strip()
    if not text.startswith(b"{"):
        said = plain(text.decode("utf-8", "replace"), 200)
        message = f"{shown_url(url)} says: {said or 'nothing'}"
        if text[:1].isalpha() and b"limit requests" not in text.lower():
            raise Failed(message)  # about the query, which will not become better
        raise Transient(message)
    try:
        answer = orjson.loads(text)
    except orjson.JSONDecodeError:
        try:  # titles come with backslashes and control characters as they were found
            answer = json.loads(_BAD_ESCAPE.sub(rb"\\\\", text).decode("utf-8", "replace"), strict=False)
        except (ValueError, RecursionError) as error:
            message = f"{shown_url(url)} answers with what is no JSON, or cut off: {plain(str(error), 100)}"
            raise Transient(message) from None
    articles = answer.get("articles", [])
    if not isinstance(articles, list):
        message = f"{shown_url(url)} has no list of articles"
        raise Transient(message)
    return articles


def _article(entry: Any, position: str) -> RawPost:
    match entry:
        case {"url": str(url), "title": str(title), "seendate": str(seen)}:
            published_at = _moment(seen, _SEEN)
        case _:
            raise Rejected(Reason.UNDECODABLE, "no article with url, title and seendate")
    if published_at is None:
        raise Rejected(Reason.BAD_TIME, f"seendate is {seen!r:.40}")
    domain, language = entry.get("domain"), entry.get("language")
    return RawPost(
        text=_BEFORE_MARK.sub("", " ".join(title.split())),
        published_at=published_at,
        position=position,
        native_id=url,
        author=domain if isinstance(domain, str) else None,
        url=url,
        language=_LANGUAGES.get(language.lower()) if isinstance(language, str) else None,
    )


def _moment(text: object, form: str) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None

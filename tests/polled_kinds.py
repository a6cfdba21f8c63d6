"""Every kind of polled source with its site, and how tests read it."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bearometer.clock import Clock, ManualClock
from bearometer.settings import IngestSettings
from bearometer.source_settings import (
    EdgarSettings,
    GdeltSettings,
    HackerNewsSettings,
    JsonSettings,
    SourceSettings,
    StockTwitsSettings,
)
from ingest.normalise import normalise
from ingest.source import RawPost, Resumable, Unreadable
from ingest.sources import build_source
from tests.source_server import Answer, SourceServer
from tests.source_sites import Edgar, Gdelt, HackerNews, Pages, StockTwits

__all__ = [
    "INGEST",
    "INTERVAL",
    "KINDS",
    "NOW",
    "Kind",
    "edgar",
    "gdelt",
    "go_on",
    "hackernews",
    "ids",
    "json_pages",
    "open_kind",
    "stocktwits",
    "take",
]

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
INGEST = IngestSettings(allow_private_addresses=True, fetch_timeout_seconds=5.0)
INTERVAL = 100.0


@dataclass
class Kind:
    """A site, how to have it publish more, and the settings of a source that reads it."""

    site: Answer
    publish: Callable[[int], None]
    settings: Callable[[str], SourceSettings]
    page: int
    """Posts in one answer at most."""


def edgar() -> Kind:
    site = Edgar()
    return Kind(
        site,
        site.publish,
        lambda url: EdgarSettings(
            name="filings",
            contact="Ann ann@example.com",
            url=f"{url}/browse-edgar",
            tickers_url=f"{url}/company_tickers.json",
            interval_seconds=INTERVAL,
        ),
        100,
    )


def gdelt() -> Kind:
    site, numbers = Gdelt(), itertools.count()

    def publish(count: int) -> None:
        for number in itertools.islice(numbers, count):
            seen = NOW - timedelta(minutes=30) + timedelta(seconds=number // 100)
            site.articles.append((seen, f"Harbor Mills opens plant {number}"))

    return Kind(
        site,
        publish,
        lambda url: GdeltSettings(name="news", query="harbor", url=f"{url}/doc", interval_seconds=INTERVAL),
        250,
    )


def hackernews() -> Kind:
    site, numbers = HackerNews(), itertools.count(1)

    def publish(count: int) -> None:
        for number in itertools.islice(numbers, count):
            at = int(NOW.timestamp()) - 1_000 + number // 2
            site.items.append((number, at, {"title": f"Harbor Mills opens plant {number}", "points": 2}))

    return Kind(
        site,
        publish,
        lambda url: HackerNewsSettings(name="hn", query="harbor", url=f"{url}/search", interval_seconds=INTERVAL),
        200,
    )


def stocktwits() -> Kind:
    site, numbers = StockTwits(), itertools.count(1)
    site.streams = {"HBRM": [], "NTHW": []}

    def publish(count: int) -> None:
        for number in itertools.islice(numbers, count):
            site.streams["HBRM"].append((number, f"$HBRM opens plant {number}"))

    return Kind(
        site,
        publish,
        lambda url: StockTwitsSettings(
            name="twits", streams=("hbrm", "NTHW"), url=url, interval_seconds=INTERVAL, gap_seconds=1
        ),
        30,
    )


def json_pages() -> Kind:
    site = Pages()
    return Kind(
        site,
        site.publish,
        lambda url: JsonSettings(
            name="own",
            url=f"{url}/posts?all=1",
            items="data.posts",
            fields={"id": "n", "text": "body.plain", "created_at": "at"},
            cursor_param="after",
            cursor_path="meta.next",
            interval_seconds=INTERVAL,
        ),
        3,
    )


KINDS = {each.__name__: each for each in (edgar, gdelt, hackernews, stocktwits, json_pages)}


def open_kind(
    kind: Kind, server: SourceServer, clock: Clock | None = None, cursor: str | None = None, **ingest: object
) -> Resumable:
    settings = INGEST.model_copy(update=ingest)
    source = build_source(kind.settings(server.url), settings, clock or ManualClock(NOW))
    source.resume(cursor)
    return source


def take(source: Resumable, clock: ManualClock, seconds: float) -> list[RawPost]:
    """Every post that it gives in so much of the clock's time; nothing may be unreadable."""
    until = clock.monotonic() + seconds
    posts = []
    for item in source.read():
        assert not isinstance(item, Unreadable), item
        if item is not None:
            posts.append(item)
        if clock.monotonic() >= until:
            break
    return posts


def go_on(
    reading: Iterator[RawPost | Unreadable | None], clock: ManualClock, seconds: float
) -> list[RawPost | Unreadable | None]:
    """The next items of so much of the clock's time."""
    until = clock.monotonic() + seconds
    return [*itertools.takewhile(lambda _: clock.monotonic() < until, reading)]


def ids(posts: list[RawPost]) -> list[str]:
    return [normalise(post, "source", INGEST, NOW).id for post in posts]

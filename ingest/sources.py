"""From the settings to the sources, and to what runs them."""

from collections.abc import Collection
from functools import partial

from bearometer.clock import Clock
from bearometer.errors import Misconfigured
from bearometer.settings import IngestSettings
from bearometer.source_base import FEEDS
from bearometer.source_settings import (
    EdgarSettings,
    FileSettings,
    GdeltSettings,
    HackerNewsSettings,
    JsonSettings,
    SourceSettings,
    StockTwitsSettings,
)
from bearometer.stream_source_settings import (
    BlueskySettings,
    KafkaTopicSettings,
    MastodonSettings,
    RedditSettings,
    WebhookSourceSettings,
    XSettings,
)
from bearometer.terminal import plain
from ingest.bluesky import BlueskySource
from ingest.edgar import Filings
from ingest.file_source import FileSource
from ingest.gdelt import Articles
from ingest.hackernews import ItemSearch
from ingest.json_poll import JsonList
from ingest.kafka_topic import KafkaTopicSource
from ingest.mastodon import MastodonSource
from ingest.polled import Asker, PolledSource
from ingest.reddit import reddit_source
from ingest.rss import RssSource
from ingest.runner import Job
from ingest.source import Resumable
from ingest.stocktwits import SymbolStreams
from ingest.webhook import WebhookSource
from ingest.x import XSource

__all__ = ["build_jobs", "build_source", "source_names"]


def build_source(
    settings: SourceSettings, ingest: IngestSettings, clock: Clock, *, once: bool = False, dry_run: bool = False
) -> Resumable:
    """The source, not yet connected to anything; Misconfigured when its settings cannot work.

    With `once` it ends as soon as it has nothing more just now, and trouble of any kind raises Failed. A `dry_run`
    changes nothing on the other side.
    """
    source: Resumable
    match settings:
        case EdgarSettings() | GdeltSettings() | HackerNewsSettings() | StockTwitsSettings() | JsonSettings():
            source = PolledSource(settings, ingest, clock, _asker(settings, clock), once=once)
        case RedditSettings():
            source = reddit_source(settings, ingest, clock, once=once)
        case BlueskySettings():
            source = BlueskySource(settings, ingest, clock, once=once)
        case MastodonSettings():
            source = MastodonSource(settings, ingest, clock, once=once)
        case XSettings():
            source = XSource(settings, ingest, clock, once=once, dry_run=dry_run)
        case WebhookSourceSettings():
            source = WebhookSource(settings, ingest, clock, once=once)
        case KafkaTopicSettings():
            source = KafkaTopicSource(settings, ingest, clock, once=once)
        case FileSettings():
            source = FileSource(settings, ingest, clock, once=once)
    return source


def _asker(
    settings: EdgarSettings | GdeltSettings | HackerNewsSettings | StockTwitsSettings | JsonSettings, clock: Clock
) -> Asker:
    match settings:
        case EdgarSettings():
            return Filings(settings, clock)
        case GdeltSettings():
            return Articles(settings, clock)
        case HackerNewsSettings():
            return ItemSearch(settings, clock)
        case StockTwitsSettings():
            return SymbolStreams(settings)
        case JsonSettings():
            return JsonList(settings, clock)


def source_names(ingest: IngestSettings) -> list[str]:
    """All that are configured, the feeds together as one."""
    return [*([FEEDS] if ingest.feeds else []), *(source.name for source in ingest.sources)]


def build_jobs(
    ingest: IngestSettings,
    clock: Clock,
    names: Collection[str] = (),
    *,
    once: bool = False,
    dry_run: bool = False,
) -> list[Job]:
    """What `run_jobs` takes for the sources of these names, or for all; Misconfigured when there is none."""
    known = source_names(ingest)
    if not known:
        message = "there are no sources; put [[ingest.feeds]] or [[ingest.sources]] into the settings file"
        raise Misconfigured(message)
    for name in names:
        if name not in known:
            message = f"no source is named {plain(name, 80)!r}; there are {', '.join(known)}"
            raise Misconfigured(message)
    jobs = []
    if ingest.feeds and (not names or FEEDS in names):
        feeds = RssSource(ingest, clock, once=once)  # one for all starts: it remembers what it gave
        jobs.append(Job(FEEDS, "rss", lambda: feeds))
    for source in ingest.sources:
        if not names or source.name in names:
            opened = partial(build_source, source, ingest, clock, once=once, dry_run=dry_run)
            jobs.append(Job(source.name, source.kind, opened))
    return jobs

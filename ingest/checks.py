"""Asking a source once, to see whether it works and what it gives."""

from collections.abc import Callable
from dataclasses import dataclass

from bearometer.clock import Clock
from bearometer.errors import BearometerError, Rejected
from bearometer.post import Post
from bearometer.settings import IngestSettings
from bearometer.terminal import plain
from ingest.normalise import normalise
from ingest.source import RawPost, Source

__all__ = ["Checked", "check_source"]

MAX_SECONDS = 10.0
MAX_POSTS = 1_000


@dataclass(slots=True)
class Checked:
    """What a source gave when it was asked once."""

    posts: int = 0
    rejected: int = 0
    first: Post | None = None
    problem: str | None = None
    """Why it does not work; None when it does."""


def check_source(open_source: Callable[[], Source], ingest: IngestSettings, clock: Clock) -> Checked:
    """Ask for 10 seconds and 1,000 posts at most, from the source's present on; publishes nothing, keeps no place."""
    checked = Checked()
    reason = ""
    deadline = clock.monotonic() + MAX_SECONDS
    try:
        source = open_source()
        for item in source.read():
            if isinstance(item, RawPost):
                try:
                    post = normalise(item, item.source or source.name, ingest, clock.now())
                except Rejected as error:
                    checked.rejected += 1
                    reason = reason or f"{error.reason}, {error.detail}"
                else:
                    checked.posts += 1
                    checked.first = checked.first or post
            elif item is not None:
                checked.rejected += 1
                reason = reason or f"{item.reason}, {item.detail}"
            trouble = getattr(source, "last_error", None)
            if trouble is not None and not checked.posts:
                checked.problem = plain(trouble, 500)
            if trouble is not None or checked.posts + checked.rejected >= MAX_POSTS or clock.monotonic() > deadline:
                break
    except BearometerError as error:
        checked.problem = plain(str(error), 500)
    if checked.problem is None and checked.rejected and not checked.posts:
        checked.problem = plain(f"none of its {checked.rejected:,} entries is a post: {reason}", 500)
    return checked

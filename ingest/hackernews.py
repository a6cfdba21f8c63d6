"""Stories and comments of Hacker News that hold the words of a query, by Algolia's search.

https://hn.algolia.com/api: without a key, 10,000 requests an hour; newest first, 1,000 hits of a search at most.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bearometer.clock import Clock
from bearometer.errors import Reason, Rejected, Transient
from bearometer.source_settings import HackerNewsSettings
from ingest.fetch import shown_url, with_params
from ingest.polled import Page, Place, Web, join_sentences, read_items, read_json
from ingest.source import RawPost
from ingest.text import strip_html

__all__ = ["ItemSearch"]

PAGE = 200
_MAX_SECONDS = 10**11
ITEM = "https://news.ycombinator.com/item?id="


@dataclass(slots=True)
class ItemSearch:
    """A story or a comment is one post; id: its number; engagement: points and comments when it was found."""

    settings: HackerNewsSettings
    clock: Clock

    def ask(self, web: Web, place: Place, known: Callable[[str], bool], where: str) -> Page:
        """The newest hits since `place`, or those before the page before; the answers go from new to old."""
        del known
        now = int(self.clock.now().timestamp())
        first = int(now - self.settings.first_hours * 3_600)
        newest = _seconds(place.get("newest")) or first
        floor = _seconds(place.get("floor")) or int(newest - self.settings.overlap_minutes * 60)
        before = _seconds(place.get("before"))
        filters = f"created_at_i>={floor}" + ("" if before is None else f",created_at_i<={before}")
        query = {"query": self.settings.query, "tags": f"({','.join(self.settings.items)})", "numericFilters": filters}
        shape = {"hitsPerPage": str(PAGE), "typoTolerance": "false"}
        url = with_params(self.settings.url, {**query, **shape})
        body = web.get(url, "application/json")
        hits = [] if body is None else _hits(body, url)
        items = read_items(hits, where, _post)
        times = [at for hit in hits if isinstance(hit, dict) and (at := _seconds(hit.get("created_at_i")))]
        top = min(max([newest, *times]), now)
        oldest = min(times, default=floor)
        if len(hits) < PAGE or oldest == before or oldest <= floor:
            return Page(items, {"newest": top})
        # The floor stays while we page back, or what lies above it would be lost with a restart.
        return Page(items, {"newest": top, "floor": floor, "before": oldest}, more=True)


def _hits(body: bytes, url: str) -> list[Any]:
    match read_json(body, url):
        case {"hits": list(hits)}:
            return hits
    message = f"{shown_url(url)} has no list of hits"
    raise Transient(message)


def _post(hit: Any, position: str) -> RawPost:
    match hit:
        case {"objectID": str(number), "created_at_i": int(at)} if 0 < at < _MAX_SECONDS:
            published_at = datetime.fromtimestamp(at, UTC)
        case _:
            raise Rejected(Reason.UNDECODABLE, "no hit with objectID and created_at_i")
    title = hit.get("title")
    parts = [title] if isinstance(title, str) else []
    parts += [strip_html(text) for name in ("story_text", "comment_text") if isinstance(text := hit.get(name), str)]
    author = hit.get("author")
    return RawPost(
        text=join_sentences(parts),
        published_at=published_at,
        position=position,
        native_id=number,
        author=author if isinstance(author, str) else None,
        url=f"{ITEM}{number}",
        engagement=sum(count for name in ("points", "num_comments") if isinstance(count := hit.get(name), int)),
    )


def _seconds(value: object) -> int | None:
    return value if isinstance(value, int) and 0 < value < _MAX_SECONDS else None

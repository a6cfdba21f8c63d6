"""Messages of StockTwits, from the streams of some symbols.

https://api.stocktwits.com/developers/docs/api: 200 requests an hour without a token.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bearometer.errors import Reason, Rejected, Transient
from bearometer.source_base import reveal
from bearometer.source_settings import StockTwitsSettings
from ingest.fetch import shown_url, with_params
from ingest.polled import Page, Place, Web, read_items, read_json
from ingest.rows import parse_time
from ingest.source import RawPost

__all__ = ["SymbolStreams"]

PAGE = 30
"""Messages in an answer; StockTwits gives no more."""


@dataclass(slots=True)
class SymbolStreams:
    """A message is one post with all its symbols, whichever of the streams it stands in; id: its number."""

    settings: StockTwitsSettings
    token: str | None = field(init=False)

    def __post_init__(self) -> None:
        token, where = self.settings.access_token, f"ingest.sources.{self.settings.name}.access_token"
        self.token = None if token is None else reveal(token, where)

    def ask(self, web: Web, place: Place, known: Callable[[str], bool], where: str) -> Page:
        """One page of one stream; the streams take turns, and answers go from new to old."""
        del known
        streams = [stream.upper() for stream in self.settings.streams]
        since = {stream: number for stream, number in _dict(place.get("since")).items() if stream in streams}
        turn = _number(place.get("turn")) or 0
        before, top = _number(place.get("before")), _number(place.get("top"))
        if turn >= len(streams) or place.get("stream", streams[turn]) != streams[turn]:
            turn, before, top = 0, None, None
        stream = streams[turn]
        query = {"limit": str(PAGE)}
        floor = _number(since.get(stream))
        if floor is not None:
            query["since"] = str(floor)
        if before is not None:
            query["max"] = str(before)
        if self.token is not None:
            query["access_token"] = self.token
        url = with_params(f"{self.settings.url}/{stream}.json", query)
        body = web.get(url, "application/json")
        messages, is_more = ([], False) if body is None else _messages(body, url)
        numbers = [number for each in messages if isinstance(each, dict) and (number := _number(each.get("id")))]
        items = read_items(messages, where, _post)
        top = max([*numbers, top or 0, floor or 0])
        oldest = min(numbers, default=0)
        # A stream that is new to us is read from its newest page on; the past has no end.
        goes_on = floor is not None and is_more and oldest > floor and (before is None or oldest < before)
        if goes_on:
            after = {"since": since, "turn": turn, "stream": stream, "before": oldest, "top": top}
            return Page(items, after, more=True)
        since[stream] = top
        following = turn + 1 if turn + 1 < len(streams) else 0
        return Page(items, {"since": since, "turn": following, "stream": streams[following]}, more=following > 0)


def _messages(body: bytes, url: str) -> tuple[list[Any], bool]:
    answer = read_json(body, url)
    match answer:
        case {"messages": list(messages)}:
            cursor = answer.get("cursor")
            return messages, bool(isinstance(cursor, dict) and cursor.get("more"))
    message = f"{shown_url(url)} has no list of messages"
    raise Transient(message)


def _post(entry: Any, position: str) -> RawPost:
    match entry:
        case {"id": int(number), "body": str(body), "created_at": str(created_at)}:
            published_at = parse_time(created_at)
        case _:
            raise Rejected(Reason.UNDECODABLE, "no message with id, body and created_at")
    user = _dict(entry.get("user"))
    username, followers = user.get("username"), _number(user.get("followers"))
    symbols = entry.get("symbols")
    named = [_dict(each).get("symbol") for each in symbols] if isinstance(symbols, list) else []
    return RawPost(
        text=body,
        published_at=published_at,
        position=position,
        native_id=str(number),
        author=username if isinstance(username, str) else None,
        followers=followers,
        url=f"https://stocktwits.com/{username}/message/{number}" if isinstance(username, str) else None,
        symbols=tuple(symbol for symbol in named if isinstance(symbol, str)),
        engagement=_number(_dict(entry.get("likes")).get("total")) or 0,
    )


def _dict(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

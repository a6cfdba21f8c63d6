"""New posts and comments of subreddits, by Reddit's interface for applications.

https://github.com/reddit-archive/reddit/wiki/OAuth2 (application only), …/wiki/API (limits, User-Agent) and
https://www.reddit.com/dev/api (listings). A listing is walked from the newest entry to the last one known. Asking for
what came `before` the last one known would be shorter, but gives nothing for ever once that one is deleted.
"""

import base64
import platform
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from bearometer import __version__
from bearometer.clock import Clock
from bearometer.errors import Misconfigured, Reason, Rejected, Transient
from bearometer.settings import IngestSettings
from bearometer.source_base import reveal
from bearometer.stream_source_settings import RedditSettings
from ingest.fetch import shown_url
from ingest.http_stream import Answer, ask, refusal
from ingest.polled import Page, Place, PolledSource, Web, join_sentences, read_items, read_json
from ingest.rows import parse_time
from ingest.source import RawPost

__all__ = ["reddit_source"]

_PAGE = 100
_FEWEST_REQUESTS = 2.0
"""With so few requests left in the server's period we wait for its end."""
_EARLY_SECONDS = 60.0
"""A token is renewed so long before it ends."""
_GONE = frozenset({"", "[removed]", "[deleted]", "[ Removed by Reddit ]"})
_NOBODY = frozenset({"", "[deleted]"})
_MACHINE = "AutoModerator"


def reddit_source(
    settings: RedditSettings,
    ingest: IngestSettings,
    clock: Clock,
    *,
    once: bool = False,
    chance: random.Random | None = None,
) -> PolledSource:
    """A source of the subreddits' posts and comments."""
    return PolledSource(settings, ingest, clock, _Reddit(settings, ingest, clock), once=once, chance=chance)


class _Reddit:
    """One request for a page a call; a page of posts, of comments, or an older one where the last did not reach back.

    The place is, for each listing, the last entry known; and, within a walk, where it is and what it began with.
    """

    def __init__(self, settings: RedditSettings, ingest: IngestSettings, clock: Clock) -> None:
        self._settings = settings
        self._ingest = ingest
        self._clock = clock
        setting = f"ingest.sources.{settings.name}"
        self._setting = f"{setting}.client_id, client_secret and subreddits"
        identity = reveal(settings.client_id, f"{setting}.client_id")
        secret = reveal(settings.client_secret, f"{setting}.client_secret")
        self._basic = base64.b64encode(f"{identity}:{secret}".encode()).decode()
        self._agent = f"{platform.system().lower()}:bearometer:v{__version__} (by /u/{settings.username})"
        self._token = ""
        self._token_ends = 0.0
        self._not_before = 0.0
        self._listings = ("new", "comments") if settings.comments else ("new",)

    def ask(self, web: Web, place: Place, known: Callable[[str], bool], where: str) -> Page:
        """The next page; Transient while the period's requests are used up."""
        del web, known  # a page that a kill cut short is known, and what lies behind it is not
        if (wait := self._not_before - self._clock.monotonic()) > 0:
            message = f"{shown_url(self._settings.api_url)}: the requests of this period are used up"
            raise Transient(message, wait)
        listing = next((each for each in self._listings if each == place.get("listing")), self._listings[0])
        walk = _as_dict(place.get("walk"))
        found, after = self._page(listing, walk.get("after"))
        entries = [entry for entry in found if _order(entry) >= 0]
        # Fixed at the walk's first page: what comes while we walk is for the next one.
        newest = _name(max(entries, key=_order)) if entries else None
        last = place.get(listing)
        top = walk.get("top") or (newest if _number(newest) > _number(last) else last)
        pages = 1 + (walk["pages"] if isinstance(walk.get("pages"), int) else 0)
        reached = any(not _is_behind(entry, last) for entry in entries)
        goes_on = bool(after and last and not reached and pages < self._settings.max_pages)
        # Also those before the last one known: an entry that a moderator let in late stands in the middle.
        items = read_items([entry for entry in entries if _speaks(entry)], where, self._read)
        if goes_on:
            walked = {"after": after, "top": top, "pages": pages}
            return Page(items, {**place, "listing": listing, "walk": walked}, more=True)
        following = self._listings[(self._listings.index(listing) + 1) % len(self._listings)]
        marks: dict[str, Any] = {each: place[each] for each in self._listings if place.get(each)}
        return Page(items, marks | {listing: top, "listing": following}, more=following != self._listings[0])

    def _page(self, listing: str, after: object) -> tuple[list[dict[str, Any]], str | None]:
        query = {"limit": str(_PAGE), "raw_json": "1"} | ({"after": after} if isinstance(after, str) else {})
        url = f"{self._settings.api_url}/r/{'+'.join(self._settings.subreddits)}/{listing}?{urlencode(query)}"
        answer = self._authorised(url)
        if answer.status != 200:
            raise refusal(url, answer.status, answer.headers, self._clock.now(), self._setting)
        data = _as_dict(_as_dict(read_json(answer.body, url)).get("data"))
        children = data.get("children")
        if not isinstance(children, list):
            message = f"{shown_url(url)} answers with no listing"
            raise Transient(message)
        entries = [_as_dict(_as_dict(child).get("data")) for child in children]
        return entries, data["after"] if isinstance(data.get("after"), str) else None

    def _authorised(self, url: str) -> Answer:
        answer = None
        for _ in range(2):
            headers = {"User-Agent": self._agent, "Authorization": f"Bearer {self._fresh_token()}"}
            answer = ask(url, self._ingest, self._clock, headers=headers)
            self._heed(answer)
            if answer.status != 401:
                break
            self._token = ""  # it ended early, or was withdrawn
        assert answer is not None
        return answer

    def _fresh_token(self) -> str:
        if self._token and self._clock.monotonic() < self._token_ends:
            return self._token
        url = self._settings.token_url
        headers = {
            "User-Agent": self._agent,
            "Authorization": f"Basic {self._basic}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = b"grant_type=client_credentials"
        answer = ask(url, self._ingest, self._clock, headers=headers, method="POST", body=body)
        if answer.status != 200:
            raise refusal(url, answer.status, answer.headers, self._clock.now(), self._setting)
        given = _as_dict(read_json(answer.body, url))
        token, seconds = given.get("access_token"), given.get("expires_in")
        if not (isinstance(token, str) and token.isascii() and token.isprintable() and token):
            message = f"{shown_url(url)} gives no token ({given.get('error')!r:.60}): look at {self._setting}"
            raise Misconfigured(message)
        lasts = float(seconds) if isinstance(seconds, int | float) else 3_600.0
        self._token, self._token_ends = token, self._clock.monotonic() + max(lasts - _EARLY_SECONDS, 1.0)
        return token

    def _heed(self, answer: Answer) -> None:
        try:
            left, seconds = (float(answer.headers[f"x-ratelimit-{name}"]) for name in ("remaining", "reset"))
        except (KeyError, ValueError):
            return
        if left < _FEWEST_REQUESTS and 0 < seconds < 86_400:
            self._not_before = self._clock.monotonic() + seconds

    def _read(self, entry: Any, position: str) -> RawPost:
        title, body = _said(entry, "title"), _said(entry, "body" if _is_comment(entry) else "selftext")
        text = join_sentences([title, body])
        link = _said(entry, "url")
        if not _is_comment(entry) and entry.get("is_self") is False and link:
            text = f"{text} {link}"
        author = _said(entry, "author")
        permalink = _said(entry, "permalink")
        return RawPost(
            # A post may have 40,000 characters; what it is about stands in front.
            text=text[: self._ingest.max_text_chars],
            published_at=_time(entry.get("created_utc")),
            position=position,
            native_id=_name(entry),
            author=None if author in _NOBODY else author,
            url=f"https://www.reddit.com{permalink}" if permalink.startswith("/") else None,
            engagement=sum(
                count for name in ("score", "num_comments") if isinstance(count := entry.get(name), int) and count > 0
            ),
        )


def _speaks(entry: dict[str, Any]) -> bool:
    """Whether a person says something in it that was not taken away."""
    text = _said(entry, "body") if _is_comment(entry) else _said(entry, "title")
    return text not in _GONE and _said(entry, "author") != _MACHINE


def _is_comment(entry: dict[str, Any]) -> bool:
    return str(_name(entry)).startswith("t1_")


def _name(entry: dict[str, Any] | None) -> str | None:
    name = (entry or {}).get("name")
    return name if isinstance(name, str) else None


def _order(entry: dict[str, Any]) -> int:
    """Ids count up, in base 36; -1 for what has none."""
    return _number(_name(entry))


def _number(name: object) -> int:
    kind, underscore, digits = name.partition("_") if isinstance(name, str) else ("", "", "")
    return int(digits, 36) if kind and underscore and digits.isascii() and digits.isalnum() and len(digits) < 20 else -1


def _is_behind(entry: dict[str, Any], last: object) -> bool:
    return _order(entry) > _number(last)


def _said(entry: dict[str, Any], field: str) -> str:
    value = entry.get(field)
    return value if isinstance(value, str) else ""


def _time(value: object) -> datetime:
    moment = parse_time(value)
    if moment is None:
        raise Rejected(Reason.BAD_TIME, "no time")
    return moment


def _as_dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

"""A source that is asked over HTTP, again and again: when, what of an answer is new, and where it goes on."""

import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

import orjson

from bearometer.clock import Clock
from bearometer.errors import Failed, Rejected, Transient
from bearometer.settings import IngestSettings
from bearometer.source_base import PolledGroup
from ingest.fetch import FeedFetcher, Validators, shown_url
from ingest.normalise import fingerprint
from ingest.seen import Seen
from ingest.source import RawPost, Unreadable

__all__ = ["Asker", "Item", "Page", "Place", "PolledSource", "Web", "join_sentences", "read_items", "read_json"]

log = logging.getLogger(__name__)

MAX_BACKOFF_SECONDS = 3_600.0
MAX_PLACE_BYTES = 16_000

_SLICE_SECONDS = 0.2
_DUE_SECONDS = 0.001
"""A wait shorter than this is over: a clock may have no finer ticks."""
_VALIDATED_URLS = 100
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

Place = Mapping[str, Any]
"""Where a kind of source goes on: a small JSON object whose meaning only that kind knows; {} at the very first."""


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of an answer, and the key by which it is known again."""

    key: str
    what: RawPost | Unreadable


@dataclass(frozen=True, slots=True)
class Page:
    """What one request gave."""

    items: Sequence[Item]
    place: Place
    """Where to go on once all items were given."""
    more: bool = False
    """Whether to ask again at once (after `gap_seconds`), since more is known to be there."""


class Asker(Protocol):
    """One kind of source."""

    def ask(self, web: "Web", place: Place, known: Callable[[str], bool], where: str) -> Page:
        """Make one request and read its answer; `known` says whether an item's key was given before.

        `where` begins the items' positions. Raises Transient for what may pass, an answer that is no answer among it;
        Failed for a refusal.
        """
        ...


class Web:
    """Requests within the limits of the settings; remembers which version of an address we have."""

    def __init__(self, fetcher: FeedFetcher) -> None:
        self._fetcher = fetcher
        self._validators: dict[str, Validators] = {}
        self._latest: dict[str, Validators] = {}

    def get(self, url: str, accept: str, private_headers: Mapping[str, str] | None = None) -> bytes | None:
        """The body; None when it is as it was. Raises Transient or Failed, as FeedFetcher says."""
        known = self._validators.get(url, Validators())
        fetched = self._fetcher.fetch(url, known, accept=accept, private_headers=private_headers)
        self._latest[url] = fetched.validators
        return fetched.body

    def commit(self) -> None:
        """Only now that all of the answers was used do we have their versions: one cut short is asked for again."""
        self._validators |= {url: each for url, each in self._latest.items() if each != Validators()}
        self._latest.clear()
        while len(self._validators) > _VALIDATED_URLS:
            del self._validators[next(iter(self._validators))]

    def forget(self) -> None:
        """Drop the versions of answers that turned out to be of no use."""
        self._latest.clear()


class PolledSource:
    """Asks every `interval_seconds`, give or take a tenth; a Resumable.

    After trouble the wait doubles, up to an hour, and is at least what the server asks for. An item that was given is
    not given again, after a restart neither. With `once` it asks until the server has no more just now, and ends; then
    trouble raises Failed.
    """

    live = True

    def __init__(
        self,
        settings: PolledGroup,
        ingest: IngestSettings,
        clock: Clock,
        asker: Asker,
        *,
        once: bool = False,
        chance: random.Random | None = None,
    ) -> None:
        self.name = settings.name
        self.last_error: str | None = None
        self._settings = settings
        self._ingest = ingest
        self._clock = clock
        self._asker = asker
        self._once = once
        self._chance = chance or random.Random()
        self._due = clock.monotonic()
        self._place: Place = {}
        self._seen = Seen()
        self._requests = 0
        self._failures = 0

    @property
    def cursor(self) -> str | None:
        """The place of the last answer that was given whole, and what was given."""
        seen = self._seen.stored()
        if not self._place and not seen:
            return None
        return orjson.dumps({"v": 1, "place": self._place, "seen": seen}).decode()

    def resume(self, cursor: str | None) -> None:
        """Go on from a stored cursor."""
        if cursor is None:
            return
        try:
            stored = orjson.loads(cursor)
        except orjson.JSONDecodeError:
            stored = None
        if not isinstance(stored, dict) or stored.get("v") != 1 or not isinstance(stored.get("place"), dict):
            log.warning("%s: the stored place cannot be read; starting anew", self.name)
            return
        self._place = stored["place"]
        self._seen.load(stored.get("seen") or ())

    def read(self) -> Iterator[RawPost | Unreadable | None]:
        """Items as they appear, those of an answer in the order of their time; None while nothing is due."""
        with FeedFetcher(self._ingest, self._clock) as fetcher:
            web = Web(fetcher)
            while True:
                yield from self._wait()
                self._requests += 1
                try:
                    page = self._asker.ask(web, self._place, self._seen.__contains__, self._where())
                    _check_size(self.name, page.place)
                except Transient as error:
                    web.forget()
                    self._back_off(error)
                    continue
                for item in sorted(page.items, key=_time):
                    if self._seen.add(item.key):
                        yield self._completed(item.what)
                self._place = page.place
                web.commit()
                self.last_error, self._failures = None, 0
                if self._once and not page.more:
                    return
                interval = self._settings.interval_seconds * self._chance.uniform(0.9, 1.1)
                self._due = self._clock.monotonic() + (self._settings.gap_seconds if page.more else interval)

    def _where(self) -> str:
        return f"{self.name}, answer {self._requests}"

    def _wait(self) -> Iterator[None]:
        while (wait := self._due - self._clock.monotonic()) > _DUE_SECONDS:
            self._clock.sleep(min(wait, _SLICE_SECONDS))
            yield None

    def _completed(self, what: RawPost | Unreadable) -> RawPost | Unreadable:
        if isinstance(what, Unreadable) or not self._settings.symbols:
            return what
        return replace(what, symbols=tuple(dict.fromkeys((*self._settings.symbols, *what.symbols))))

    def _back_off(self, error: Transient) -> None:
        if self._once:
            raise Failed(str(error)) from error
        interval = self._settings.interval_seconds
        wait = max(min(interval * 2 ** min(self._failures, 20), MAX_BACKOFF_SECONDS), interval)
        wait *= self._chance.uniform(0.8, 1.2)
        if error.retry_after_seconds is not None:
            wait = max(wait, error.retry_after_seconds)
        self._failures += 1
        self._due = self._clock.monotonic() + wait
        self.last_error = f"{error}; asked again in {wait:.0f} s"
        log.warning("%s: %s", self.name, self.last_error)


def read_json(body: bytes, url: str) -> Any:
    """What the body says; Transient when it is no JSON, half of one among it."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        message = f"{shown_url(url)} answers with what is no JSON, or cut off: {error}"
        raise Transient(message) from None


def read_items(found: Sequence[Any], where: str, read: Callable[[Any, str], RawPost]) -> list[Item]:
    """Each entry of an answer by `read(entry, position)`, which may raise Rejected."""
    items = []
    for number, entry in enumerate(found, start=1):
        position = f"{where}, item {number}"
        try:
            post = read(entry, position)
            items.append(Item(post.native_id or fingerprint(post.text), post))
        except Rejected as error:
            key = orjson.dumps(entry, default=repr, option=orjson.OPT_NON_STR_KEYS).decode("utf-8", "replace")
            items.append(Item(key, Unreadable(position, error.reason, error.detail)))
    return items


def join_sentences(parts: Sequence[str]) -> str:
    """A title and what follows it as one text."""
    text = ""
    for part in filter(None, (part.strip() for part in parts)):
        text += f"{'' if text.endswith(('.', '!', '?', '…', ':')) else '.'} {part}" if text else part
    return text


def _check_size(name: str, place: Place) -> None:
    if len(orjson.dumps(place)) > MAX_PLACE_BYTES:
        message = f"{name}: the server's place to go on from is larger than {MAX_PLACE_BYTES} bytes"
        raise Transient(message)


def _time(item: Item) -> datetime:
    return item.what.published_at or _LONG_AGO if isinstance(item.what, RawPost) else _LONG_AGO

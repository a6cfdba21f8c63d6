"""One feed over HTTP: only what changed, and within limits of size, time, redirects and addresses."""

import email.utils
import logging
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType

import httpcore
import httpx

from bearometer import __version__
from bearometer.clock import Clock
from bearometer.errors import Failed, Transient
from bearometer.settings import IngestSettings
from bearometer.terminal import plain
from ingest.address import AddressRefused, CheckedBackend

__all__ = ["FeedFetcher", "Fetched", "Validators", "parse_retry_after", "shown_url", "with_params"]

USER_AGENT = f"bearometer/{__version__} (feed reader)"

FEED_TYPES = "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.5"

_MAX_RETRY_AFTER_SECONDS = 86_400.0
_REFUSALS = frozenset({400, 401, 403, 404, 405, 410, 414, 422})
"""Answers that say that something is wrong with the question; asked again, it has the same answer."""


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server gave with a feed's last version, to ask whether there is a newer one."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A feed's bytes (None: unchanged since), and the validators for the next time."""

    body: bytes | None
    validators: Validators
    content_type: str = ""


class FeedFetcher:
    """Fetches feeds, one at a time; a context manager. It goes direct: proxies of the environment are not used.

    One fetch takes `fetch_timeout_seconds` at most, redirects included, and reads `max_feed_bytes` at most, as
    sent and as unpacked.
    """

    def __init__(self, settings: IngestSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._deadline = 0.0
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole addresses, and a query may be a secret
        backend = CheckedBackend(allow_private=settings.allow_private_addresses, remaining=self._remaining)
        self._client = httpx.Client(
            transport=_CheckedTransport(backend), follow_redirects=False, trust_env=False, timeout=None
        )

    def __enter__(self) -> "FeedFetcher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def fetch(
        self,
        url: str,
        validators: Validators,
        *,
        accept: str = FEED_TYPES,
        private_headers: Mapping[str, str] | None = None,
    ) -> Fetched:
        """The feed, if it changed. Raises Transient to be asked again later, Failed when asking again is vain.

        Both name the feed without its query and password, which may be secrets. `private_headers` go with the others,
        and before them, to the server of `url` only: a redirect elsewhere does not carry them along.
        """
        self._deadline = self._clock.monotonic() + self._settings.fetch_timeout_seconds
        headers = {"User-Agent": USER_AGENT, "Accept": accept, "Accept-Encoding": "gzip"}
        if validators.etag:
            headers["If-None-Match"] = validators.etag
        if validators.last_modified:
            headers["If-Modified-Since"] = validators.last_modified
        target = url
        try:
            for _ in range(self._settings.max_redirects + 1):
                if httpx.URL(target).scheme not in {"http", "https"}:
                    message = f"{shown_url(url)} leads to {shown_url(target)}; only http and https are fetched"
                    raise Failed(message)
                mine = private_headers or {} if _origin(target) == _origin(url) else {}
                with self._client.stream("GET", target, headers=headers | dict(mine)) as response:
                    if response.has_redirect_location:
                        target = str(response.url.join(response.headers["location"]))
                        continue
                    return self._read(url, response, validators)
        except (httpx.InvalidURL, UnicodeError) as error:
            message = f"{shown_url(url)} is no address of a feed: {error}"
            raise Failed(message) from None
        except AddressRefused as error:
            message = f"{shown_url(url)} was not fetched: {error}"
            raise Failed(message) from None
        except httpx.TimeoutException:
            message = f"{shown_url(url)} took longer than {self._settings.fetch_timeout_seconds:g} s"
            raise Transient(message) from None
        except httpx.LocalProtocolError:  # its words quote the header, which may be a secret
            message = f"{shown_url(url)} cannot be asked: a header or the address cannot be sent"
            raise Failed(message) from None
        except httpx.HTTPError as error:
            message = f"{shown_url(url)} cannot be fetched: {plain(str(error), 200)}"
            raise Transient(message) from None
        message = f"{shown_url(url)} redirects more than {self._settings.max_redirects} times"
        raise Failed(message)

    def _remaining(self) -> float:
        return self._deadline - self._clock.monotonic()

    def _read(self, url: str, response: httpx.Response, validators: Validators) -> Fetched:
        if response.status_code == httpx.codes.NOT_MODIFIED:
            return Fetched(None, validators)
        if response.status_code != httpx.codes.OK:
            message = f"{shown_url(url)} answers {response.status_code} {plain(response.reason_phrase, 60)}".rstrip()
            if response.status_code in _REFUSALS:
                raise Failed(message)
            raise Transient(message, parse_retry_after(response.headers.get("retry-after"), self._clock.now()))
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"identity", "", "gzip", "x-gzip"}:
            message = f"{shown_url(url)} comes in the encoding {encoding!r:.40}, which we did not ask for"
            raise Transient(message)
        chunks = _limit(response.iter_raw(), self._settings.max_feed_bytes)
        if "gzip" in encoding:
            chunks = _limit(_unpack(chunks), self._settings.max_feed_bytes)
        try:
            body = b"".join(chunks)
        except _TooLarge:
            message = f"{shown_url(url)} is larger than {self._settings.max_feed_bytes} bytes (ingest.max_feed_bytes)"
            raise Transient(message) from None
        except zlib.error as error:
            message = f"{shown_url(url)} is badly compressed: {error}"
            raise Transient(message) from None
        headers = response.headers
        return Fetched(
            body,
            Validators(etag=headers.get("etag"), last_modified=headers.get("last-modified")),
            headers.get("content-type", ""),
        )


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date; a day at most; None when it says neither."""
    if not value:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(min(int(value[:9]), _MAX_RETRY_AFTER_SECONDS))
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return min(max((moment - now).total_seconds(), 0.0), _MAX_RETRY_AFTER_SECONDS)


def shown_url(url: str) -> str:
    """A URL as it may be printed: without user, password, query and fragment."""
    without_query = url.partition("#")[0].partition("?")[0]
    scheme, slashes, rest = without_query.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{authority.rpartition('@')[2]}{slash}{path}"[:200]


def with_params(url: str, params: Mapping[str, str]) -> str:
    """The URL with these query parameters beside its own; Failed when it is no URL."""
    try:
        return str(httpx.URL(url).copy_merge_params(dict(params)))
    except (httpx.InvalidURL, UnicodeError) as error:
        message = f"{shown_url(url)} is no address: {error}"
        raise Failed(message) from None


def _origin(url: str) -> tuple[str, str, int | None]:
    parsed = httpx.URL(url)
    return parsed.scheme, parsed.host, parsed.port


class _CheckedTransport(httpx.HTTPTransport):
    def __init__(self, backend: CheckedBackend) -> None:
        context = httpx.create_ssl_context()
        super().__init__(verify=context, trust_env=False)
        self._pool.close()
        # httpx has no option for the network backend; its pool is httpcore's, which has.
        self._pool = httpcore.ConnectionPool(
            ssl_context=context, network_backend=backend, max_connections=10, keepalive_expiry=60.0
        )


class _TooLarge(Exception):
    """Raised when more bytes come than are allowed."""


def _limit(chunks: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > max_bytes:
            raise _TooLarge
        yield chunk


def _unpack(chunks: Iterator[bytes], step: int = 65_536) -> Iterator[bytes]:
    """Gunzip in small steps: a bomb is noticed before it has unfolded."""
    unpacker = zlib.decompressobj(wbits=31)
    for chunk in chunks:
        yield unpacker.decompress(chunk, step)
        while unpacker.unconsumed_tail:
            yield unpacker.decompress(unpacker.unconsumed_tail, step)
    if not unpacker.eof:
        message = "it ends too early"
        raise zlib.error(message)

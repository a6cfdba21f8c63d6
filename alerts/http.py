"""What the notifiers that speak HTTP share: one POST over verified TLS, and what its answer means.

No redirect is followed, all of it ends within a time, no more than a little of an answer is read, and no secret gets
into a log or an error: not the address with its path, and none of the further secrets that a notifier names.
"""

import ipaddress
import json
import logging
import math
import ssl
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx

from bearometer import __version__
from bearometer.clock import Clock
from bearometer.errors import BearometerError, Failed, Misconfigured, Transient, Unavailable
from bearometer.terminal import plain
from ingest.address import CheckedBackend

__all__ = ["MENDABLE", "Answer", "Poster", "check_address", "encode", "is_loopback", "retry_after"]

MAX_ANSWER_BYTES = 65_536
MAX_SAID_CHARS = 100
LEAST_SECRET_CHARS = 8
"""Shorter parts of an address (`services`, `v2`) are no secrets, and may stand in an error."""

MENDABLE = frozenset({301, 302, 303, 307, 308, 401, 403, 404, 410})
"""The address was revoked or has moved, or posting is forbidden: a person can undo it while we try again."""
PASSING = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; of a longer body its beginning."""

    status: int
    body: bytes = b""
    content_type: str = ""
    retry_after: str | None = None

    def fields(self) -> dict[str, Any]:
        """The body as a JSON object; empty where it is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class Poster:
    """Posts JSON to one address, with a connection of its own each time. Safe to share between threads.

    Over a proxy where the environment names one, except to this machine itself.
    """

    def __init__(
        self,
        service: str,
        url: str,
        timeout_seconds: float,
        clock: Clock,
        secrets: Collection[str] = (),
        *,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        """`url` must have passed `check_address`. `timeout_seconds` is for a whole post, the name's look-up too."""
        for library in ("httpx", "httpcore"):  # they log whole addresses, which are secrets
            logging.getLogger(library).setLevel(logging.WARNING)
        self.service = service
        self._url = url
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._max_answer_bytes = max_answer_bytes
        self._secrets = sorted({*_parts(url), *secrets}, key=len, reverse=True)
        self._client = httpx.Client(
            timeout=timeout_seconds,
            follow_redirects=False,
            trust_env=not is_loopback(urlsplit(url).hostname or ""),
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self._post_in_progress = threading.local()
        _limit_time(self._client, CheckedBackend(allow_private=True, remaining=self._remaining))

    def post(self, body: bytes, headers: Mapping[str, str] | None = None, within_seconds: float = math.inf) -> Answer:
        """The answer, whatever it says; Unavailable where there is none.

        `within_seconds` shortens the time for this one, which is never longer than `timeout_seconds`.
        """
        sent = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": f"bearometer/{__version__}",
            "Accept-Encoding": "identity",
            **(headers or {}),
        }
        self._post_in_progress.deadline = self._clock.monotonic() + min(self._timeout_seconds, within_seconds)
        try:
            with self._client.stream("POST", self._url, content=body, headers=sent) as response:
                return Answer(
                    response.status_code,
                    b"".join(self._first_bytes(response.iter_raw())),
                    response.headers.get("content-type", ""),
                    response.headers.get("retry-after"),
                )
        except httpx.TimeoutException:
            reason = "no answer in time"
        except httpx.HTTPError as error:
            reason = self.hide(_reason(error))
        message = f"{self.service} cannot be reached: {reason}"
        raise Unavailable(message)

    def refusal(self, answer: Answer, said: str | None = None, mendable: Collection[int] = MENDABLE) -> BearometerError:
        """The error that an answer stands for which says that the message was not taken.

        Transient for 429 (with the wait asked for), 5xx and a 2xx that is not the service's own; Unavailable for what
        a person can mend; Failed for any other. `said` is what the service gives as its reason; the body when None.
        """
        words = plain(self.hide(answer.body.decode("utf-8", "replace") if said is None else said), MAX_SAID_CHARS)
        if answer.status < 300:  # something between us and the service has answered, such as a proxy's login page
            return Transient(f"the answer is not {self.service}'s: {answer.status} {words!r}")
        message = f"{self.service} answered {answer.status} {words!r}"
        if answer.status >= 500 or answer.status in PASSING:
            return Transient(message, retry_after(answer.retry_after, self._clock))
        return Unavailable(message) if answer.status in mendable else Failed(message)

    def hide(self, text: str) -> str:
        """The text with every secret blotted out."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text

    def _remaining(self) -> float:
        deadline: float = self._post_in_progress.deadline
        return deadline - self._clock.monotonic()

    def _first_bytes(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """As much of a body as is wanted and came in time; what the status has said stands without the rest."""
        left = self._max_answer_bytes
        try:
            for chunk in chunks:
                yield chunk[:left]
                left -= len(chunk)
                if left <= 0:
                    return
        except httpx.TimeoutException:
            return


def encode(payload: Mapping[str, Any]) -> bytes:
    """JSON as it is sent: compact, in UTF-8. ValueError for NaN, infinity and lone surrogates."""
    return json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def check_address(url: str, setting: str) -> str:
    """The address without white space around it, if it is https, or http on loopback; Misconfigured otherwise.

    The error names the setting and not the address, which may be a secret.
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        host = ""
    if not host or any(not "!" <= character <= "~" for character in url):
        message = f"`{setting}` is not a web address; it must begin with https://"
        raise Misconfigured(message)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        message = f"`{setting}` begins with {plain(parts.scheme, 20)}://; it must be https:// (its address is hidden)"
        raise Misconfigured(message)
    return url


def is_loopback(host: str) -> bool:
    """Whether the name or address is this machine's own, told without asking DNS."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def retry_after(value: str | None, clock: Clock) -> float | None:
    """Seconds or a date, as RFC 9110 10.2.3 allows; None when missing or unreadable."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - clock.now()).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _limit_time(client: httpx.Client, backend: CheckedBackend) -> None:
    """Have the client's connections, those over proxies too, made by the backend, for which httpx has no option."""
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            transport._pool._network_backend = backend


def _parts(url: str) -> set[str]:
    """What of an address must not be shown: all behind the host, whole and in its parts."""
    parts = urlsplit(url)
    whole = [url, url.partition(parts.netloc)[2], parts.path, parts.query, parts.username or "", parts.password or ""]
    pieces = [*parts.path.split("/"), *(value for _, value in parse_qsl(parts.query))]
    found = {*whole, *pieces}
    return {each for each in found | {unquote(each) for each in found} if len(each) >= LEAST_SECRET_CHARS}


def _reason(error: BaseException) -> str:
    """What went wrong on the way; the system's own words where it was the system."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return f"TLS: {getattr(cause, 'verify_message', None) or cause.reason or type(cause).__name__}"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return plain(str(error), MAX_SAID_CHARS) or type(error).__name__

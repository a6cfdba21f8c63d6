"""HTTP for interfaces that stream or want a token: one connection a request, checked addresses, bounded in all ways.

A read gives up after a moment and can be tried again, which an HTTP client with callbacks or threads of its own
does not offer: so h11 speaks the protocol here, on the sockets of `ingest.address`.
"""

import functools
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from urllib.parse import urlsplit

import h11
import httpcore
import httpx

from bearometer import __version__
from bearometer.clock import Clock
from bearometer.errors import BearometerError, Failed, Misconfigured, Transient
from bearometer.settings import IngestSettings
from bearometer.terminal import plain
from ingest.address import AddressRefused, CheckedBackend
from ingest.fetch import parse_retry_after, shown_url

__all__ = ["USER_AGENT", "Answer", "Endpoint", "HttpStream", "Lines", "ask", "open_socket", "refusal"]

USER_AGENT = f"bearometer/{__version__}"

_CHUNK = 65_536
_MAX_HEAD_BYTES = 65_536
_AGAIN = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a URL leads."""

    secure: bool
    host: str
    port: int
    target: str
    """Path and query."""

    @classmethod
    def of(cls, url: str, schemes: tuple[str, str] = ("http", "https")) -> "Endpoint":
        """The parts of a URL of one of two schemes, the second one with TLS; Misconfigured for anything else."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").encode("idna").decode("ascii"), parts.port
        except (ValueError, UnicodeError):
            host, port, parts = "", None, urlsplit("")
        sendable = url.isprintable() and " " not in url and f"{parts.path}{parts.query}".isascii()
        if parts.scheme not in schemes or not host or parts.fragment or not sendable:
            message = f"{shown_url(url)!r} is no address: it must be {schemes[0]}://… or {schemes[1]}://…"
            raise Misconfigured(message)
        secure = parts.scheme == schemes[1]
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(secure, host, port or (443 if secure else 80), target)

    @property
    def authority(self) -> str:
        """The Host header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.secure else 80) else f"{name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; the names of the headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpStream:
    """One request, and its answer bit by bit; a context manager. Redirects are not followed: a token would go along.

    Opening it takes `fetch_timeout_seconds` at most, the answer's head included. Raises Transient when it may work
    later, Failed or Misconfigured when not; no message shows query or password.
    """

    def __init__(
        self,
        url: str,
        ingest: IngestSettings,
        clock: Clock,
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: bytes = b"",
    ) -> None:
        self._url = url
        self._clock = clock
        self._wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)
        endpoint = Endpoint.of(url)
        self._deadline = clock.monotonic() + ingest.fetch_timeout_seconds
        self._stream = open_socket(endpoint, url, ingest, self._remaining)
        try:
            self.status, self.headers = self._exchange(endpoint, method, headers or {}, body)
            encoding = self.headers.get("content-encoding", "identity").lower()
            if encoding != "identity":
                message = f"{self} comes in the encoding {encoding!r:.40}, which we did not ask for"
                raise Transient(message)
        except BaseException:
            self._stream.close()
            raise

    def __str__(self) -> str:
        return shown_url(self._url)

    def __enter__(self) -> "HttpStream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def read(self, seconds: float) -> bytes | None:
        """The next bytes of the body; None when none came in time; empty at the end. Transient when it breaks off."""
        self._deadline = self._clock.monotonic() + seconds
        while True:
            event = self._next_event()
            if isinstance(event, h11.Data):
                return bytes(event.data)
            if isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return b""
            if not self._receive():
                return None

    def read_all(self, max_bytes: int, seconds: float) -> bytes:
        """The whole body; Transient when it is larger or does not come in time."""
        until = self._clock.monotonic() + seconds
        body = bytearray()
        while (left := until - self._clock.monotonic()) > 0:
            chunk = self.read(left)
            if chunk == b"":
                return bytes(body)
            body += chunk or b""
            if len(body) > max_bytes:
                message = f"{self} is larger than {max_bytes} bytes (ingest.max_feed_bytes)"
                raise Transient(message)
            if chunk is None:
                break
        message = f"{self} took longer than {seconds:g} s"
        raise Transient(message)

    def _exchange(
        self, endpoint: Endpoint, method: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, dict[str, str]]:
        sent = {"Host": endpoint.authority, "User-Agent": USER_AGENT, "Accept-Encoding": "identity"} | dict(headers)
        if body or method != "GET":
            sent["Content-Length"] = str(len(body))
        for name, value in sent.items():
            if not (value.isascii() and value.isprintable()):  # the value may be a secret
                message = f"{self} cannot be asked: the header {name} must be printable ASCII"
                raise Misconfigured(message)
        try:
            request = h11.Request(method=method, target=endpoint.target, headers=list(sent.items()))
            events: Iterable[h11.Event] = (request, h11.Data(data=body), h11.EndOfMessage())
            self._stream.write(b"".join(self._wire.send(event) or b"" for event in events))
        except h11.LocalProtocolError:
            message = f"{self} cannot be asked: its address or a header cannot be sent"
            raise Misconfigured(message) from None
        except (httpcore.NetworkError, httpcore.TimeoutException) as error:
            message = f"{self} closed the connection: {error}"
            raise Transient(message) from None
        while True:
            event = self._next_event()
            if isinstance(event, h11.Response):
                return event.status_code, {
                    name.decode("latin-1").lower(): value.decode("latin-1") for name, value in event.headers
                }
            if isinstance(event, h11.NEED_DATA) and not self._receive():
                message = f"{self} did not answer in time"
                raise Transient(message)
            if isinstance(event, h11.ConnectionClosed):
                message = f"{self} closed the connection without an answer"
                raise Transient(message)

    def _next_event(self) -> object:
        try:
            return self._wire.next_event()
        except h11.RemoteProtocolError as error:  # which may quote what it got
            message = f"{self} broke off, or speaks no HTTP: {plain(str(error), 120)}"
            raise Transient(message) from None

    def _receive(self) -> bool:
        """Whether something came before the deadline; the end of the connection is something."""
        try:
            self._wire.receive_data(self._stream.read(_CHUNK))
        except httpcore.ReadTimeout:
            return False
        except httpcore.NetworkError as error:
            message = f"{self} broke off: {error}"
            raise Transient(message) from None
        return True

    def _remaining(self) -> float:
        return self._deadline - self._clock.monotonic()


class Lines:
    """Cuts a stream of bytes into lines; None stands for a line longer than allowed, which is not kept."""

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._rest = bytearray()
        self._skipping = False

    def feed(self, chunk: bytes) -> list[bytes | None]:
        """The lines that end in this chunk, without their ends."""
        *ended, rest = chunk.split(b"\n")
        lines: list[bytes | None] = []
        for piece in ended:
            self._add(piece)
            lines.append(None if self._skipping else bytes(self._rest).removesuffix(b"\r"))
            self._rest.clear()
            self._skipping = False
        self._add(rest)
        return lines

    def _add(self, piece: bytes) -> None:
        if self._skipping or len(self._rest) + len(piece) > self._max:
            self._skipping = True
            self._rest.clear()
        else:
            self._rest += piece


def ask(
    url: str,
    ingest: IngestSettings,
    clock: Clock,
    *,
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
    body: bytes = b"",
) -> Answer:
    """One request and its whole answer, whatever its status; errors as of HttpStream."""
    with HttpStream(url, ingest, clock, headers=headers, method=method, body=body) as stream:
        content = stream.read_all(ingest.max_feed_bytes, ingest.fetch_timeout_seconds)
        return Answer(stream.status, stream.headers, content)


def refusal(url: str, status: int, headers: Mapping[str, str], now: datetime, setting: str) -> BearometerError:
    """The error that an answer other than 2xx stands for; `setting` names what gives access."""
    name = shown_url(url)
    if status in {401, 403}:
        return Misconfigured(f"{name} refuses access ({status}): look at {setting}")
    if status in _AGAIN or status >= 500:
        return Transient(f"{name} answers {status}", parse_retry_after(headers.get("retry-after"), now))
    if 300 <= status < 400:
        return Failed(f"{name} redirects to {shown_url(headers.get('location', ''))!r}, which is not followed")
    return Failed(f"{name} answers {status}")


def open_socket(
    endpoint: Endpoint, url: str, ingest: IngestSettings, remaining: Callable[[], float]
) -> httpcore.NetworkStream:
    """A connection to a checked address, with TLS where the URL asks for it; Transient or Failed."""
    backend = CheckedBackend(allow_private=ingest.allow_private_addresses, remaining=remaining)
    try:
        stream = backend.connect_tcp(endpoint.host, endpoint.port)
        if endpoint.secure:
            stream = stream.start_tls(_trust(), endpoint.host)
    except AddressRefused as error:
        message = f"{shown_url(url)} was not asked: {error}"
        raise Failed(message) from None
    except (httpcore.NetworkError, httpcore.TimeoutException, OSError) as error:
        message = f"{shown_url(url)} cannot be reached: {error}"
        raise Transient(message) from None
    return stream


@functools.cache
def _trust() -> ssl.SSLContext:
    """The same certificate authorities as for feeds; reading them takes a while."""
    return httpx.create_ssl_context()

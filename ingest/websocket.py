"""One WebSocket: to a checked address only, with limits on the size of a message, on silence and on slow drips.

The protocol is that of the `websockets` package, without its sockets and threads: the sockets are those of
`ingest.address`.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress

import httpcore
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import Event, State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from bearometer.clock import Clock
from bearometer.errors import Misconfigured, Transient
from bearometer.settings import IngestSettings
from ingest.fetch import shown_url
from ingest.http_stream import USER_AGENT, Endpoint, open_socket, refusal

__all__ = ["read_messages"]

_CHUNK = 65_536
_TURN_SECONDS = 0.5
_SEND_SECONDS = 5.0


def read_messages(
    url: str,
    ingest: IngestSettings,
    clock: Clock,
    *,
    setting: str,
    max_bytes: int,
    idle_seconds: float,
    subprotocols: Sequence[str] = (),
) -> Iterator[bytes | None]:
    """Connect, then give every message, and None once when connected and whenever none came for half a second.

    Raises Transient when the connection ends, brings no whole message for `idle_seconds`, or one of more than
    `max_bytes`, unpacked; when it is refused, what `refusal` says. Redirects are not followed.
    """
    socket = _Socket(url, ingest, clock, setting, max_bytes, subprotocols)
    try:
        socket.shake_hands(ingest.fetch_timeout_seconds)
        yield None
        heard = clock.monotonic()
        while True:
            messages = socket.receive(_TURN_SECONDS)
            if messages:
                heard = clock.monotonic()
                yield from messages
            elif clock.monotonic() - heard > idle_seconds:
                text = f"{shown_url(url)} sent nothing for {idle_seconds:g} s"
                raise Transient(text)
            else:
                yield None
    finally:
        socket.close()


class _Socket:
    def __init__(
        self,
        url: str,
        ingest: IngestSettings,
        clock: Clock,
        setting: str,
        max_bytes: int,
        subprotocols: Sequence[str],
    ) -> None:
        self._url = url
        self._name = shown_url(url)
        self._clock = clock
        self._setting = setting
        self._max_bytes = max_bytes
        try:
            address = parse_uri(url)
        except WebSocketException:
            message = f"{self._name!r} is no address of a WebSocket"
            raise Misconfigured(message) from None
        self._wire = ClientProtocol(
            address,
            extensions=[ClientPerMessageDeflateFactory(client_max_window_bits=True)],
            subprotocols=[Subprotocol(each) for each in subprotocols] or None,
            max_size=max_bytes,
        )
        self._events: list[Event] = []
        self._parts: list[bytes] = []
        self._deadline = clock.monotonic() + ingest.fetch_timeout_seconds
        self._stream = open_socket(Endpoint.of(url, ("ws", "wss")), url, ingest, self._remaining)

    def shake_hands(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        request = self._wire.connect()
        request.headers["User-Agent"] = USER_AGENT
        self._wire.send_request(request)
        self._send()
        while not any(isinstance(event, Response) for event in self._events):
            if not self._receive(until):
                text = f"{self._name} did not answer in time"
                raise Transient(text)
            error = self._wire.handshake_exc
            if isinstance(error, InvalidStatus):
                headers = {name.lower(): value for name, value in error.response.headers.raw_items()}
                raise refusal(self._url, error.response.status_code, headers, self._clock.now(), self._setting)
            if error is not None:
                text = f"{self._name} opens no WebSocket ({type(error).__name__})"
                raise Transient(text)

    def receive(self, seconds: float) -> list[bytes]:
        """Whole messages, as soon as there are any; none when none came in time."""
        until = self._clock.monotonic() + seconds
        while True:
            messages = [
                message
                for event in self._events
                if isinstance(event, Frame) and (message := self._assemble(event)) is not None
            ]
            self._events.clear()
            if messages:
                return messages
            if self._wire.state is not State.OPEN:  # waiting for the end of the connection gains nothing
                raise self._closed()
            if not self._receive(until):
                return []

    def close(self) -> None:
        with suppress(WebSocketException, httpcore.NetworkError, httpcore.TimeoutException):
            self._wire.send_close(CloseCode.GOING_AWAY)
            self._send()
        self._stream.close()

    def _assemble(self, frame: Frame) -> bytes | None:
        if frame.opcode not in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            return None
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return None
        message = b"".join(self._parts)
        self._parts.clear()
        return message

    def _receive(self, until: float) -> bool:
        self._deadline = until
        try:
            chunk = self._stream.read(_CHUNK)
        except httpcore.ReadTimeout:
            return False
        except httpcore.NetworkError:
            chunk = b""
        if chunk:
            self._wire.receive_data(chunk)
        else:
            self._wire.receive_eof()
        self._events += self._wire.events_received()
        self._send()  # pings are answered, also those between other frames
        return True

    def _send(self) -> None:
        self._deadline = self._clock.monotonic() + _SEND_SECONDS
        try:
            for chunk in self._wire.data_to_send():
                if chunk:
                    self._stream.write(chunk)
        except (httpcore.NetworkError, httpcore.TimeoutException):
            raise self._closed() from None

    def _closed(self) -> Transient:
        received, sent = self._wire.close_rcvd, self._wire.close_sent
        if sent is not None and sent.code == CloseCode.MESSAGE_TOO_BIG:
            return Transient(f"{self._name} sent a message of more than {self._max_bytes} bytes")
        if received is not None:
            return Transient(f"{self._name} closed the connection ({received.code})")
        if sent is not None:
            return Transient(f"{self._name} speaks no WebSocket ({sent.code})")
        return Transient(f"{self._name} broke off")

    def _remaining(self) -> float:
        return self._deadline - self._clock.monotonic()

"""Real servers on loopback that speak WebSocket and HTTP as a test tells them, connection by connection."""

import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake
from websockets.http11 import Response
from websockets.sync.server import ServerConnection, serve

from ingest.source import RawPost, Source, Unreadable

__all__ = ["Answering", "Asked", "HttpServer", "Talk", "WebSocketServer", "collect", "reply"]

DEADLINE_SECONDS = 15.0


@dataclass(frozen=True)
class Asked:
    """A request as it came; the names of the headers are in small letters."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes = b""


def collect(
    source: Source, count: int, until: Callable[[], bool] = lambda: False, seconds: float = DEADLINE_SECONDS
) -> list[RawPost | Unreadable]:
    """The next items of a source, fewer when `until` holds first; the source is thrown away."""
    items: list[RawPost | Unreadable] = []
    deadline = time.monotonic() + seconds
    reading = source.read()
    try:
        for item in reading:
            if item is not None:
                items.append(item)
            if len(items) >= count or until():
                return items
            assert time.monotonic() < deadline, f"after {seconds:g} s there are {len(items)} of {count} items"
    finally:
        reading.close()  # type: ignore[attr-defined]
    return items


Talk = Callable[[ServerConnection], None]


class WebSocketServer:
    """Each connection is led by the next of `talks`, or by `always`; then it stays open until the client goes."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.talks: deque[Talk] = deque()
        self.always: Talk | None = None
        """What leads a connection when there are no more talks."""
        self.refusals: deque[tuple[int, dict[str, str]]] = deque()
        """Answered, status and headers, before any connection is opened."""
        self.asked: list[Asked] = []
        self.over = threading.Event()
        self._server = serve(
            self._talk,
            "127.0.0.1",
            0,
            ssl=context,
            process_request=self._greet,
            select_subprotocol=lambda _, offered: offered[0] if offered else None,
            close_timeout=0.2,
        )
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join(5)

    def _greet(self, connection: ServerConnection, request: Handshake) -> Response | None:
        parts = urlsplit(request.path)
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        self.asked.append(Asked("GET", parts.path, parse_qs(parts.query), headers))
        if self.refusals:
            status, extra = self.refusals.popleft()
            response = connection.respond(status, "no\n")
            for name, value in extra.items():
                response.headers[name] = value
            return response
        return None

    def _talk(self, connection: ServerConnection) -> None:
        with suppress(ConnectionClosed, OSError):
            if talk := self.talks.popleft() if self.talks else self.always:
                talk(connection)
            for _ in connection:
                pass


Answering = Callable[[BaseHTTPRequestHandler, Asked], None]


def reply(status: int, body: bytes = b"", **headers: str) -> Answering:
    """A whole answer."""

    def answer(request: BaseHTTPRequestHandler, asked: Asked) -> None:
        del asked
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some tests are about."""


@dataclass
class HttpServer:
    """Each request is answered by the next of `answers[path]`, the last of them again and again."""

    answers: dict[str, deque[Answering]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    context: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        test = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                test._answer(self)

            def do_POST(self) -> None:
                test._answer(self)

            def log_message(self, format: str, *args: object) -> None:
                del format, args

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        if self.context is not None:
            self._server.socket = self.context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()

    def on(self, path: str, *answers: Answering) -> None:
        """What the path answers, one after the other."""
        self.answers[path] = deque(answers)

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def events(self, *chunks: bytes, then: str = "wait") -> Answering:
        """A body in chunks, without end; `then` `wait`s for the test's end, `end`s it well, or `cut`s it."""

        def answer(request: BaseHTTPRequestHandler, asked: Asked) -> None:
            del asked
            request.close_connection = True
            request.send_response(200)
            request.send_header("Transfer-Encoding", "chunked")
            request.end_headers()
            for chunk in chunks:
                request.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                request.wfile.flush()
            if then == "wait":
                self.over.wait(30)
            if then == "end":
                request.wfile.write(b"0\r\n\r\n")
            with suppress(OSError):
                request.connection.shutdown(socket.SHUT_RDWR)

        return answer

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(request.command, parts.path, parse_qs(parts.query, keep_blank_values=True), headers, body)
        self.asked.append(asked)
        waiting = self.answers.get(parts.path)
        answer = (waiting.popleft() if len(waiting) > 1 else waiting[0]) if waiting else reply(404)
        with suppress(BrokenPipeError, ConnectionResetError):
            answer(request, asked)

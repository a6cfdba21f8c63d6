"""The HTTP server of a webhook: reads requests within limits of size, time and number, and hands them on."""

import http.client
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from bearometer.stream_source_settings import WebhookSourceSettings

__all__ = ["Receive", "Reply", "WebhookServer", "is_listening"]

_NAME = "bearometer"
_BUSY = b"HTTP/1.0 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered."""

    status: int
    body: Mapping[str, Any]
    retry_after_seconds: float | None = None


Receive = Callable[[Mapping[str, str], bytes], Reply]
"""Takes the headers (names in small letters) and the body of a request; may block until it knows the answer."""


class WebhookServer:
    """Listens until `close`; each request has a thread and a connection of its own. OSError when it cannot listen."""

    def __init__(self, settings: WebhookSourceSettings, receive: Receive) -> None:
        self._server = _Server(settings, receive)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name=f"webhook {settings.name}", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Listen no longer; requests that are being answered go on."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def is_listening(settings: WebhookSourceSettings) -> bool:
    """Whether a server like ours answers at the address."""
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout=2.0)
    try:
        connection.request("GET", settings.path)
        return connection.getresponse().headers.get("Server", "").strip() == _NAME
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, settings: WebhookSourceSettings, receive: Receive) -> None:
        self.settings = settings
        self.receive = receive
        self._free = threading.BoundedSemaphore(settings.max_connections)
        self.address_family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        super().__init__((settings.host, settings.port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """A thread for the request, unless there are as many as allowed."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        with suppress(OSError):
            request.setblocking(False)
            request.send(_BUSY)
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The request, in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = _NAME
    sys_version = ""

    def setup(self) -> None:
        """Every wait ends, and so does a request that drips: its connection is cut from outside."""
        super().setup()
        self.connection.settimeout(self.server.settings.request_seconds)
        self._cut = threading.Timer(self.server.settings.request_seconds, self._hang_up)
        self._cut.daemon = True
        self._cut.start()

    def finish(self) -> None:
        """Whatever happened, nothing is left running."""
        self._cut.cancel()
        with suppress(OSError):
            super().finish()

    def do_POST(self) -> None:
        """Read a request whole, hand it on, and answer."""
        settings = self.server.settings
        length = self.headers.get("Content-Length") or ""
        if self.path.partition("?")[0] != settings.path:
            self._answer(Reply(404, {"error": "no such path"}))
        elif not (length.isascii() and length.isdigit()):
            self._answer(Reply(411, {"error": "Content-Length is missing"}))
        elif len(length) > 12 or int(length) > settings.max_body_bytes:
            self._answer(Reply(413, {"error": f"at most {settings.max_body_bytes} bytes"}))
        elif "webhook-signature" not in self.headers:
            self._answer(Reply(401, {"error": "webhook-signature is missing"}))
        else:
            body = self.rfile.read(int(length))
            self._cut.cancel()
            if len(body) == int(length):
                headers = {name.lower(): value for name, value in self.headers.items()}
                self._answer(self.server.receive(headers, body))

    def do_GET(self) -> None:
        """Nothing to be had here."""
        self._answer(Reply(405, {"error": "POST is what is taken"}))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: anybody could fill the log."""

    def _answer(self, reply: Reply) -> None:
        content = orjson.dumps(reply.body)
        self.send_response(reply.status)
        if reply.retry_after_seconds is not None:
            self.send_header("Retry-After", str(max(1, round(reply.retry_after_seconds + 0.5))))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _hang_up(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

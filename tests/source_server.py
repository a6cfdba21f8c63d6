"""A web server for sources: answers as a test says, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

__all__ = ["Answer", "Asked", "SourceServer", "as_json", "reply"]


@dataclass(frozen=True)
class Asked:
    """One request."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """By their names in small letters."""
    handler: BaseHTTPRequestHandler = field(repr=False)


Answer = Callable[[Asked], None]


def reply(status: int, body: bytes = b"", **headers: str) -> Answer:
    """The same answer to each request."""

    def answer(asked: Asked) -> None:
        request = asked.handler
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def as_json(value: Any, **headers: str) -> Answer:
    """The same JSON to each request."""
    return reply(200, json.dumps(value).encode(), Content_Type="application/json", **headers)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some tests are about."""


class SourceServer:
    """As a context manager; `answer` may be changed at any time, `over` is set when it is left."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer: Answer = answer or reply(404)
        self.asked: list[Asked] = []
        self.over = threading.Event()
        test = self

        class Respond(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                split = urlsplit(self.path)
                query = {name: values[-1] for name, values in parse_qs(split.query, keep_blank_values=True).items()}
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(split.path, query, headers, self)
                test.asked.append(asked)
                try:
                    test.answer(asked)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the reader had enough, as some tests want

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = _Quiet(("127.0.0.1", 0), Respond)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> "SourceServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

"""A stand-in for Slack's Web API on loopback: it keeps, edits and threads messages, and refuses what Slack refuses.

Its rules are written down here once more, on purpose: taken from the code under test, they would agree with any mistake
in it. https://docs.slack.dev/reference/methods/chat.postMessage/ and …/chat.update/
"""

import json
import threading
import uuid
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic import SecretStr

from bearometer.settings import SlackSettings
from tests.receivers import Answer, slack_problems
from tests.slack_files import FILE_METHODS, UPLOAD_PATH, SlackFile, SlackFiles

__all__ = ["BOT_TOKEN", "SlackMessage", "SlackServer"]

BOT_TOKEN = "xoxb-SECRET-token"
CHANNELS = {"C0RISK": "risk", "C0OTHER": "other"}

_POST_ARGUMENTS = {
    *("channel", "text", "blocks", "thread_ts", "reply_broadcast", "unfurl_links", "unfurl_media"),
    *("mrkdwn", "parse", "link_names", "metadata", "client_msg_id"),
}
_UPDATE_ARGUMENTS = {"channel", "ts", "text", "blocks", "parse", "link_names", "metadata", "reply_broadcast"}


@dataclass
class SlackMessage:
    """A message in a channel, as it is shown now."""

    channel: str
    ts: str
    body: dict[str, Any]
    thread_ts: str | None = None
    in_channel: bool = True
    """False for an answer that is shown in its thread only."""
    edits: int = 0
    deleted: bool = False

    @property
    def title(self) -> str:
        """The text of its header."""
        return str(self.body["blocks"][0]["text"]["text"])


@dataclass
class SlackServer:
    """The API of one workspace; `settings` lead a bot there. `answers` come first, one each, and do nothing."""

    messages: list[SlackMessage] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    refused: list[list[str]] = field(default_factory=list)
    answers: deque[Answer | None] = field(default_factory=deque)
    """None: this one is taken as always."""
    codes: dict[str, str] = field(default_factory=dict)
    """Errors that methods answer with until they are taken out."""
    scopes: set[str] = field(default_factory=lambda: {"chat:write", "files:write"})
    """What the bot may do."""
    silent: bool = False
    silent_to: set[str] = field(default_factory=set)
    """Methods that are never answered; `upload` is where the bytes of a file go."""
    lose_answers: int = 0
    """Take this many requests, and hang up without an answer."""
    answer_late_from: int | None = None
    """Take this call and those after it, and say so half a minute later."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._by_client_id: dict[str, SlackMessage] = {}
        self.files = self._no_files()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                answer = api._take(self.path, dict(self.headers.items()), body)
                if answer is None:
                    self.close_connection = True
                    return
                content = answer.body.encode()
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json; charset=utf-8", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def do_GET(self) -> None:
                api.calls.append(f"GET {self.path}")
                self.send_error(404)

            def log_message(self, format: str, *args: object) -> None:
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> "SlackServer":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def reset(self) -> None:
        """Forget everything, as if just made."""
        for kept in (self.messages, self.calls, self.refused, self.answers, self.codes, self._by_client_id):
            kept.clear()
        self.files, self.scopes = self._no_files(), {"chat:write", "files:write"}
        self.silent_to.clear()
        self.silent, self.lose_answers, self.answer_late_from = False, 0, None

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"{self.origin}/api/"

    @property
    def origin(self) -> str:
        """The address of the server."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def settings(self, **changes: Any) -> SlackSettings:
        """Settings of a bot that is in the channel `risk`."""
        given = {"bot_token": SecretStr(BOT_TOKEN), "channel": "C0RISK", "api_url": self.url}
        return SlackSettings(**{**given, **changes})

    @property
    def shown(self) -> list[SlackMessage]:
        """What stands in the channel, the oldest first."""
        return [message for message in self.messages if message.in_channel and not message.deleted]

    def thread(self, message: SlackMessage) -> list[SlackMessage]:
        """The answers to a message, the oldest first."""
        return [answer for answer in self.messages if answer.thread_ts == message.ts and not answer.deleted]

    def charts(self, message: SlackMessage) -> list[SlackFile]:
        """The files in the thread of a message, the oldest first."""
        return [file for file in self.files.shown if (file.channel, file.thread_ts) == (message.channel, message.ts)]

    def _no_files(self) -> SlackFiles:
        return SlackFiles(lambda channel, ts: (found := self._find(channel, ts)) is not None and not found.thread_ts)

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> Answer | None:
        method = "upload" if path.startswith(UPLOAD_PATH) else path.rpartition("/")[2]
        with self._lock:
            self.calls.append(method)
            call = len(self.calls)
        if self.silent or method in self.silent_to:
            self._stopping.wait(30)
            return None
        with self._lock:
            prepared = self.answers.popleft() if self.answers else None
            if prepared is not None:
                return prepared
            if method == "upload":
                return Answer(*self.files.upload(path, headers, body))
            answer = self._answer(method, headers, body)
            lost, late = self.lose_answers > 0, self.answer_late_from is not None and call >= self.answer_late_from
            self.lose_answers -= lost
        if late:
            self._stopping.wait(30)
        return None if lost else Answer(200, json.dumps(answer))

    def _answer(self, method: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        if problem := self._request_problem(method, headers):
            return _refusal(problem)
        if method in FILE_METHODS:
            return self.files.call(method, headers, body, self.origin)
        arguments = json.loads(body)
        if method == "chat.postMessage":
            return self._post(arguments)
        if method == "chat.update":
            return self._update(arguments)
        return {"ok": True, "user": "bearometer", "team": "Risk desk", "user_id": "U0BOT", "team_id": "T0TEAM"}

    def _request_problem(self, method: str, headers: dict[str, str]) -> str | None:
        if "Authorization" not in headers:
            return "not_authed"
        if headers["Authorization"] != f"Bearer {BOT_TOKEN}":
            return "invalid_auth"
        if method not in ("auth.test", "chat.postMessage", "chat.update", *FILE_METHODS):
            return "unknown_method"
        if method in FILE_METHODS:
            return "missing_scope" if "files:write" not in self.scopes else self.codes.get(method)
        if headers.get("Content-Type") != "application/json; charset=utf-8":
            return "invalid_post_type"
        return self.codes.get(method)

    def _post(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self._channel(arguments, by_name=True)
        if channel is None:
            return _refusal("channel_not_found")
        if problem := self._problem(arguments, _POST_ARGUMENTS):
            return _refusal(problem)
        client_id = arguments.get("client_msg_id")
        if client_id is not None:
            uuid.UUID(client_id)
            before = self._by_client_id.get(client_id)
            if before is not None:
                return _refusal("duplicate_message_not_found") if before.deleted else _taken(before)
        thread_ts = arguments.get("thread_ts")
        if thread_ts is not None and self._find(channel, thread_ts) is None:
            return _refusal("thread_not_found")
        message = SlackMessage(
            channel,
            f"1772460300.{len(self.messages) + 1:06}",
            arguments,
            thread_ts,
            in_channel=thread_ts is None or arguments.get("reply_broadcast") is True,
        )
        self.messages.append(message)
        if client_id is not None:
            self._by_client_id[client_id] = message
        return _taken(message)

    def _update(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self._channel(arguments, by_name=False)
        if channel is None:
            return _refusal("channel_not_found")
        message = self._find(channel, arguments.get("ts"))
        if message is None:
            return _refusal("message_not_found")
        if problem := self._problem(arguments, _UPDATE_ARGUMENTS):
            return _refusal(problem)
        message.body = {**message.body, "text": arguments["text"], "blocks": arguments["blocks"]}
        message.edits += 1
        return _taken(message)

    def _problem(self, arguments: dict[str, Any], allowed: set[str]) -> str | None:
        problems = [f"unknown argument {name}" for name in arguments.keys() - allowed]
        problems += [] if arguments.get("parse") == "none" else ["names and addresses would be linked"]
        problems += slack_problems(arguments)
        if not problems:
            return None
        self.refused.append(problems)
        return "msg_blocks_too_long" if "msg_blocks_too_long" in problems else "invalid_blocks"

    def _channel(self, arguments: dict[str, Any], *, by_name: bool) -> str | None:
        wanted = str(arguments.get("channel", "")).removeprefix("#")
        if wanted in CHANNELS:
            return wanted
        return next((id for id, name in CHANNELS.items() if by_name and name == wanted), None)

    def _find(self, channel: str, ts: object) -> SlackMessage | None:
        return next(
            (each for each in self.messages if (each.channel, each.ts, each.deleted) == (channel, ts, False)), None
        )


def _refusal(code: str) -> dict[str, Any]:
    return {"ok": False, "error": code}


def _taken(message: SlackMessage) -> dict[str, Any]:
    return {"ok": True, "channel": message.channel, "ts": message.ts, "message": {"text": message.body["text"]}}

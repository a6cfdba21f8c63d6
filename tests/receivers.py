"""Real servers that take what the notifiers send: an SMTP server and a stand-in for Slack's webhooks.

`SlackReceiver` refuses, as Slack does, whatever breaks a documented limit of Block Kit. Its numbers are written down
here once more, on purpose: taken from the code under test, they would agree with any mistake in it.
"""

import asyncio
import json
import re
import ssl
import threading
from collections import deque
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

__all__ = ["Answer", "HttpReceiver", "Request", "SlackReceiver", "SmtpReceiver", "slack_problems"]


@dataclass(frozen=True)
class Answer:
    """What a receiver answers instead of taking the message."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What came in; the names of the headers are in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes


class HttpReceiver:
    """A server on loopback: `url` takes messages, `accepted` holds them, `answers` come first.

    A subclass says in `problems` what is wrong with a request, and in `answer` what it answers to a good one.
    """

    path = "/"

    def __init__(self) -> None:
        self.accepted: list[dict[str, Any]] = []
        self.refused: list[list[str]] = []
        self.requests = 0
        self.answers: deque[Answer] = deque()
        self.silent = False
        """Take requests and never answer, until `stop`."""
        self._stopping = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = receiver._take(Request(self.path, headers, body))
                if answer is None:
                    self.close_connection = True
                    return
                content = answer.body.encode()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{self.origin}{self.path}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def problems(self, request: Request, payload: Any) -> list[str]:
        raise NotImplementedError

    def answer(self, payload: dict[str, Any]) -> Answer:
        raise NotImplementedError

    def _take(self, request: Request) -> Answer | None:
        self.requests += 1
        if self.silent:
            self._stopping.wait(30)
            return None
        if self.answers:
            return self.answers.popleft()
        try:
            payload = json.loads(request.body)
        except ValueError:
            return Answer(400, "invalid_payload")
        problems = self.problems(request, payload)
        if not request.headers.get("content-type", "").startswith("application/json"):
            problems.append(f"content type {request.headers.get('content-type')}")
        if problems:
            self.refused.append(problems)
            return Answer(400, "invalid_blocks")
        self.accepted.append(payload)
        return self.answer(payload)


class SlackReceiver(HttpReceiver):
    """An incoming webhook of Slack."""

    path = "/services/T0SECRET/B0SECRET/tokenSECRET"

    def problems(self, request: Request, payload: Any) -> list[str]:
        return slack_problems(payload)

    def answer(self, payload: dict[str, Any]) -> Answer:
        return Answer(200, "ok")


# https://docs.slack.dev/reference/block-kit/blocks/ and …/composition-objects/text-object/
_BLOCK_TYPES = {"header", "section", "context", "divider", "image", "actions", "rich_text"}
_CONTROL_SEQUENCE = re.compile(r"<[!@#]")
_MANUAL_LINK = re.compile(r"<https?://[^\s<>|]+\|[^<>|]+>")
_ENTITY = re.compile(r"&(?!amp;|lt;|gt;)")


def slack_problems(payload: Any) -> list[str]:
    """Everything in a webhook's payload that Slack would refuse, or that would act in the channel."""
    if not isinstance(payload, dict):
        return ["the payload is no object"]
    problems: list[str] = []
    text = payload.get("text")
    if not isinstance(text, str) or not text.strip():
        problems.append("no text to fall back on")
    else:
        problems += _text_problems("text", text, 40_000, may_link=False)
    blocks = payload.get("blocks", [])
    if not isinstance(blocks, list) or len(blocks) > 50:
        problems.append("blocks: more than 50, or no list")
        return problems
    for number, block in enumerate(blocks):
        problems += [f"blocks[{number}]: {problem}" for problem in _block_problems(block)]
    if len(json.dumps(blocks, ensure_ascii=False)) > 13_000:
        problems.append("msg_blocks_too_long")
    return problems


def _block_problems(block: Any) -> list[str]:
    kind = block.get("type")
    if kind not in _BLOCK_TYPES:
        return [f"unknown type {kind}"]
    problems: list[str] = []
    allowed = {
        "header": {"type", "text", "block_id"},
        "section": {"type", "text", "fields", "accessory", "block_id", "expand"},
        "context": {"type", "elements", "block_id"},
        "divider": {"type", "block_id"},
    }.get(kind)
    if allowed is not None and not set(block) <= allowed:
        problems.append(f"unknown fields {set(block) - allowed}")
    if len(block.get("block_id", "")) > 255:
        problems.append("block_id longer than 255")
    if kind == "header":
        if block.get("text", {}).get("type") != "plain_text":
            problems.append("a header takes plain_text only")
        problems += _text_object_problems("header", block.get("text"), 150)
    if kind == "section":
        problems += _section_problems(block)
    if kind == "context":
        elements = block.get("elements", [])
        if not 1 <= len(elements) <= 10:
            problems.append("a context takes 1 to 10 elements")
        for item in elements:
            problems += _text_object_problems("context element", item, 3000)
    return problems


def _section_problems(block: dict[str, Any]) -> list[str]:
    fields = block.get("fields", [])
    problems = [] if "text" in block or fields else ["a section needs text or fields"]
    if "text" in block:
        problems += _text_object_problems("section", block["text"], 3000)
    if len(fields) > 10:
        problems.append("more than 10 fields")
    for item in fields:
        problems += _text_object_problems("field", item, 2000)
    return problems


def _text_object_problems(where: str, item: Any, limit: int) -> list[str]:
    if not isinstance(item, dict) or item.get("type") not in ("plain_text", "mrkdwn"):
        return [f"{where}: no text object"]
    allowed = {"type", "text", "emoji"} if item["type"] == "plain_text" else {"type", "text", "verbatim"}
    problems = [f"{where}: unknown fields"] if not set(item) <= allowed else []
    if item["type"] == "mrkdwn" and item.get("verbatim") is not True:
        problems.append(f"{where}: mrkdwn that is not verbatim links names by itself")
    return problems + _text_problems(where, item.get("text"), limit, may_link=item["type"] == "mrkdwn")


def _text_problems(where: str, text: Any, limit: int, *, may_link: bool) -> list[str]:
    if not isinstance(text, str) or not text:
        return [f"{where}: no text"]
    problems = []
    if len(text.encode("utf-16-le", "surrogatepass")) // 2 > limit:
        problems.append(f"{where}: longer than {limit}")
    if any("\ud800" <= character <= "\udfff" for character in text):
        problems.append(f"{where}: a lone surrogate")
    if _CONTROL_SEQUENCE.search(text):
        problems.append(f"{where}: a control sequence")
    rest = _MANUAL_LINK.sub("", text) if may_link else text
    if "<" in rest or ">" in rest or _ENTITY.search(text):
        problems.append(f"{where}: not escaped")
    return problems


class SmtpReceiver:
    """A mail server on loopback that keeps what it takes, and answers `replies` first to RCPT and DATA.

    With `tls`, clients must say STARTTLS (or, with `implicit_tls`, talk TLS at once). With `login`, a user name and
    password, they must log in.
    """

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        *,
        implicit_tls: bool = False,
        login: tuple[str, str] | None = None,
    ) -> None:
        self.envelopes: list[Envelope] = []
        self.rcpt_replies: deque[str] = deque()
        self.data_replies: deque[str] = deque()
        self.refused_recipients: dict[str, str] = {}
        self.sessions = 0
        self.secured = 0
        """Mails that came over TLS."""
        self.drop_after_data = False
        """Take the mail and hang up without saying so."""
        self.confirm_late = False
        """Take mails and say nothing more to who has sent them."""
        self._login = login
        self._implicit_tls = implicit_tls
        arguments: dict[str, Any] = {"hostname": "127.0.0.1", "port": 0, "ready_timeout": 10}
        if login is not None:
            arguments |= {"auth_required": True, "authenticator": self._check_login}
            arguments |= {"auth_require_tls": tls is not None and not implicit_tls}
        if tls is not None and implicit_tls:
            arguments |= {"ssl_context": tls}
        elif tls is not None:
            arguments |= {"tls_context": tls, "require_starttls": True}
        self._controller = _AnyPortController(self, **arguments)

    def __enter__(self) -> "SmtpReceiver":
        self._controller.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._controller.stop()

    @property
    def port(self) -> int:
        """The port that was free."""
        return self._controller.port

    @property
    def mails(self) -> list[EmailMessage]:
        """What was taken, parsed."""
        parsed = []
        for envelope in self.envelopes:
            assert isinstance(envelope.content, bytes)
            mail = message_from_bytes(envelope.content, policy=default_policy)
            assert isinstance(mail, EmailMessage)
            parsed.append(mail)
        return parsed

    def _check_login(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth_data: LoginPassword
    ) -> AuthResult:
        del server, session, envelope, mechanism
        assert self._login is not None
        right = (auth_data.login, auth_data.password) == tuple(part.encode() for part in self._login)
        return AuthResult(success=right, handled=right)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        if address in self.refused_recipients:
            return self.refused_recipients[address]
        if self.rcpt_replies:
            return self.rcpt_replies.popleft()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data_replies:
            return self.data_replies.popleft()
        self.envelopes.append(envelope)
        self.secured += self._implicit_tls or session.ssl is not None
        if self.confirm_late:
            await asyncio.sleep(600)  # until the other side, or the receiver, is gone
        if self.drop_after_data:
            self.drop_after_data = False
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 OK"


class _AnyPortController(Controller):
    """A controller that learns which port the system gave it before it looks whether the server answers."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]

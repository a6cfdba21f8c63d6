"""Mail servers that have trouble before the mail: each is one line, and nothing goes without TLS."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import pytest
from pydantic import SecretStr

from alerts.email import EmailNotifier, check
from bearometer.clock import ManualClock
from bearometer.errors import Unavailable
from bearometer.settings import AlertSettings, EmailSettings
from tests.dripping import dripping
from tests.receivers import SmtpReceiver
from tests.sample_alerts import START, make_delivery


@contextmanager
def scripted(greeting: str, replies: Mapping[str, str]) -> Iterator[tuple[int, list[str]]]:
    """A mail server that answers each command as told, for one session; its port, and the commands that it got."""
    heard: list[str] = []

    def serve(server: socket.socket) -> None:
        with server.accept()[0] as connection, connection.makefile("rwb") as stream:
            reply = greeting
            while True:
                stream.write(f"{reply}\r\n".encode())
                stream.flush()
                line = stream.readline().decode().strip()
                if not line:
                    return
                heard.append(line)
                reply = replies.get(line.split()[0].upper(), "250 OK")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=[server])
        thread.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            thread.join(10)


def trouble(settings: EmailSettings) -> str:
    with pytest.raises(Unavailable) as caught:
        EmailNotifier(settings, "risk@example.com", AlertSettings(), ManualClock(START)).send(make_delivery())
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("reply", ["454 TLS not available", "502 command \x1b[2J not implemented", "554 no"])
def test_a_server_that_refuses_starttls_gets_no_mail_and_may_be_mended(reply: str) -> None:
    with scripted("220 hello", {"EHLO": "250-hello\r\n250 STARTTLS", "STARTTLS": reply}) as (port, heard):
        said = trouble(EmailSettings(host="127.0.0.1", port=port))
    assert said == f"the mail server 127.0.0.1:{port} refuses STARTTLS: {reply.replace(chr(27), '')}"
    assert not [line for line in heard if line.startswith(("MAIL", "AUTH"))]


@pytest.mark.parametrize("greeting", ["421 too busy", "554 we do not know you"])
def test_a_server_that_refuses_the_session_may_take_the_mail_later(greeting: str) -> None:
    with scripted(greeting, {}) as (port, _):
        assert trouble(EmailSettings(host="127.0.0.1", port=port)).endswith(f"answered {greeting}")


def test_a_server_that_wants_no_hello_is_not_said_to_refuse_starttls() -> None:
    with scripted("220 hello", {"EHLO": "550 no", "HELO": "550 go away"}) as (port, _):
        assert trouble(EmailSettings(host="127.0.0.1", port=port)).endswith("answered 550 go away")


def test_a_server_without_tls_on_a_port_for_it_is_named_as_such() -> None:
    with SmtpReceiver() as server:
        settings = EmailSettings(host="127.0.0.1", port=server.port, security="tls")
        assert "does not speak TLS on that port; is `email.port` right" in trouble(settings)
        with pytest.raises(Unavailable, match="does not speak TLS on that port"):
            check(settings)
        assert server.mails == []


def test_a_login_that_the_server_has_no_way_for_is_named_as_such() -> None:
    with scripted("220 hello", {"EHLO": "250-hello\r\n250 AUTH X-SECRET-HANDSHAKE"}) as (port, _):
        settings = EmailSettings(
            host="127.0.0.1", port=port, security="none", username="bear", password=SecretStr("pass-word")
        )
        assert trouble(settings).endswith("broke off: No suitable authentication method found.")


@pytest.mark.parametrize(
    ("security", "beginning", "drop"),
    [
        ("none", b"220 ", b"x"),
        ("none", b"220-hello\r\n", b"220-and\r\n"),
        ("none", b"220 hello\r\n250-hello\r\n", b"250-and\r\n"),
        ("starttls", b"220 hello\r\n250-hello\r\n250 STARTTLS\r\n220 ", b"x"),
        ("tls", b"\x16\x03\x03\x40\x00", b"\x02"),
    ],
)
def test_a_server_that_answers_in_drops_ends_at_the_timeout(
    security: Literal["starttls", "tls", "none"], beginning: bytes, drop: bytes
) -> None:
    with dripping(beginning, drop, listens=False) as port:
        said = trouble(EmailSettings(host="127.0.0.1", port=port, security=security, timeout_seconds=0.3))
    assert said == f"the mail server 127.0.0.1:{port} cannot be reached: no answer in time"


def test_a_server_that_is_silent_ends_at_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = trouble(EmailSettings(host="127.0.0.1", port=port, security="none", timeout_seconds=0.3))
    assert said == f"the mail server 127.0.0.1:{port} cannot be reached: no answer in time"

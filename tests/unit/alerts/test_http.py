import logging
import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import format_datetime

import pytest

from alerts.http import MAX_ANSWER_BYTES, Poster, check_address
from bearometer.clock import ManualClock, SystemClock
from bearometer.errors import BearometerError, Failed, Misconfigured, Transient, Unavailable
from tests.dripping import dripping
from tests.receivers import Answer, SlackReceiver
from tests.sample_alerts import START


def poster(url: str, timeout_seconds: float = 10.0) -> Poster:
    return Poster("the service", url, timeout_seconds, ManualClock(START), ["key-SECRET"])


def refused(status: int, body: str = "oh no", headers: dict[str, str] | None = None) -> BearometerError:
    with SlackReceiver() as server:
        server.answers.append(Answer(status, body, headers or {}))
        sender = poster(server.url)
        return sender.refusal(sender.post(b"{}"))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, Transient),  # a proxy's login page
        (302, Unavailable),
        (400, Failed),
        (401, Unavailable),
        (403, Unavailable),
        (404, Unavailable),
        (408, Transient),
        (410, Unavailable),
        (413, Failed),
        (422, Failed),
        (429, Transient),
        (500, Transient),
        (503, Transient),
    ],
)
def test_a_status_tells_whether_another_try_is_worth_it(status: int, kind: type[BearometerError]) -> None:
    error = refused(status)
    assert type(error) is kind
    assert str(error).endswith(f"{status} 'oh no'")


def test_the_wait_that_was_asked_for_is_passed_on() -> None:
    dated = format_datetime(START + timedelta(seconds=90), usegmt=True)
    for header, seconds in (("30", 30.0), ("0.5", 0.5), (dated, 90.0), ("soon", None), ("nan", None), ("-5", 0.0)):
        error = refused(429, headers={"Retry-After": header})
        assert isinstance(error, Transient)
        assert error.retry_after_seconds == seconds


def test_a_redirect_is_not_followed() -> None:
    with SlackReceiver() as target, SlackReceiver() as server:
        server.answers.append(Answer(307, "", {"Location": target.url}))
        assert poster(server.url).post(b'{"text": "x"}').status == 307
        assert target.requests == 0


def test_of_a_long_answer_only_the_beginning_is_read() -> None:
    with SlackReceiver() as server:
        server.answers.append(Answer(200, "x" * (10 * MAX_ANSWER_BYTES)))
        answer = poster(server.url).post(b"{}")
    assert len(answer.body) == MAX_ANSWER_BYTES


def test_an_answer_that_is_no_object_has_no_fields() -> None:
    for body in ("", "[1]", "null", "{", "[" * 5000, '"x"'):
        with SlackReceiver() as server:
            server.answers.append(Answer(200, body))
            assert poster(server.url).post(b"{}").fields() == {}


def test_silence_ends_at_the_timeout() -> None:
    with SlackReceiver() as server:
        server.silent = True
        with pytest.raises(Unavailable, match="the service cannot be reached: no answer in time"):
            poster(server.url, timeout_seconds=0.2).post(b"{}")


def drip_fed(url: str) -> Poster:
    return Poster("the service", url, 0.3, SystemClock())


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (b"HTTP/1.1 200 ", b"O"),
        (b"HTTP/1.1 200 OK\r\nX-Header: ", b"x"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
)
def test_headers_that_come_in_drops_end_at_the_timeout(beginning: bytes, drop: bytes) -> None:
    with dripping(beginning, drop) as port, pytest.raises(Unavailable, match="no answer in time"):
        drip_fed(f"http://127.0.0.1:{port}/").post(b"{}")


def test_a_tls_handshake_that_comes_in_drops_ends_at_the_timeout() -> None:
    # The header of a record of 16 KB, of which a byte comes now and then.
    with dripping(b"\x16\x03\x03\x40\x00", b"\x02") as port, pytest.raises(Unavailable, match="no answer in time"):
        drip_fed(f"https://127.0.0.1:{port}/").post(b"{}")


def test_a_proxy_that_answers_in_drops_ends_at_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    with dripping(b"HTTP/1.1 200 ", b"O") as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        with pytest.raises(Unavailable, match="no answer in time"):
            drip_fed("https://hooks.example.com/").post(b"{}")


def test_of_a_body_that_comes_in_drops_what_came_in_time_is_read() -> None:
    with dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nok", b"x") as port:
        answer = drip_fed(f"http://127.0.0.1:{port}/").post(b"{}")
    assert (answer.status, answer.body[:3]) == (200, b"okx")
    assert len(answer.body) < 1000


def test_each_post_has_the_whole_time_and_threads_do_not_share_it() -> None:
    with SlackReceiver() as server:
        sender = Poster("the service", server.url, 5.0, SystemClock())
        with ThreadPoolExecutor(4) as threads:
            answers = [answer.status for answer in threads.map(sender.post, [b'{"text": "x"}'] * 8)]
    assert answers == [200] * 8


def test_a_server_that_hangs_up_may_come_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            server.accept()[0].close()

        hanging_up = threading.Thread(target=hang_up)
        hanging_up.start()
        with pytest.raises(Unavailable, match="the service cannot be reached"):
            poster(f"http://127.0.0.1:{server.getsockname()[1]}/").post(b"{}")
        hanging_up.join()


def test_a_certificate_that_nobody_vouches_for_is_refused(untrusted_tls: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def shake_hands() -> None:
            with server.accept()[0] as connection:
                try:
                    untrusted_tls.wrap_socket(connection, server_side=True)
                except (ssl.SSLError, ConnectionError):
                    return

        shaking = threading.Thread(target=shake_hands)
        shaking.start()
        with pytest.raises(Unavailable, match="the service cannot be reached: TLS: "):
            poster(f"https://127.0.0.1:{server.getsockname()[1]}/").post(b"{}")
        shaking.join()


@pytest.fixture
def untrusted_tls() -> ssl.SSLContext:
    import trustme

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_no_error_and_no_log_line_holds_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    with SlackReceiver() as server:
        for status in (200, 302, 400, 404, 429, 500):
            server.answers.append(Answer(status, f"no such thing at {server.url}: B0SECRET tokenSECRET key-SECRET"))
            sender = poster(server.url)
            told.append(str(sender.refusal(sender.post(b"{}"))))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unavailable, match="cannot be reached: Connection refused") as caught:
        poster(f"http://127.0.0.1:{port}/services/SECRETSECRET?sig=SECRETsig").post(b"{}")
    assert "SECRET" not in " ".join([*told, str(caught.value), caplog.text])


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/SECRET", "ftp://127.0.0.1/SECRET", "SECRET", "https://", "https://h/SEC RET", ""]
)
def test_an_address_must_be_https_except_on_loopback(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"`teams\.webhook_url`") as caught:
        check_address(url, "teams.webhook_url")
    assert "SECRET" not in str(caught.value)


def test_an_address_on_loopback_may_be_plain() -> None:
    for url in ("http://127.0.0.1:1/x", "http://localhost/x", "http://[::1]:8/x", "https://hooks.example.com/x"):
        assert check_address(f" {url}\n", "x") == url

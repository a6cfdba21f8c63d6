"""Feeds over real HTTP, from servers that behave and servers that do not."""

import gzip
import random
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from bearometer.clock import Clock, ManualClock, SystemClock
from bearometer.errors import Failed, Misconfigured, Transient
from bearometer.settings import FeedSettings, IngestSettings, KafkaSettings
from ingest.fetch import FeedFetcher, Validators, parse_retry_after, shown_url
from ingest.kafka import count_partitions, read_topic
from ingest.normalise import normalise
from ingest.rss import RssSource
from ingest.source import RawPost
from tests.conditions import WaitUntil
from tests.conftest import Topics

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

Answer = Callable[[BaseHTTPRequestHandler], None]


def rss(*items: str) -> bytes:
    return f"<?xml version='1.0'?><rss version='2.0'><channel>{''.join(items)}</channel></rss>".encode()


def item(number: int, title: str = "Acme falls", **elements: str) -> str:
    known = {"guid": str(number), "title": title, "pubDate": "Mon, 02 Mar 2026 10:00:00 GMT", **elements}
    return "<item>" + "".join(f"<{name}>{text}</{name}>" for name, text in known.items() if text) + "</item>"


def reply(status: int, body: bytes = b"", **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


class QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is what some tests are about."""


class FeedServer:
    """Answers each path as the test says, and remembers what it was asked."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.over = threading.Event()
        test = self

        class Respond(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                test.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                try:
                    test.answers[self.path](self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the reader had enough, as some tests want

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = QuietServer(("127.0.0.1", 0), Respond)
        if context is not None:
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[FeedServer]:
    running = FeedServer()
    yield running
    running.stop()


def settings(*feeds: FeedSettings, **fields: object) -> IngestSettings:
    known: dict[str, object] = {"feeds": feeds, "allow_private_addresses": True, "fetch_timeout_seconds": 5.0}
    return IngestSettings.model_validate({**known, **fields})


def fetch(url: str, clock: Clock | None = None, **fields: object) -> bytes | None:
    with FeedFetcher(settings(**fields), clock or SystemClock()) as fetcher:
        return fetcher.fetch(url, Validators()).body


def poll_once(server: FeedServer, **feed: object) -> list[RawPost]:
    configured = FeedSettings.model_validate({"url": f"{server.url}/feed", **feed})
    source = RssSource(settings(configured), ManualClock(NOW), once=True)
    posts = [each for each in source.read() if isinstance(each, RawPost)]
    assert not source.failed
    return posts


def run_for(source: RssSource, clock: ManualClock, seconds: float) -> list[RawPost]:
    """Everything that a live source gives in so much of the clock's time."""
    until = clock.monotonic() + seconds
    posts: list[RawPost] = []
    for each in source.read():
        if isinstance(each, RawPost):
            posts.append(each)
        if clock.monotonic() >= until:
            return posts
    return posts


def test_entries_become_posts(server: FeedServer) -> None:
    entry = item(7, "Acme &amp;amp; Sons fall", description="&lt;p&gt;On &lt;b&gt;weak&lt;/b&gt; sales&lt;/p&gt;")
    server.answers["/feed"] = reply(200, rss(entry.replace("</item>", "<link>https://example.com/7</link></item>")))
    (raw,) = poll_once(server, name="news")
    post = normalise(raw, raw.source or "", settings(), NOW)
    assert (post.id, post.source, post.url) == ("news:7", "news", "https://example.com/7")
    assert post.text == "Acme & Sons fall. On weak sales"
    assert post.published_at == datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def test_an_atom_feed_is_read_too(server: FeedServer) -> None:
    atom = b"""<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>urn:1</id><title>Acme falls</title>
    <updated>2026-03-02T09:00:00Z</updated><author><name>Ann</name></author></entry></feed>"""
    server.answers["/feed"] = reply(200, atom)
    (post,) = poll_once(server)
    assert (post.native_id, post.text, post.author) == ("urn:1", "Acme falls", "Ann")
    assert post.published_at == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_symbols_of_the_feed_come_before_those_of_the_text(server: FeedServer) -> None:
    server.answers["/feed"] = reply(200, rss(item(1, "$WILE and $ACME fall")))
    (post,) = poll_once(server, symbols=("ACME",))
    assert normalise(post, "news", settings(), NOW).symbols == ("ACME", "WILE")


def test_one_article_in_the_feeds_of_two_companies_is_two_posts(server: FeedServer) -> None:
    server.answers["/feed"] = reply(200, rss(item(1)))
    ids = {poll_once(server, symbols=(symbol,))[0].native_id for symbol in ("ACME", "WILE")}
    assert len(ids) == 2


def test_an_entry_without_id_and_time_has_the_same_id_later(server: FeedServer) -> None:
    server.answers["/feed"] = reply(200, rss(item(1, guid="", pubDate="")))
    feed = FeedSettings(url=f"{server.url}/feed")
    found = [
        next(
            post for post in RssSource(settings(feed), ManualClock(when), once=True).read() if isinstance(post, RawPost)
        )
        for when in (NOW, NOW + timedelta(days=1))
    ]
    assert found[0].native_id == found[1].native_id
    assert found[0].published_at == NOW


def test_the_second_request_is_conditional_and_gives_nothing_again(server: FeedServer) -> None:
    stamp = "Mon, 02 Mar 2026 11:00:00 GMT"
    first = reply(200, rss(item(1)), ETag='"v1"', Last_Modified=stamp)

    def answer(request: BaseHTTPRequestHandler) -> None:
        (reply(304) if request.headers.get("If-None-Match") == '"v1"' else first)(request)

    server.answers["/feed"] = answer
    clock = ManualClock(NOW)
    source = RssSource(settings(FeedSettings(url=f"{server.url}/feed", interval_seconds=60)), clock)
    assert len(run_for(source, clock, 150)) == 1
    headers = [sent for _, sent in server.requests]
    assert len(headers) >= 2
    assert "if-none-match" not in headers[0]
    assert headers[1]["if-none-match"] == '"v1"'
    assert headers[1]["if-modified-since"] == stamp
    assert headers[0]["user-agent"].startswith("bearometer/")


def test_an_entry_that_was_given_is_not_given_again(server: FeedServer) -> None:
    server.answers["/feed"] = reply(200, rss(item(1), item(2)))
    clock = ManualClock(NOW)
    source = RssSource(settings(FeedSettings(url=f"{server.url}/feed", interval_seconds=60)), clock)
    assert len(run_for(source, clock, 200)) == 2
    assert len(server.requests) >= 3


def test_an_entry_at_which_the_reader_left_is_given_again(server: FeedServer) -> None:
    server.answers["/feed"] = reply(200, rss(item(1), item(2), item(3)))
    clock = ManualClock(NOW)
    source = RssSource(settings(FeedSettings(url=f"{server.url}/feed", interval_seconds=60)), clock)
    reading = source.read()
    given = [next(reading), next(reading)]
    reading.close()  # type: ignore[attr-defined]  # as when the second could not be kept
    assert run_for(source, clock, 100)[0] == given[1]
    assert run_for(source, clock, 100) == []


def test_a_failing_feed_is_asked_less_and_less(server: FeedServer) -> None:
    server.answers["/feed"] = reply(500)
    clock = ManualClock(NOW)
    source = RssSource(
        settings(FeedSettings(url=f"{server.url}/feed", interval_seconds=60)), clock, chance=random.Random(1)
    )
    run_for(source, clock, 60 * (1 + 2 + 4 + 8) * 1.2 + 1)
    assert len(server.requests) == 5
    assert "answers 500" in source.failed[0]


@pytest.mark.parametrize("after", ["1800", format_datetime(NOW + timedelta(seconds=1800), usegmt=True)])
def test_a_feed_that_asks_for_patience_gets_it(server: FeedServer, after: str) -> None:
    server.answers["/feed"] = reply(429, Retry_After=after)
    clock = ManualClock(NOW)
    source = RssSource(settings(FeedSettings(url=f"{server.url}/feed", interval_seconds=60)), clock)
    run_for(source, clock, 1_799)
    assert len(server.requests) == 1
    run_for(source, clock, 2)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "bad",
    [b"<html>no feed</html>", b"<rss version='2.0'><channel><item><title>a & &#99999999999;</title></item></channel>"],
)
def test_feeds_take_turns_and_a_bad_one_does_not_hold_up_the_others(server: FeedServer, bad: bytes) -> None:
    server.answers |= {"/good": reply(200, rss(item(1))), "/bad": reply(200, bad)}
    clock = ManualClock(NOW)
    feeds = [FeedSettings(url=f"{server.url}/{name}", interval_seconds=60) for name in ("bad", "good")]
    assert len(run_for(RssSource(settings(*feeds), clock), clock, 10)) == 1
    assert [path for path, _ in server.requests] == ["/bad", "/good"]


def test_redirects_are_followed_as_far_as_allowed(server: FeedServer) -> None:
    server.answers |= {"/a": reply(301, Location="/b"), "/b": reply(302, Location="/c"), "/c": reply(200, b"feed")}
    assert fetch(f"{server.url}/a") == b"feed"
    with pytest.raises(Failed, match="more than 1 times"):
        fetch(f"{server.url}/a", max_redirects=1)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.com/", "gopher://127.0.0.1:70/"])
def test_a_redirect_away_from_the_web_is_refused(server: FeedServer, target: str) -> None:
    server.answers["/a"] = reply(302, Location=target)
    with pytest.raises(Failed, match="only http and https"):
        fetch(f"{server.url}/a")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "2130706433"]
)
def test_a_private_address_is_refused_before_a_byte_is_sent(server: FeedServer, host: str) -> None:
    port = server.url.rpartition(":")[2]
    with pytest.raises(Failed, match="no public address"):
        fetch(f"http://{host}:{port}/feed", allow_private_addresses=False)
    assert server.requests == []


def test_a_redirect_to_a_private_address_is_refused(server: FeedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # The first hop stands for a public server: only its address is let through.
    allowed = "127.0.0.1"
    monkeypatch.setattr("ingest.address.is_public", lambda address: address == allowed)
    port = server.url.rpartition(":")[2]
    server.answers["/a"] = reply(302, Location=f"http://127.0.0.2:{port}/secret")
    with pytest.raises(Failed, match=r"127\.0\.0\.2"):
        fetch(f"{server.url}/a", allow_private_addresses=False)
    assert [path for path, _ in server.requests] == ["/a"]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A resolver for the tests' own names, which gives the addresses of a name one after the other."""
    known: dict[str, list[str]] = {}
    ask = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **options: Any) -> Any:
        return ask(known[host].pop(0) if host in known else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr("ingest.address.is_public", lambda address: address == "127.0.0.1")
    return known


def test_the_address_that_was_checked_is_the_one_connected_to(server: FeedServer, names: dict[str, list[str]]) -> None:
    names["feed.example"] = ["127.0.0.1", "127.0.0.2"]  # asked a second time, the name leads elsewhere
    server.answers["/feed"] = reply(200, b"feed")
    url = server.url.replace("127.0.0.1", "feed.example")
    assert fetch(f"{url}/feed", allow_private_addresses=False) == b"feed"
    assert names["feed.example"] == ["127.0.0.2"]
    assert server.requests[0][1]["host"].startswith("feed.example:")
    with pytest.raises(Failed, match=r"127\.0\.0\.2"):
        fetch(f"{url}/feed", allow_private_addresses=False)


@pytest.mark.parametrize("certified", ["feed.example", "other.example"])
def test_over_tls_the_certificate_must_be_for_the_name(
    certified: str, names: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(certified).configure_cert(context)
    names["feed.example"] = ["127.0.0.1"]
    running = FeedServer(context)
    try:
        running.answers["/feed"] = reply(200, b"feed")
        url = running.url.replace("http://127.0.0.1", "https://feed.example")
        if certified == "feed.example":
            assert fetch(f"{url}/feed", allow_private_addresses=False) == b"feed"
        else:
            with pytest.raises(Transient, match="certificate"):
                fetch(f"{url}/feed", allow_private_addresses=False)
    finally:
        running.stop()


def test_a_body_that_drips_is_given_up(server: FeedServer) -> None:
    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        while not server.over.wait(0.05):
            request.wfile.write(b"x")

    server.answers["/feed"] = drip
    started = time.monotonic()
    with pytest.raises(Transient, match="took longer than 1 s"):
        fetch(f"{server.url}/feed", fetch_timeout_seconds=1.0)
    assert time.monotonic() - started < 5


def test_headers_that_drip_are_given_up(server: FeedServer) -> None:
    def drip(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not server.over.wait(0.05):
            request.wfile.write(b"x")

    server.answers["/feed"] = drip
    with pytest.raises(Transient, match="took longer than 1 s"):
        fetch(f"{server.url}/feed", fetch_timeout_seconds=1.0)


def test_a_feed_that_is_too_large_is_not_read_to_its_end(server: FeedServer) -> None:
    sent = 0

    def pour(request: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        request.send_response(200)
        request.end_headers()
        while not server.over.is_set():
            sent += request.wfile.write(b"x" * 65_536)

    server.answers["/feed"] = pour
    with pytest.raises(Transient, match="larger than 100000 bytes"):
        fetch(f"{server.url}/feed", max_feed_bytes=100_000)


def test_a_gzip_bomb_is_noticed_before_it_has_unfolded(server: FeedServer) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000)
    server.answers["/feed"] = reply(200, bomb, Content_Encoding="gzip")
    started = time.process_time()
    with pytest.raises(Transient, match="larger than"):
        fetch(f"{server.url}/feed")
    assert time.process_time() - started < 2


def test_a_gzipped_feed_is_unpacked_and_a_broken_one_is_said_to_be(server: FeedServer) -> None:
    packed = gzip.compress(b"feed" * 100_000)
    server.answers |= {
        "/good": reply(200, packed, Content_Encoding="gzip"),
        "/cut": reply(200, packed[:-20], Content_Encoding="gzip"),
        "/other": reply(200, b"x", Content_Encoding="br"),
    }
    assert fetch(f"{server.url}/good") == b"feed" * 100_000
    with pytest.raises(Transient, match="badly compressed"):
        fetch(f"{server.url}/cut")
    with pytest.raises(Transient, match="did not ask for"):
        fetch(f"{server.url}/other")


@pytest.mark.parametrize("url", ["http://", "http://[::1", "not a url", "http://feed.invalid/", "http://127.0.0.1:1/"])
def test_an_address_that_leads_nowhere_is_one_clear_line(url: str) -> None:
    with pytest.raises((Failed, Transient)) as caught:
        fetch(url)
    assert "\n" not in str(caught.value)


def test_secrets_in_an_address_are_not_shown(server: FeedServer) -> None:
    server.answers["/feed?key=secret"] = reply(500)
    with pytest.raises(Transient) as caught:
        fetch(server.url.replace("//", "//ann:secret@") + "/feed?key=secret")
    assert "secret" not in str(caught.value)
    assert shown_url("https://ann:secret@example.com/a?key=secret#x") == "https://example.com/a"


def test_without_feeds_the_setting_is_named() -> None:
    with pytest.raises(Misconfigured, match=r"ingest\.feeds"):
        RssSource(settings(), ManualClock(NOW))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0),
        ("9" * 50, 86_400.0),
        (None, None),
        ("soon", None),
        ("-1", None),
        (f"Mon, 02 Mar 2026 12:00:00 +{'9' * 20}", None),
    ],
)
def test_retry_after_is_read_within_limits(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_the_command_publishes_until_it_is_told_to_stop(
    server: FeedServer, broker: str, topics: Topics, tmp_path: Path, wait_until: WaitUntil, told: signal.Signals
) -> None:
    server.answers["/feed"] = reply(200, rss(item(1), item(2)))
    (tmp_path / "bearometer.toml").write_text(
        f"[ingest]\nallow_private_addresses = true\nfeeds = [{{url = '{server.url}/feed', name = 'news'}}]\n"
        f"[kafka]\nservers = '{broker}'\ntopic = '{topics.posts}'\ndead_topic = '{topics.dead}'\nidempotence = false\n"
    )
    kafka = KafkaSettings(servers=broker, topic=topics.posts, dead_topic=topics.dead, idempotence=False)
    command = [sys.executable, "-m", "bearometer", "--config", str(tmp_path / "bearometer.toml"), "ingest"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as worker:
        try:
            wait_until(
                lambda: count_partitions(kafka, topics.posts) and len([*read_topic(kafka, topics.posts)]) >= 2, 30
            )
            worker.send_signal(told)
            _, said = worker.communicate(timeout=20)
        finally:
            worker.kill()
    assert worker.returncode == 0, said
    assert "2 posts published" in said

"""What every kind of polled source does, over real HTTP, with its site and with a server that misbehaves."""

import gzip
import itertools
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from bearometer.clock import ManualClock, SystemClock
from bearometer.errors import Failed
from ingest.source import RawPost
from ingest.sources import build_source
from tests.polled_kinds import (
    INGEST,
    INTERVAL,
    KINDS,
    NOW,
    Kind,
    go_on,
    ids,
    open_kind,
    take,
)
from tests.source_server import Asked, SourceServer, as_json, reply


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]()


@pytest.fixture
def server() -> Iterator[SourceServer]:
    with SourceServer() as running:
        yield running


def test_every_post_comes_once_also_those_of_a_second_page(kind: Kind, server: SourceServer) -> None:
    server.answer = kind.site
    kind.publish(3)
    clock = ManualClock(NOW)
    source = open_kind(kind, server, clock)
    reading = source.read()
    first = [item for item in itertools.islice(reading, 30) if isinstance(item, RawPost)]
    kind.publish(2 * kind.page + 1)
    rest = [item for item in go_on(reading, clock, 4 * INTERVAL) if item is not None]
    assert len(first) == 3
    assert all(isinstance(item, RawPost) for item in rest)
    posts = first + [item for item in rest if isinstance(item, RawPost)]
    assert len(ids(posts)) == len(set(ids(posts))) == 3 + 2 * kind.page + 1
    assert source.last_error is None


@pytest.mark.parametrize("stop_after", [70])
def test_it_goes_on_behind_its_cursor_wherever_it_stopped(kind: Kind, server: SourceServer, stop_after: int) -> None:
    server.answer = kind.site
    kind.publish(3)
    clock = ManualClock(NOW)
    source = open_kind(kind, server, clock)
    before = take(source, clock, 10)
    kind.publish(2 * kind.page + 1)
    found: list[RawPost] = []
    given = -1
    while given:
        source = open_kind(kind, server, clock, source.cursor)
        given, until = 0, clock.monotonic() + INTERVAL / 2
        for item in source.read():
            given += isinstance(item, RawPost)
            found += [item] if isinstance(item, RawPost) else []
            if given == stop_after or clock.monotonic() >= until:
                break
        assert len(source.cursor or "") < 65_536
    assert len(before) == 3
    assert len(ids(before + found)) == len(set(ids(before + found))) == 3 + 2 * kind.page + 1


def hang_up(asked: Asked) -> None:
    """Half an answer, and the connection is reset."""
    request = asked.handler
    request.send_response(200)
    request.send_header("Content-Length", "10000")
    request.end_headers()
    request.wfile.write(b'{"articles": [')
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()
    request.close_connection = True


TROUBLES = {
    "503": reply(503),
    "500": reply(500, b"<html>oops</html>"),
    "cut short": reply(200, b'{"articles": [{"url": "http'),
    "hung up": hang_up,
    "another shape": as_json([{"unexpected": [1, 2]}]),
    "a web page": reply(200, b"<html><body>Please log in</body></html>", Content_Type="text/html"),
    "nothing at all": reply(200),
    "nested deeply": reply(200, b"[" * 100_000),
    "bad gzip": reply(200, b"\x1f\x8bnonsense", Content_Encoding="gzip"),
}


def test_passing_trouble_is_waited_out_shown_and_over_without_loss(kind: Kind, server: SourceServer) -> None:
    clock = ManualClock(NOW)
    source = open_kind(kind, server, clock)
    reading = source.read()
    for trouble, answer in TROUBLES.items():
        kind.publish(2)
        server.answer = answer
        during = go_on(reading, clock, 1.2 * INTERVAL)
        assert set(during) == {None}, trouble
        assert source.last_error is not None, trouble
        assert "\n" not in source.last_error
        assert "asked again in" in source.last_error
        server.answer = kind.site
        after = go_on(reading, clock, 4 * INTERVAL)
        assert sum(item is not None for item in after) == 2, trouble
        assert source.last_error is None, trouble


def test_waits_grow_and_are_as_long_as_the_server_asks(kind: Kind, server: SourceServer) -> None:
    clock = ManualClock(NOW)
    server.answer = reply(500)
    take(open_kind(kind, server, clock), clock, INTERVAL * (1 + 2 + 4 + 8) * 1.2 + 1)
    assert len(server.asked) == 5
    server.asked.clear()
    server.answer = reply(429, Retry_After="2000")
    source = open_kind(kind, server, clock)
    take(source, clock, 1_999)
    assert len(server.asked) == 1
    assert "429" in (source.last_error or "")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_ends_the_source_with_one_clear_line(kind: Kind, server: SourceServer, status: int) -> None:
    server.answer = reply(status)
    with pytest.raises(Failed, match=f"answers {status}"):
        list(open_kind(kind, server).read())


def test_a_redirect_into_our_own_network_is_refused(
    kind: Kind, server: SourceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first hop stands for a public server: only its address is let through.
    monkeypatch.setattr("ingest.address.is_public", lambda address: address == "127.0.0.1")
    server.answer = reply(302, Location=server.url.replace("127.0.0.1", "127.0.0.2") + "/secret")
    with pytest.raises(Failed, match=r"127\.0\.0\.2, which is no public address"):
        list(open_kind(kind, server, allow_private_addresses=False).read())
    assert len(server.asked) == 1


def test_a_body_of_a_gigabyte_is_refused_and_not_read(kind: Kind, server: SourceServer) -> None:
    sent = 0

    def pour(asked: Asked) -> None:
        nonlocal sent
        request = asked.handler
        request.send_response(200)
        request.send_header("Content-Length", str(2**30))
        request.end_headers()
        while sent < 2**30 and not server.over.is_set():
            sent += request.wfile.write(b" " * 65_536)

    server.answer = pour
    source = open_kind(kind, server)
    assert next(source.read()) is None
    assert "larger than 5000000 bytes" in (source.last_error or "")
    assert sent < 100_000_000


def test_a_gzip_bomb_is_noticed_before_it_has_unfolded(kind: Kind, server: SourceServer, bomb: bytes) -> None:
    server.answer = reply(200, bomb, Content_Encoding="gzip")
    source = open_kind(kind, server)
    started = time.process_time()
    assert next(source.read()) is None
    assert "larger than" in (source.last_error or "")
    assert time.process_time() - started < 2


@pytest.fixture(scope="module")
def bomb() -> bytes:
    return gzip.compress(b"[" * 100_000_000)


def test_a_body_that_drips_is_given_up(kind: Kind, server: SourceServer) -> None:
    def drip(asked: Asked) -> None:
        asked.handler.send_response(200)
        asked.handler.end_headers()
        while not server.over.wait(0.05):
            asked.handler.wfile.write(b" ")

    server.answer = drip
    settings = INGEST.model_copy(update={"fetch_timeout_seconds": 0.5})
    source = build_source(kind.settings(server.url), settings, SystemClock())
    assert next(source.read()) is None
    assert "took longer than 0.5 s" in (source.last_error or "")


def test_with_once_all_pages_are_read_and_trouble_is_raised(kind: Kind, server: SourceServer) -> None:
    server.answer = kind.site
    kind.publish(3)
    clock = ManualClock(NOW)
    source = build_source(kind.settings(server.url), INGEST, clock, once=True)
    assert sum(item is not None for item in source.read()) == 3
    server.answer = reply(503)
    with pytest.raises(Failed, match="503"):
        list(build_source(kind.settings(server.url), INGEST, clock, once=True).read())


def test_a_cursor_that_cannot_be_read_is_as_none(kind: Kind, server: SourceServer) -> None:
    server.answer = kind.site
    kind.publish(3)
    for cursor in (
        "nonsense",
        "[]",
        '{"v": 2}',
        '{"v": 1, "place": {"form": [], "newest": {}, "since": 3, "page": 1}}',
    ):
        clock = ManualClock(NOW)
        assert len(take(open_kind(kind, server, clock, cursor), clock, 10)) == 3


def test_polls_keep_their_interval(kind: Kind, server: SourceServer) -> None:
    server.answer = kind.site
    clock = ManualClock(NOW)
    source = build_source(kind.settings(server.url), INGEST, clock)
    take(source, clock, 5)
    asked = len(server.asked)
    take(source, clock, 0.85 * INTERVAL)
    assert len(server.asked) == asked

"""Mastodon from a local server: its stream of events, and its timelines."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from bearometer.clock import Clock, ManualClock, SystemClock
from bearometer.errors import Failed, Misconfigured
from bearometer.settings import IngestSettings
from bearometer.stream_source_settings import MastodonSettings
from ingest.mastodon import MastodonSource
from ingest.source import RawPost, Unreadable
from tests.stream_servers import Answering, Asked, HttpServer, collect, reply

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
INGEST = IngestSettings(allow_private_addresses=True, fetch_timeout_seconds=3.0)
STREAM = "/api/v1/streaming/hashtag"
TIMELINE = "/api/v1/timelines/tag/acme"


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        running.on(TIMELINE, reply(200, b"[]"))
        yield running


def identity(number: int) -> str:
    """The id of a post `number` seconds after NOW."""
    return str(int((NOW + timedelta(seconds=number)).timestamp() * 1000) << 16)


def status(number: int, content: str = "<p>Acme falls</p>", **fields: object) -> dict[str, Any]:
    return {
        "id": identity(number),
        "uri": f"https://far.example/users/ann/statuses/{number}",
        "url": f"https://far.example/@ann/{number}",
        "created_at": (NOW + timedelta(seconds=number)).isoformat().replace("+00:00", ".000Z"),
        "visibility": "public",
        "language": "en",
        "spoiler_text": "",
        "content": content,
        "reblog": None,
        "reblogs_count": 2,
        "favourites_count": 3,
        "account": {"acct": "ann@far.example", "followers_count": 12},
        **fields,
    }


def update(*statuses: dict[str, Any]) -> bytes:
    return b"".join(b"event: update\ndata: %s\n\n" % orjson.dumps(each) for each in statuses)


def open_source(
    server: HttpServer, ingest: IngestSettings = INGEST, clock: Clock | None = None, **fields: object
) -> MastodonSource:
    known: dict[str, object] = {"name": "toots", "server": server.url, "hashtag": "Acme"}
    settings = MastodonSettings.model_validate(known | {"access_token": SecretStr("geheim")} | fields)
    return MastodonSource(settings, ingest, clock or ManualClock(NOW), chance=random.Random(1))


def numbers(items: list[RawPost | Unreadable]) -> list[int]:
    return [int(str(item.native_id).rsplit("/", 1)[1]) for item in items if isinstance(item, RawPost)]


def test_a_post_comes_with_all_that_is_known_of_it(server: HttpServer) -> None:
    server.on(STREAM, server.events(b":)\n", update(status(1)), b":thump\n"))
    (post,) = collect(open_source(server), 1)
    assert post == RawPost(
        text="Acme falls",
        published_at=NOW + timedelta(seconds=1),
        position=f"toots, post {identity(1)}",
        native_id="https://far.example/users/ann/statuses/1",
        author="ann@far.example",
        followers=12,
        url="https://far.example/@ann/1",
        language="en",
        engagement=5,
    )
    (asked,) = server.asked
    assert asked.query == {"tag": ["acme"]}
    assert asked.headers["authorization"] == "Bearer geheim"
    assert asked.headers["user-agent"].startswith("bearometer/")


def test_events_may_be_cut_anywhere(server: HttpServer) -> None:
    body = b":)\n" + update(status(1), status(2)) + b"event: delete\ndata: 17\n\n" + update(status(3))
    server.on(STREAM, server.events(*(body[place : place + 7] for place in range(0, len(body), 7))))
    assert numbers(collect(open_source(server), 3)) == [1, 2, 3]


def test_a_boost_is_a_retweet_of_its_post(server: HttpServer) -> None:
    boost = status(2, "", uri="https://far.example/boosts/2", reblog=status(1, "<p>Acme falls</p>"))
    boost["account"] = {"acct": "bob"}
    server.on(STREAM, server.events(update(boost)))
    (post,) = collect(open_source(server), 1)
    assert isinstance(post, RawPost)
    assert post.text == "RT @ann@far.example: Acme falls"
    assert post.author == f"bob@{server.url.removeprefix('http://')}"


def test_a_source_goes_on_where_a_killed_one_stopped(server: HttpServer) -> None:
    server.on(STREAM, server.events(update(status(1), status(2))), server.events(update(status(5))))
    first = open_source(server)
    first.resume(None)
    collect(first, 2)
    pages = {identity(2 - 300): [status(2), status(1)], identity(2): [status(4), status(3)], identity(4): []}

    def page(request: BaseHTTPRequestHandler, asked: Asked) -> None:
        reply(200, orjson.dumps(pages[asked.query["min_id"][0]]))(request, asked)

    server.on(TIMELINE, page)
    second = open_source(server)
    second.resume(first.cursor)
    assert numbers(collect(second, 5)) == [1, 2, 3, 4, 5]
    assert orjson.loads(second.cursor or "") == {"id": identity(5)}


def test_what_was_missed_while_the_connection_was_down_is_fetched_and_nothing_comes_twice(server: HttpServer) -> None:
    server.on(STREAM, server.events(update(status(1)), then="end"), server.events(update(status(2), status(3))))
    server.on(TIMELINE, reply(200, orjson.dumps([status(2), status(1)])), reply(200, b"[]"))
    assert numbers(collect(open_source(server), 3)) == [1, 2, 3]
    assert server.paths() == [STREAM, STREAM, TIMELINE, TIMELINE]


def test_what_comes_before_the_first_post_of_a_broken_connection_is_not_lost(server: HttpServer) -> None:
    server.on(STREAM, server.events(b":)\n", then="cut"), server.events(b":)\n"))
    server.on(TIMELINE, reply(200, orjson.dumps([status(-10)])), reply(200, b"[]"))
    assert numbers(collect(open_source(server), 1)) == [-10]
    assert server.asked[2].query["min_id"] == [identity(-300)]


def test_missed_posts_are_fetched_up_to_a_limit(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    def page(request: BaseHTTPRequestHandler, asked: Asked) -> None:
        start = ((int(asked.query["min_id"][0]) >> 16) - int(NOW.timestamp() * 1000)) // 1000 + 1
        reply(200, orjson.dumps([status(number) for number in range(start, start + 40)]))(request, asked)

    server.on(STREAM, server.events(update(status(10_000))))
    server.on(TIMELINE, page)
    source = open_source(server, max_missed=80, rewind_seconds=0)
    source.resume(orjson.dumps({"id": identity(0)}).decode())
    assert numbers(collect(source, 81)) == [*range(1, 81), 10_000]
    assert "more than 80 posts were missed" in caplog.text


@pytest.mark.parametrize("cursor", ["", "{", "[]", '{"id": 7}', '{"id": "../x"}', "null"])
def test_a_cursor_that_cannot_be_read_is_as_none(server: HttpServer, cursor: str) -> None:
    source = open_source(server)
    source.resume(cursor)
    assert source.cursor is None


def test_ids_of_other_software_are_not_gone_back_for(server: HttpServer) -> None:
    server.on(STREAM, server.events(b":)\n"))
    source = open_source(server)
    source.resume('{"id": "AbCdEf0123"}')
    collect(source, 1, until=lambda: TIMELINE in server.paths())
    assert server.asked[1].query["min_id"] == ["AbCdEf0123"]


def test_all_public_posts_are_sifted_by_words_and_language(server: HttpServer) -> None:
    server.on(
        "/api/v1/streaming/public/local",
        server.events(
            update(
                status(1, "lunch"),
                status(2, "$ACME falls"),
                status(3, "<p>Wile &amp; Sons</p>", language="de"),
                status(4, "<p>wile sons</p>"),
                status(5, "$ACME", visibility="private"),
                status(6, "", spoiler_text="$ACME"),
            )
        ),
    )
    source = open_source(server, hashtag=None, local=True, keywords=("Wile Sons",), languages=("en",))
    assert numbers(collect(source, 3)) == [2, 4, 6]


def test_what_is_broken_is_said_and_the_rest_goes_on(server: HttpServer) -> None:
    broken = b'event: update\ndata: {"id": "1\n\nevent: update\ndata: [1]\n\nevent: update\ndata: {}\n\n'
    server.on(STREAM, server.events(broken, update(status(1, "<p>" + "x" * 20_000)), update(status(2))))
    items = collect(open_source(server, max_message_bytes=10_000), 5)
    assert sum(isinstance(item, Unreadable) for item in items) == 4
    assert numbers(items) == [2]
    assert len({item.position for item in items}) == 5


@pytest.mark.parametrize("piece", [b"x", b"data: xxxxxxxxx\n"])
def test_an_event_without_an_end_fills_no_memory(server: HttpServer, piece: bytes) -> None:
    server.on(STREAM, server.events(*[piece * 4_000] * 10, b"\n\n", update(status(2))))
    source = open_source(server, max_message_bytes=10_000)
    items = collect(source, 99, until=lambda: source.cursor == orjson.dumps({"id": identity(2)}).decode())
    assert isinstance(items[0], Unreadable)
    assert numbers(items) == [2]


@pytest.mark.parametrize("heard", [b"", b"xxx"])
def test_silence_ends_a_connection(server: HttpServer, heard: bytes) -> None:
    def drip(request: BaseHTTPRequestHandler, asked: Asked) -> None:
        del asked
        request.send_response(200)
        request.end_headers()
        while not server.over.wait(0.05):
            request.wfile.write(heard)
            request.wfile.flush()

    server.on(STREAM, drip)
    source = open_source(server, clock=SystemClock(), idle_seconds=0.6)
    collect(source, 1, until=lambda: source.last_error is not None)
    assert "sent nothing for 0.6 s" in str(source.last_error)


@pytest.mark.parametrize("status_code", [429, 503])
@pytest.mark.parametrize("path", [STREAM, TIMELINE])
def test_the_servers_wish_to_be_left_alone_is_honoured(server: HttpServer, path: str, status_code: int) -> None:
    server.on(STREAM, server.events(update(status(2))))
    good = server.answers[path][0]
    server.on(path, reply(status_code, Retry_After="77"), good)
    clock = ManualClock(NOW)
    source = open_source(server, clock=clock)
    source.resume(orjson.dumps({"id": identity(1)}).decode())
    assert numbers(collect(source, 1)) == [2]
    assert clock.monotonic() >= 77


@pytest.mark.parametrize(
    "broken",
    [
        reply(200, b'[{"id": "1"'),
        reply(200, b"{}"),
        lambda request, asked: request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[]"),
        lambda request, asked: None,
        lambda request, asked: request.wfile.write(b"\x00\x01nonsense\r\n\r\n"),
        reply(200, b"x", Content_Encoding="gzip"),
    ],
)
def test_half_an_answer_of_the_timeline_is_asked_for_again(server: HttpServer, broken: Answering) -> None:
    def cut(request: BaseHTTPRequestHandler, asked: Asked) -> None:
        request.close_connection = True
        broken(request, asked)

    server.on(STREAM, server.events(update(status(3))))
    server.on(TIMELINE, cut, reply(200, orjson.dumps([status(2)])), reply(200, b"[]"))
    source = open_source(server)
    source.resume(orjson.dumps({"id": identity(1)}).decode())
    assert numbers(collect(source, 2)) == [2, 3]


def test_an_answer_that_is_too_large_is_not_read_to_its_end(server: HttpServer) -> None:
    server.on(STREAM, server.events(update(status(3))))
    server.on(TIMELINE, server.events(*[b"[" * 60_000] * 100, then="end"))
    ingest = INGEST.model_copy(update={"max_feed_bytes": 100_000})
    source = open_source(server, ingest)
    source.resume(orjson.dumps({"id": identity(1)}).decode())
    collect(source, 1, until=lambda: source.last_error is not None)
    assert "larger than 100000 bytes" in str(source.last_error)


@pytest.mark.parametrize("status_code", [401, 403])
@pytest.mark.parametrize("path", [STREAM, TIMELINE])
def test_a_refusal_ends_the_source_with_one_clear_line(server: HttpServer, path: str, status_code: int) -> None:
    server.on(STREAM, server.events(b":)\n"))
    server.on(path, reply(status_code))
    source = open_source(server)
    source.resume(orjson.dumps({"id": identity(1)}).decode())
    with pytest.raises(Misconfigured, match=rf"{path} refuses access \({status_code}\).*toots\.access_token") as caught:
        collect(source, 1)
    assert "geheim" not in str(caught.value)


def test_a_private_address_is_refused(server: HttpServer) -> None:
    with pytest.raises(Failed, match="no public address"):
        collect(open_source(server, IngestSettings()), 1)
    assert not server.asked


def test_the_token_does_not_follow_a_redirect(server: HttpServer) -> None:
    server.on(STREAM, reply(301, Location="http://elsewhere.example/api"))
    with pytest.raises(Failed, match=r"redirects to 'http://elsewhere\.example/api', which is not followed"):
        collect(open_source(server), 1)


def test_a_check_ends_by_itself_and_says_what_is_wrong(server: HttpServer) -> None:
    settings = MastodonSettings(name="toots", server=server.url, hashtag="acme")
    server.on(STREAM, server.events(update(status(1))), reply(503))
    clock = ManualClock(NOW)
    given = [item for item in MastodonSource(settings, INGEST, clock, once=True).read() if item is not None]
    assert len(given) == 1
    with pytest.raises(Failed, match="answers 503"):
        list(MastodonSource(settings, INGEST, clock, once=True).read())

"""Bluesky from a local Jetstream, in both versions of its protocol."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from websockets.sync.server import ServerConnection

from bearometer.clock import Clock, ManualClock, SystemClock
from bearometer.errors import Failed, Misconfigured, Reason
from bearometer.settings import IngestSettings
from bearometer.stream_source_settings import BlueskySettings
from ingest.bluesky import BlueskySource
from ingest.normalise import normalise
from ingest.source import RawPost, Unreadable
from tests.stream_servers import Talk, WebSocketServer, collect

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MICROSECONDS = int(NOW.timestamp() * 1e6)
INGEST = IngestSettings(allow_private_addresses=True, fetch_timeout_seconds=3.0)


@pytest.fixture
def server() -> Iterator[WebSocketServer]:
    with WebSocketServer() as running:
        yield running


def event(number: int, text: str = "$ACME falls", **record: object) -> dict[str, Any]:
    """As version 1 sends it, `number` seconds after NOW."""
    return {
        "did": f"did:plc:author{number}",
        "time_us": MICROSECONDS + number * 1_000_000,
        "kind": "commit",
        "commit": {
            "rev": "3l",
            "operation": "create",
            "collection": "app.bsky.feed.post",
            "rkey": f"key{number}",
            "cid": "bafy",
            "record": {
                "$type": "app.bsky.feed.post",
                "createdAt": (NOW + timedelta(seconds=number - 1)).isoformat(),
                "langs": ["en"],
                "text": text,
                **record,
            },
        },
    }


def uri(number: int) -> str:
    return f"at://did:plc:author{number}/app.bsky.feed.post/key{number}"


def second_version(number: int, text: str = "$ACME falls") -> dict[str, Any]:
    commit = event(number, text)["commit"]
    payload = {
        "$type": "network.bsky.jetstream.subscribeEvents#commit",
        "seq": number,
        "did": f"did:plc:author{number}",
        "time": (NOW + timedelta(seconds=number)).isoformat(),
        **commit,
    }
    return {"$type": "message", "payload": payload}


def say(*events: dict[str, Any] | bytes) -> Talk:
    def talk(connection: ServerConnection) -> None:
        for each in events:
            connection.send((each if isinstance(each, bytes) else orjson.dumps(each)).decode())

    return talk


def say_and_break_off(*events: dict[str, Any]) -> Talk:
    def talk(connection: ServerConnection) -> None:
        say(*events)(connection)
        connection.close(1011)

    return talk


def open_source(
    server: WebSocketServer, ingest: IngestSettings = INGEST, clock: Clock | None = None, **fields: object
) -> BlueskySource:
    settings = BlueskySettings.model_validate({"name": "sky", "url": f"{server.url}/subscribe", **fields})
    clock = clock or ManualClock(NOW + timedelta(minutes=1))
    return BlueskySource(settings, ingest, clock, chance=random.Random(1))


def texts(items: list[RawPost | Unreadable]) -> list[str]:
    return [item.text for item in items if isinstance(item, RawPost)]


def test_a_post_comes_with_all_that_is_known_of_it(server: WebSocketServer) -> None:
    server.talks.append(say(event(3, "$ACME falls")))
    source = open_source(server)
    (post,) = collect(source, 1)
    assert isinstance(post, RawPost)
    assert post.text == "$ACME falls"
    assert post.native_id == "at://did:plc:author3/app.bsky.feed.post/key3"
    assert post.author == "did:plc:author3"
    assert post.url == "https://bsky.app/profile/did:plc:author3/post/key3"
    assert post.language == "en"
    assert post.published_at == NOW + timedelta(seconds=2)
    assert normalise(post, source.name, INGEST, NOW).symbols == ("ACME",)
    (asked,) = server.asked
    assert asked.query["wantedCollections"] == ["app.bsky.feed.post"]
    assert asked.headers["user-agent"].startswith("bearometer/")


def test_the_second_version_is_asked_and_read_in_its_own_way(server: WebSocketServer) -> None:
    server.talks.append(say({"$type": "message", "payload": {"$type": "x#info", "name": "x"}}, second_version(5)))
    source = open_source(server, url=f"{server.url}/xrpc/network.bsky.jetstream.subscribeEvents")
    (post,) = collect(source, 1)
    assert isinstance(post, RawPost)
    assert post.native_id == "at://did:plc:author5/app.bsky.feed.post/key5"
    assert orjson.loads(source.cursor or "") == {"time_us": MICROSECONDS + 5_000_000}
    (asked,) = server.asked
    assert asked.query["collections"] == ["app.bsky.feed.post"]
    assert asked.query["kinds"] == ["commit"]
    assert asked.headers["sec-websocket-protocol"] == "xrpc.v1.json"


def test_what_the_server_no_longer_has_is_said_once(server: WebSocketServer, caplog: pytest.LogCaptureFixture) -> None:
    kind = "network.bsky.jetstream.subscribeEvents#info"
    info = {"$type": "message", "payload": {"$type": kind, "name": "OutdatedCursor"}}
    server.talks.append(say(info, info, second_version(5)))
    source = open_source(server, url=f"{server.url}/xrpc/network.bsky.jetstream.subscribeEvents")
    assert len(collect(source, 1)) == 1
    assert caplog.text.count("goes back less far") == 1


def test_an_error_frame_of_the_second_version_is_waited_out(server: WebSocketServer) -> None:
    server.talks.append(say({"$type": "error", "error": "ConsumerTooSlow"}))
    server.talks.append(say(second_version(5)))
    source = open_source(server, url=f"{server.url}/xrpc/network.bsky.jetstream.subscribeEvents")
    assert len(collect(source, 1)) == 1
    assert len(server.asked) == 2


def test_a_source_goes_on_where_a_killed_one_stopped(server: WebSocketServer) -> None:
    server.talks.append(say(event(1), event(2)))
    first = open_source(server)
    first.resume(None)
    collect(first, 2)
    second = open_source(server, rewind_seconds=5.0)
    second.resume(first.cursor)
    server.talks.append(say(event(2), event(3)))
    again = collect(second, 2)
    assert [item.native_id for item in again if isinstance(item, RawPost)] == [
        f"at://did:plc:author{number}/app.bsky.feed.post/key{number}" for number in (2, 3)
    ]
    assert server.asked[1].query["cursor"] == [str(MICROSECONDS + 2_000_000 - 5_000_000)]


@pytest.mark.parametrize("cursor", ["", "{", "[]", '{"time_us": "x"}', '{"time_us": 3}', "null"])
def test_a_cursor_that_cannot_be_read_is_as_none(server: WebSocketServer, cursor: str) -> None:
    source = open_source(server)
    source.resume(cursor)
    assert source.cursor is None
    collect(source, 1, until=lambda: len(server.asked) == 1)


def test_a_connection_that_ends_is_renewed_and_nothing_is_given_twice_or_lost(server: WebSocketServer) -> None:
    server.talks.append(say_and_break_off(event(1), event(2)))
    server.talks.append(say(event(1), event(2), event(3)))
    source = open_source(server)
    assert [item.position.rsplit("/", 1)[1] for item in collect(source, 3)] == ["key1", "key2", "key3"]
    assert int(server.asked[1].query["cursor"][0]) == MICROSECONDS + 2_000_000 - 5_000_000


def test_the_trouble_stands_in_last_error_until_it_is_over(server: WebSocketServer) -> None:
    server.talks.append(say_and_break_off())
    source = open_source(server)
    collect(source, 1, until=lambda: source.last_error is not None)
    assert "closed the connection (1011)" in str(source.last_error)
    server.talks.append(say(event(1)))
    collect(source, 1)
    assert source.last_error is None


def test_the_cursor_moves_with_events_that_are_not_wanted(server: WebSocketServer) -> None:
    server.talks.append(say(*(event(number, "lunch") for number in range(50))))
    source = open_source(server)
    wanted = MICROSECONDS + 49_000_000
    collect(source, 1, until=lambda: orjson.loads(source.cursor or "{}").get("time_us") == wanted)


def test_a_server_whose_clock_is_far_ahead_does_not_move_the_cursor_there(server: WebSocketServer) -> None:
    server.talks.append(say(event(10_000_000)))
    source = open_source(server)
    collect(source, 1)
    assert orjson.loads(source.cursor or "")["time_us"] < MICROSECONDS + 61_000_000


def test_only_wanted_words_and_languages_are_taken(server: WebSocketServer) -> None:
    server.talks.append(
        say(
            event(1, "lunch"),
            event(2, "Wile & Sons, again", langs=["de"]),
            event(3, "wile & sons, again"),
            event(4, "all of wile", langs=["en-GB"]),
            event(5, "$ACME without language", langs=[]),
        )
    )
    source = open_source(server, keywords=("Wile & Sons",), languages=("en",))
    assert texts(collect(source, 2)) == ["wile & sons, again", "$ACME without language"]


def test_links_are_whole_though_the_text_shows_them_cut(server: WebSocketServer) -> None:
    text = "caf\u00e9 $ACME example.com/a... end"
    start = text.encode().index(b"example")
    facet = {
        "index": {"byteStart": start, "byteEnd": start + len("example.com/a...")},
        "features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://example.com/a/long/one"}],
    }
    card = {"external": {"uri": "https://example.com/card", "title": "A title"}}
    bad = {"index": {"byteStart": 5, "byteEnd": 10**9}, "features": [{"uri": "https://bad.example"}]}
    server.talks.append(say(event(1, text, facets=[facet, bad, 7], embed=card)))
    (post,) = collect(open_source(server), 1)
    assert isinstance(post, RawPost)
    assert post.text == "caf\u00e9 $ACME https://example.com/a/long/one end https://example.com/card"


def test_what_is_no_new_post_is_passed_over_and_what_is_broken_is_said(server: WebSocketServer) -> None:
    deleted, updated, liked, no_record = event(1), event(2), event(3), event(4)
    deleted["commit"] = {"operation": "delete", "collection": "app.bsky.feed.post", "rkey": "x"}
    updated["commit"]["operation"] = "update"
    liked["commit"]["collection"] = "app.bsky.feed.like"
    del no_record["commit"]["record"]
    identity = {"did": "did:plc:x", "time_us": MICROSECONDS, "kind": "identity", "identity": {}}
    server.talks.append(
        say(deleted, updated, liked, identity, b'{"did": "did:plc', b"[1]", no_record, b'"x"', event(9))
    )
    items = collect(open_source(server), 5)
    assert [item.reason for item in items if isinstance(item, Unreadable)] == [Reason.UNDECODABLE] * 4
    assert len({item.position for item in items}) == 5
    assert isinstance(items[-1], RawPost)


@pytest.mark.parametrize("created", ["2099-01-01T00:00:00Z", "yesterday", None, 7, {}])
def test_a_time_that_cannot_be_is_replaced_by_the_servers(server: WebSocketServer, created: object) -> None:
    server.talks.append(say(event(1, createdAt=created)))
    (post,) = collect(open_source(server), 1)
    assert isinstance(post, RawPost)
    expected = datetime(1970, 1, 1, 0, 0, 7, tzinfo=UTC) if created == 7 else NOW + timedelta(seconds=1)
    assert post.published_at == expected


def test_a_message_that_is_too_large_is_not_taken(server: WebSocketServer) -> None:
    server.talks.append(say(event(1, "$ACME " + "x" * 50_000)))
    server.talks.append(say(event(2)))
    source = open_source(server, max_message_bytes=10_000)
    collect(source, 1, until=lambda: source.last_error is not None)
    assert "more than 10000 bytes" in str(source.last_error)
    assert texts(collect(source, 1)) == ["$ACME falls"]
    assert int(server.asked[0].query["maxMessageSizeBytes"][0]) < 10_000


def test_silence_ends_a_connection(server: WebSocketServer) -> None:
    settings = BlueskySettings(name="sky", url=f"{server.url}/subscribe", idle_seconds=0.6)
    source = BlueskySource(settings, INGEST, SystemClock(), chance=random.Random(1))
    collect(source, 1, until=lambda: source.last_error is not None)
    assert "sent nothing for 0.6 s" in str(source.last_error)


def test_a_message_that_drips_is_not_waited_for(server: WebSocketServer) -> None:
    def drip(connection: ServerConnection) -> None:
        def pieces() -> Iterator[str]:
            while not server.over.wait(0.05):
                yield "x"

        connection.send(pieces())

    server.talks.append(drip)
    settings = BlueskySettings(name="sky", url=f"{server.url}/subscribe", idle_seconds=0.6)
    source = BlueskySource(settings, INGEST, SystemClock(), chance=random.Random(1))
    collect(source, 1, until=lambda: source.last_error is not None)
    assert "sent nothing for 0.6 s" in str(source.last_error)


def test_a_live_source_gives_nothing_at_least_once_a_second(server: WebSocketServer) -> None:
    settings = BlueskySettings(name="sky", url=f"{server.url}/subscribe")
    reading = BlueskySource(settings, INGEST, SystemClock()).read()
    next(reading)
    started = time.monotonic()
    assert [next(reading), next(reading)] == [None, None]
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_ends_the_source_with_one_clear_line(server: WebSocketServer, status: int) -> None:
    server.refusals.append((status, {}))
    with pytest.raises(Misconfigured, match=f"refuses access \\({status}\\): look at the url of the source sky"):
        collect(open_source(server), 1)


@pytest.mark.parametrize("status", [429, 503])
def test_the_servers_wish_to_be_left_alone_is_honoured(server: WebSocketServer, status: int) -> None:
    server.refusals.append((status, {"Retry-After": "77"}))
    server.talks.append(say(event(1)))
    clock = ManualClock(NOW)
    settings = BlueskySettings(name="sky", url=f"{server.url}/subscribe")
    source = BlueskySource(settings, INGEST, clock, chance=random.Random(1))
    assert len(collect(source, 1)) == 1
    assert clock.monotonic() >= 77


def test_a_private_address_is_refused(server: WebSocketServer) -> None:
    with pytest.raises(Failed, match="no public address"):
        collect(open_source(server, IngestSettings()), 1)
    assert not server.asked


def test_a_redirect_is_not_followed(server: WebSocketServer) -> None:
    server.refusals.append((302, {"Location": f"{server.url}/secret?x=1"}))
    with pytest.raises(Failed, match=r"redirects to .*secret', which is not followed"):
        collect(open_source(server), 1)
    assert len(server.asked) == 1


@pytest.mark.parametrize("url", ["http://example.com/", "wss://", "example.com", "ws://a b/", "ws://x:y/"])
def test_an_address_that_is_none_is_said_at_once(url: str) -> None:
    with pytest.raises(Misconfigured, match="is no address"):
        BlueskySource(BlueskySettings(name="sky", url=url), INGEST, SystemClock())

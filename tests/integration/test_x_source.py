"""X from a local server: its rules, and its stream of lines."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from bearometer.clock import Clock, ManualClock, SystemClock
from bearometer.errors import Failed, Misconfigured, Reason
from bearometer.settings import IngestSettings
from bearometer.stream_source_settings import XSettings
from ingest.source import RawPost, Unreadable
from ingest.x import XSource
from tests.stream_servers import Asked, HttpServer, collect, reply

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
INGEST = IngestSettings(allow_private_addresses=True, fetch_timeout_seconds=3.0)
STREAM, RULES = "/2/tweets/search/stream", "/2/tweets/search/stream/rules"
RULE = "$ACME lang:en"
TAG = "bearometer:x"


class Rules:
    """The rules of an application, as X keeps them."""

    def __init__(self, *rules: dict[str, str]) -> None:
        self.kept = list(rules)
        self.changes: list[dict[str, Any]] = []

    def __call__(self, request: BaseHTTPRequestHandler, asked: Asked) -> None:
        if asked.method == "GET":
            data = {"data": self.kept} if self.kept else {}
            reply(200, orjson.dumps({**data, "meta": {"sent": "2026-03-02T12:00:00Z"}}))(request, asked)
            return
        change = orjson.loads(asked.body)
        self.changes.append(change)
        errors = []
        for rule in change.get("add", []):
            if "(" in rule["value"] and ")" not in rule["value"]:
                wrong = {"title": "UnprocessableEntity", "details": ["missing )\nat the end"], "value": rule["value"]}
                errors.append(wrong)
            else:
                self.kept.append({"id": str(100 + len(self.kept)), **rule})
        gone = change.get("delete", {}).get("ids", [])
        self.kept = [rule for rule in self.kept if rule["id"] not in gone]
        reply(400 if errors else 201, orjson.dumps({"errors": errors} if errors else {"meta": {}}))(request, asked)


def post(number: int, text: str = "$ACME falls", **fields: object) -> dict[str, Any]:
    return {
        "data": {
            "id": str(number),
            "author_id": "7",
            "created_at": (NOW + timedelta(seconds=number)).isoformat().replace("+00:00", ".000Z"),
            "edit_history_tweet_ids": [str(number)],
            "lang": "en",
            "public_metrics": {"retweet_count": 1, "reply_count": 2, "like_count": 3, "quote_count": 4},
            "text": text,
            **fields,
        },
        "includes": {"users": [{"id": "7", "username": "ann", "public_metrics": {"followers_count": 12}}]},
        "matching_rules": [{"id": "1", "tag": TAG}],
    }


def lines(*messages: dict[str, Any]) -> bytes:
    return b"".join(orjson.dumps(message) + b"\r\n" for message in messages)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        running.on(RULES, Rules({"id": "1", "value": RULE, "tag": TAG}))
        yield running


def open_source(
    server: HttpServer,
    ingest: IngestSettings = INGEST,
    clock: Clock | None = None,
    dry_run: bool = False,
    **fields: object,
) -> XSource:
    known = {"name": "x", "bearer_token": SecretStr("geheim"), "rules": (RULE,), "api_url": server.url}
    settings = XSettings.model_validate(known | fields)
    return XSource(settings, ingest, clock or ManualClock(NOW), dry_run=dry_run, chance=random.Random(1))


def ids(items: list[RawPost | Unreadable]) -> list[str]:
    return [str(item.native_id) for item in items if isinstance(item, RawPost)]


def test_a_post_comes_with_all_that_is_known_of_it(server: HttpServer) -> None:
    server.on(STREAM, server.events(b"\r\n", lines(post(1)), b"\r\n"))
    (item,) = collect(open_source(server), 1)
    assert item == RawPost(
        text="$ACME falls",
        published_at=NOW + timedelta(seconds=1),
        position="x, post 1",
        native_id="1",
        author="ann",
        followers=12,
        url="https://x.com/ann/status/1",
        language="en",
        engagement=10,
    )
    assert server.asked[-1].headers["authorization"] == "Bearer geheim"
    assert "backfill_minutes" not in server.asked[-1].query


def test_lines_may_be_cut_anywhere(server: HttpServer) -> None:
    body = lines(post(1), post(2)) + b"\r\n\r\n" + lines(post(3, "caf\u00e9"))
    server.on(STREAM, server.events(*(body[place : place + 11] for place in range(0, len(body), 11))))
    assert ids(collect(open_source(server), 3)) == ["1", "2", "3"]


def test_rules_are_made_those_of_the_settings_and_those_of_others_are_left_alone(server: HttpServer) -> None:
    rules = Rules(
        {"id": "1", "value": RULE, "tag": TAG},
        {"id": "2", "value": "old", "tag": TAG},
        {"id": "3", "value": "theirs", "tag": "other"},
        {"id": "4", "value": "shared", "tag": "other"},
    )
    server.on(RULES, rules)
    theirs, shared, new = post(1), post(2), post(3)
    theirs["matching_rules"] = [{"id": "3", "tag": "other"}]
    shared["matching_rules"] = [{"id": "4", "tag": "other"}]
    new["matching_rules"] = [{"id": 103}]
    server.on(STREAM, server.events(lines(theirs, shared, new)))
    source = open_source(server, rules=(RULE, "shared", "new"))
    assert ids(collect(source, 2)) == ["2", "3"]
    assert rules.changes == [{"delete": {"ids": ["2"]}}, {"add": [{"value": "new", "tag": TAG}]}]


def test_a_dry_run_reads_the_stream_and_changes_no_rule(server: HttpServer) -> None:
    rules = Rules({"id": "1", "value": RULE, "tag": TAG}, {"id": "2", "value": "old", "tag": TAG})
    server.on(RULES, rules)
    server.on(STREAM, server.events(lines(post(1))))
    assert ids(collect(open_source(server, rules=(RULE, "new"), dry_run=True), 1)) == ["1"]
    assert rules.changes == []


def test_a_rule_that_x_does_not_understand_is_named(server: HttpServer) -> None:
    with pytest.raises(Misconfigured, match=r"X does not take the rule '\(broken'.*missing \)") as caught:
        collect(open_source(server, rules=("(broken",)), 1)
    assert "\n" not in str(caught.value)


def test_a_connection_that_ends_is_renewed_with_backfill_and_nothing_comes_twice(server: HttpServer) -> None:
    server.on(STREAM, server.events(lines(post(1)), then="cut"), server.events(lines(post(1), post(2))))
    assert ids(collect(open_source(server, backfill_minutes=5), 2)) == ["1", "2"]
    asked = [each for each in server.asked if each.path == STREAM]
    assert "backfill_minutes" not in asked[0].query
    assert asked[1].query["backfill_minutes"] == ["5"]


def test_a_source_goes_on_where_a_killed_one_stopped(server: HttpServer) -> None:
    server.on(STREAM, server.events(lines(post(1), post(2))), server.events(lines(post(1), post(2), post(3))))
    first = open_source(server, backfill_minutes=2)
    first.resume(None)
    assert first.cursor is None
    collect(first, 2)
    second = open_source(server, backfill_minutes=2)
    second.resume(first.cursor)
    assert ids(collect(second, 1)) == ["3"]
    assert server.asked[-1].query["backfill_minutes"] == ["2"]


@pytest.mark.parametrize("cursor", ["", "{", "[]", "null", '{"seen": 7, "at": "soon"}', '{"at": 1}'])
def test_a_cursor_that_cannot_be_read_is_as_none(server: HttpServer, cursor: str) -> None:
    source = open_source(server)
    source.resume(cursor)
    assert source.cursor is None


def test_what_is_lost_for_want_of_backfill_is_said(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    server.on(STREAM, server.events(lines(post(1))))
    source = open_source(server, clock=ManualClock(NOW + timedelta(minutes=3)), backfill_minutes=1)
    source.resume(orjson.dumps({"at": NOW.isoformat(), "seen": []}).decode())
    collect(source, 1)
    assert "120 seconds without a connection is lost" in caplog.text


def test_long_posts_retweets_and_links_come_whole(server: HttpServer) -> None:
    urls = {"urls": [{"url": "https://t.co/a", "expanded_url": "https://example.com/report"}]}
    long = post(1, "cut\u2026", note_tweet={"text": "a long story https://t.co/a", "entities": urls})
    retweet = post(2, "RT @bob: $ACME fa\u2026", referenced_tweets=[{"type": "retweeted", "id": "99"}])
    retweet["includes"]["tweets"] = [{"id": "99", "text": "$ACME falls https://t.co/a", "entities": urls}]
    quote = post(3, "see https://t.co/a", entities=urls, referenced_tweets=[{"type": "quoted", "id": "99"}])
    server.on(STREAM, server.events(lines(long, retweet, quote)))
    texts = [item.text for item in collect(open_source(server), 3) if isinstance(item, RawPost)]
    assert texts == [
        "a long story https://example.com/report",
        "RT @bob: $ACME falls https://example.com/report",
        "see https://example.com/report",
    ]


def test_a_new_version_of_a_post_has_the_id_of_the_first(server: HttpServer) -> None:
    server.on(STREAM, server.events(lines(post(9), post(11, edit_history_tweet_ids=["9", "11"]))))
    assert ids(collect(open_source(server), 2)) == ["9", "9"]


def test_what_is_broken_is_said_and_the_rest_goes_on(server: HttpServer) -> None:
    broken = b'{"data": {"id\r\n[1]\r\n{"data": {}}\r\n'
    late = post(5, created_at="soon")
    server.on(STREAM, server.events(broken, lines(post(1, "x" * 20_000), late, post(2))))
    items = collect(open_source(server, max_message_bytes=10_000), 6)
    reasons = [item.reason for item in items if isinstance(item, Unreadable)]
    assert reasons == [Reason.UNDECODABLE] * 4 + [Reason.BAD_TIME]
    assert ids(items) == ["2"]
    assert len({item.position for item in items}) == 6


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ({"errors": [{"title": "operational-disconnect", "disconnect_type": "UpstreamOperationalDisconnect"}]}, 0),
        ({"title": "ConnectionException", "connection_issue": "TooManyConnections"}, 60),
    ],
)
def test_a_disconnection_that_x_announces_is_waited_out(
    server: HttpServer, message: dict[str, Any], seconds: float
) -> None:
    server.on(STREAM, server.events(lines(message)), server.events(lines(post(1))))
    clock = ManualClock(NOW)
    assert ids(collect(open_source(server, clock=clock), 1)) == ["1"]
    assert clock.monotonic() >= seconds


@pytest.mark.parametrize("path", [STREAM, RULES])
@pytest.mark.parametrize(
    ("status", "headers", "least"),
    [
        (429, {}, 60),
        (429, {"x_rate_limit_reset": str(int(NOW.timestamp()) + 500)}, 499),
        (429, {"x_rate_limit_reset": "soon"}, 60),
        (503, {"Retry_After": "77"}, 77),
    ],
)
def test_the_servers_wish_to_be_left_alone_is_honoured(
    server: HttpServer, path: str, status: int, headers: dict[str, str], least: float
) -> None:
    server.on(STREAM, server.events(lines(post(1))))
    server.on(path, reply(status, b"", **headers), server.answers[path][0])
    clock = ManualClock(NOW)
    assert ids(collect(open_source(server, clock=clock), 1)) == ["1"]
    assert least <= clock.monotonic() <= least + 10


@pytest.mark.parametrize("heard", [b"", b"x"])
def test_silence_ends_a_connection(server: HttpServer, heard: bytes) -> None:
    def drip(request: BaseHTTPRequestHandler, asked: Asked) -> None:
        del asked
        request.send_response(200)
        request.end_headers()
        while not server.over.wait(0.05):
            request.wfile.write(heard)

    server.on(STREAM, drip)
    source = open_source(server, clock=SystemClock(), idle_seconds=0.6)
    collect(source, 1, until=lambda: source.last_error is not None)
    assert "sent nothing for 0.6 s" in str(source.last_error)


@pytest.mark.parametrize("path", [STREAM, RULES])
@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_ends_the_source_with_one_clear_line(server: HttpServer, path: str, status: int) -> None:
    server.on(path, reply(status))
    with pytest.raises(Misconfigured, match=rf"refuses access \({status}\).*x\.bearer_token") as caught:
        collect(open_source(server), 1)
    assert "geheim" not in str(caught.value)


def test_half_an_answer_about_the_rules_is_asked_for_again(server: HttpServer) -> None:
    server.on(RULES, reply(200, b'{"data": [{"id'), server.answers[RULES][0])
    server.on(STREAM, server.events(lines(post(1))))
    assert ids(collect(open_source(server), 1)) == ["1"]


def test_a_private_address_is_refused(server: HttpServer) -> None:
    with pytest.raises(Failed, match="no public address"):
        collect(open_source(server, IngestSettings()), 1)
    assert not server.asked


@pytest.mark.parametrize("token", ["ge\nheim", "ge\u00e4heim", "ge\rheim"])
def test_a_token_that_no_header_can_hold_is_refused_and_not_shown(server: HttpServer, token: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        collect(open_source(server, bearer_token=SecretStr(token)), 1)
    assert "heim" not in str(caught.value)

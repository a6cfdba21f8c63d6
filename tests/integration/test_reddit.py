"""Reddit from a local server: its tokens, its listings and its limits."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from bearometer.clock import Clock, ManualClock
from bearometer.errors import BearometerError, Failed, Misconfigured
from bearometer.settings import IngestSettings
from bearometer.stream_source_settings import RedditSettings
from ingest.polled import PolledSource
from ingest.reddit import reddit_source
from ingest.source import RawPost, Unreadable
from tests.stream_servers import Answering, Asked, HttpServer, collect, reply

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
INGEST = IngestSettings(allow_private_addresses=True, fetch_timeout_seconds=3.0)
TOKEN, NEW, COMMENTS = "/api/v1/access_token", "/r/stocks+bonds/new", "/r/stocks+bonds/comments"


def token(name: str = "t0k3n") -> Answering:
    return reply(200, orjson.dumps({"access_token": name, "token_type": "bearer", "expires_in": 3600, "scope": "*"}))


def post(number: int, **fields: object) -> dict[str, Any]:
    return {
        "name": f"t3_{base36(number)}",
        "title": f"Acme falls {number}",
        "selftext": "",
        "is_self": True,
        "author": "ann",
        "created_utc": NOW.timestamp() + number,
        "permalink": f"/r/stocks/comments/{number}/acme/",
        "url": f"https://www.reddit.com/r/stocks/comments/{number}/acme/",
        "score": 5,
        "num_comments": 2,
        **fields,
    }


def comment(number: int, body: str = "It does", **fields: object) -> dict[str, Any]:
    known = {"name": f"t1_{base36(number)}", "body": body, "author": "bob", "score": -3}
    return {
        **known,
        "created_utc": NOW.timestamp() + number,
        "permalink": f"/r/stocks/comments/1/acme/{number}/",
        **fields,
    }


def base36(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def listing(*entries: dict[str, Any], after: str | None = None) -> bytes:
    return orjson.dumps({"kind": "Listing", "data": {"after": after, "children": [{"data": each} for each in entries]}})


def subreddit(entries: list[dict[str, Any]]) -> Answering:
    """A listing by pages of 100, the newest entry first."""

    def answer(request: BaseHTTPRequestHandler, asked: Asked) -> None:
        names = [each["name"] for each in entries]
        start = names.index(asked.query["after"][0]) + 1 if "after" in asked.query else 0
        page = entries[start : start + 100]
        more = start + 100 < len(entries)
        reply(200, listing(*page, after=page[-1]["name"] if more else None))(request, asked)

    return answer


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        running.on(TOKEN, token())
        running.on(NEW, reply(200, listing()))
        running.on(COMMENTS, reply(200, listing()))
        yield running


def open_source(
    server: HttpServer,
    ingest: IngestSettings = INGEST,
    clock: Clock | None = None,
    once: bool = False,
    **fields: object,
) -> PolledSource:
    known = {
        "name": "reddit",
        "subreddits": ("stocks", "bonds"),
        "client_id": SecretStr("id"),
        "client_secret": SecretStr("geheim"),
        "username": "ann",
        "api_url": server.url,
        "token_url": server.url + TOKEN,
    }
    settings = RedditSettings.model_validate(known | fields)
    return reddit_source(settings, ingest, clock or ManualClock(NOW), once=once, chance=random.Random(1))


def ids(items: list[RawPost | Unreadable]) -> list[str]:
    return [str(item.native_id) for item in items if isinstance(item, RawPost)]


def test_posts_and_comments_come_with_all_that_is_known_of_them(server: HttpServer) -> None:
    link = {"is_self": False, "url": "https://example.com/report"}
    server.on(NEW, reply(200, listing(post(2, **link), post(1, selftext="By 10 %."))))
    server.on(COMMENTS, reply(200, listing(comment(7))))
    first, second, third = collect(open_source(server), 3)
    assert isinstance(first, RawPost) and isinstance(second, RawPost) and isinstance(third, RawPost)
    assert first.text == "Acme falls 1. By 10 %."
    assert first.native_id == "t3_1"
    assert first.author == "ann"
    assert first.url == "https://www.reddit.com/r/stocks/comments/1/acme/"
    assert first.engagement == 7
    assert first.published_at == datetime.fromtimestamp(NOW.timestamp() + 1, UTC)
    assert second.text == "Acme falls 2 https://example.com/report"
    assert (third.text, third.native_id, third.engagement) == ("It does", "t1_7", 0)
    asking, listed = server.asked[:2]
    assert asking.method == "POST"
    assert asking.body == b"grant_type=client_credentials"
    assert asking.headers["authorization"] == "Basic aWQ6Z2VoZWlt"
    assert listed.headers["authorization"] == "Bearer t0k3n"
    assert listed.headers["user-agent"].endswith("(by /u/ann)")


def test_one_token_serves_until_it_ends(server: HttpServer) -> None:
    clock = ManualClock(NOW)
    collect(open_source(server, clock=clock), 1, until=lambda: clock.monotonic() > 3_000)
    assert server.paths().count(TOKEN) == 1
    collect(open_source(server, clock=clock), 1, until=lambda: clock.monotonic() > 7_500)
    assert server.paths().count(TOKEN) == 3


def test_a_token_that_was_withdrawn_is_renewed_once(server: HttpServer) -> None:
    server.on(TOKEN, token("old"), token("new"))

    def refuse_old(request: BaseHTTPRequestHandler, asked: Asked) -> None:
        good = asked.headers["authorization"] == "Bearer new"
        reply(200 if good else 401, listing(post(1)) if good else b"{}")(request, asked)

    server.on(NEW, refuse_old)
    assert ids(collect(open_source(server), 1)) == ["t3_1"]


def test_the_first_start_takes_one_page_and_a_later_one_goes_back_to_what_is_known(server: HttpServer) -> None:
    entries = [post(number) for number in range(150, 0, -1)]
    server.on(NEW, subreddit(entries))
    first = open_source(server, comments=False, once=True)
    assert len([item for item in first.read() if item]) == 100
    entries[:0] = [post(number) for number in range(400, 150, -1)]
    second = open_source(server, comments=False, once=True)
    second.resume(first.cursor)
    given = ids([item for item in second.read() if item])
    assert sorted(given) == sorted(f"t3_{base36(number)}" for number in range(151, 401))


@pytest.mark.parametrize("killed_after", [1, 99, 100, 101, 150, 200, 249])
def test_a_walk_back_that_is_killed_loses_nothing_and_repeats_nothing(server: HttpServer, killed_after: int) -> None:
    entries = [post(number) for number in range(50, 0, -1)]
    server.on(NEW, subreddit(entries))
    first = open_source(server, comments=False, once=True)
    assert len([item for item in first.read() if item]) == 50
    entries[:0] = [post(number) for number in range(300, 50, -1)]
    second = open_source(server, comments=False)
    second.resume(first.cursor)
    given = ids(collect(second, killed_after))
    entries.insert(0, post(301))
    third = open_source(server, comments=False)
    third.resume(second.cursor)
    given += ids(collect(third, 251 - killed_after))
    assert sorted(given) == sorted(f"t3_{base36(number)}" for number in range(51, 302))


def test_a_deleted_last_entry_does_not_stop_the_source(server: HttpServer) -> None:
    entries = [post(2), post(1)]
    server.on(NEW, subreddit(entries))
    first = open_source(server, comments=False)
    collect(first, 2)
    del entries[0]
    entries.insert(0, post(3))
    second = open_source(server, comments=False)
    second.resume(first.cursor)
    assert ids(collect(second, 1)) == ["t3_3"]


def test_an_entry_that_shows_up_late_in_the_middle_is_given_and_the_others_are_not_given_again(
    server: HttpServer,
) -> None:
    entries = [post(4), post(2), post(1)]
    server.on(NEW, subreddit(entries))
    clock = ManualClock(NOW)
    first = open_source(server, clock=clock, comments=False)
    assert sorted(ids(collect(first, 3))) == ["t3_1", "t3_2", "t3_4"]
    entries.insert(1, post(3))  # a moderator let it in
    second = open_source(server, clock=clock, comments=False)
    second.resume(first.cursor)
    entries.insert(0, post(5))
    assert ids(collect(second, 2)) == ["t3_3", "t3_5"]
    asked = len(server.asked)
    assert ids(collect(second, 1, until=lambda: len(server.asked) > asked + 2)) == []


def test_what_nobody_says_is_left_out(server: HttpServer) -> None:
    server.on(NEW, reply(200, listing(post(3, author="[deleted]"), post(2, title="[removed]"), {"x": 1})))
    server.on(
        COMMENTS,
        reply(200, listing(comment(4, "[removed]"), comment(3, "I am a bot", author="AutoModerator"), comment(2))),
    )
    items = collect(open_source(server), 2)
    assert ids(items) == ["t3_3", "t1_2"]
    assert isinstance(items[0], RawPost) and items[0].author is None


def test_a_broken_entry_is_said_and_the_rest_goes_on(server: HttpServer) -> None:
    server.on(NEW, reply(200, listing(post(3), post(2, created_utc="soon"), post(1))))
    items = collect(open_source(server), 3)
    assert sorted(ids(items)) == ["t3_1", "t3_3"]
    assert sum(isinstance(item, Unreadable) for item in items) == 1


def test_a_long_post_is_cut(server: HttpServer) -> None:
    server.on(NEW, reply(200, listing(post(1, selftext="x" * 40_000))))
    (item,) = collect(open_source(server), 1)
    assert isinstance(item, RawPost) and len(item.text) == INGEST.max_text_chars


def test_when_the_periods_requests_are_used_up_its_end_is_waited_for(server: HttpServer) -> None:
    used = {"X-Ratelimit-Remaining": "1.0", "X-Ratelimit-Used": "599", "X-Ratelimit-Reset": "432"}
    server.on(NEW, reply(200, listing(post(1)), **used), reply(200, listing(post(2), post(1))))
    clock = ManualClock(NOW)
    source = open_source(server, clock=clock, comments=False)
    assert ids(collect(source, 2)) == ["t3_1", "t3_2"]
    assert clock.monotonic() >= 432


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("path", [TOKEN, NEW])
def test_the_servers_wish_to_be_left_alone_is_honoured(server: HttpServer, path: str, status: int) -> None:
    server.on(NEW, reply(200, listing(post(1))))
    server.on(path, reply(status, Retry_After="77"), server.answers[path][0])
    clock = ManualClock(NOW)
    assert ids(collect(open_source(server, clock=clock), 1)) == ["t3_1"]
    assert clock.monotonic() >= 77


@pytest.mark.parametrize(
    "broken", [b'{"kind": "Listing", "data": {"chil', b"[]", b"", b"<html>", b'{"data": {"children": 7}}']
)
def test_half_an_answer_is_asked_for_again(server: HttpServer, broken: bytes) -> None:
    server.on(NEW, reply(200, broken), reply(200, listing(post(1))))
    source = open_source(server)
    collect(source, 1, until=lambda: source.last_error is not None)
    assert ids(collect(open_source(server), 1)) == ["t3_1"]


@pytest.mark.parametrize(
    ("path", "answer", "error", "says"),
    [
        (TOKEN, reply(401), Misconfigured, "client_secret"),
        (TOKEN, reply(200, b'{"error": "unsupported_grant_type"}'), Misconfigured, "unsupported_grant_type"),
        (NEW, reply(401), Misconfigured, "client_secret"),
        (NEW, reply(403), Misconfigured, "subreddits"),
        (NEW, reply(404), Failed, "answers 404"),
        (NEW, reply(302, Location="/subreddits/search"), Failed, "redirects"),
    ],
)
def test_a_refusal_ends_the_source_with_one_clear_line(
    server: HttpServer, path: str, answer: Answering, error: type[BearometerError], says: str
) -> None:
    server.on(path, answer)
    with pytest.raises(error, match=says) as caught:
        collect(open_source(server), 1)
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_private_address_is_refused(server: HttpServer) -> None:
    with pytest.raises(Failed, match="no public address"):
        collect(open_source(server, IngestSettings()), 1)
    assert not server.asked


def test_secrets_may_stand_in_the_environment(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Misconfigured, match=r"ingest\.sources\.reddit\.client_secret.*REDDIT_SECRET"):
        open_source(server, client_secret=SecretStr("env:REDDIT_SECRET"))
    monkeypatch.setenv("REDDIT_SECRET", "geheim")
    collect(open_source(server, client_secret=SecretStr("env:REDDIT_SECRET")), 1, until=lambda: bool(server.asked))
    assert server.asked[0].headers["authorization"] == "Basic aWQ6Z2VoZWlt"

"""What each kind of polled source makes of its site's answers, over real HTTP."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bearometer.clock import ManualClock
from bearometer.errors import Failed, Misconfigured
from bearometer.source_settings import (
    JsonSettings,
)
from ingest.fetch import FeedFetcher, Validators
from ingest.source import Unreadable
from ingest.sources import build_source
from tests.polled_kinds import (
    INGEST,
    INTERVAL,
    NOW,
    edgar,
    gdelt,
    go_on,
    hackernews,
    json_pages,
    open_kind,
    stocktwits,
    take,
)
from tests.source_server import Asked, SourceServer, as_json, reply
from tests.source_sites import Edgar, Gdelt, HackerNews, StockTwits


@pytest.fixture
def server() -> Iterator[SourceServer]:
    with SourceServer() as running:
        yield running


def test_entries_that_are_no_posts_are_named_once_and_hold_up_nothing(server: SourceServer) -> None:
    good = {"n": 3, "body": {"plain": "Harbor Mills opens a plant"}, "at": 1_772_452_800}
    server.answer = as_json({"data": {"posts": [7, {"n": 1}, {"n": 2, "body": {"plain": "x"}, "at": "soon"}, good]}})
    clock = ManualClock(NOW)
    source = open_kind(json_pages(), server, clock)
    items = [each for each in go_on(source.read(), clock, 3 * INTERVAL) if each is not None]
    assert len(server.asked) >= 3
    bad = [item for item in items if isinstance(item, Unreadable)]
    assert [str(item.reason) for item in bad] == ["undecodable", "no_text", "bad_time"]
    assert len({item.position for item in items}) == len(items) == 4


def test_a_filing_is_told_with_its_items_and_the_symbols_of_all_its_filers(server: SourceServer) -> None:
    kind = edgar()
    assert isinstance(kind.site, Edgar)
    server.answer = kind.site
    kind.site.publish(1)
    accession, form, _, _, at = kind.site.filings[0]
    kind.site.filings.append((accession, form, "NORTHWIND CORP", 7654321, at))
    clock = ManualClock(NOW)
    (post,) = take(open_kind(kind, server, clock), clock, 5)
    assert post.native_id == accession
    assert set(post.symbols) == {"HBRM", "NTHW"}
    assert "filed form 8-K. Item 2.02: Results of Operations and Financial Condition Item 9.01" in post.text
    assert post.published_at == datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
    assert post.url is not None
    assert post.url.startswith("https://www.sec.gov/Archives/edgar/data/7654321/")
    agents = {asked.headers["user-agent"] for asked in server.asked}
    assert all(agent.startswith("bearometer/") and agent.endswith("Ann ann@example.com") for agent in agents)


def test_an_xml_bomb_is_refused_unread(server: SourceServer) -> None:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE feed [<!ENTITY a0 "boom">{entities}]><feed xmlns="http://www.w3.org/2005/Atom">&a11;</feed>'
    kind = edgar()

    def answer(asked: Asked) -> None:
        (kind.site if "tickers" in asked.path else reply(200, bomb.encode()))(asked)

    server.answer = answer
    source = open_kind(kind, server)
    assert next(source.read()) is None
    assert "document type" in (source.last_error or "")


def test_an_article_has_its_time_language_and_domain(server: SourceServer) -> None:
    # As GDELT writes it: a lone backslash, marks set off by blanks.
    body = (
        b'{"articles": [{"url": "https://news.example/1", "title": "Harbor Mills \\ Sons , in trouble !",'
        b'"seendate": "20260302T114500Z", "domain": "news.example", "language": "German"}]}'
    )
    server.answer = reply(200, body.replace(b"\\\\", b"\\"))
    clock = ManualClock(NOW)
    (post,) = take(open_kind(gdelt(), server, clock), clock, 5)
    assert (post.native_id, post.author, post.language) == ("https://news.example/1", "news.example", "de")
    assert post.text == "Harbor Mills \\ Sons, in trouble!"
    assert post.published_at == NOW - timedelta(minutes=15)


def test_what_gdelt_says_of_a_query_is_passed_on_and_a_wish_for_patience_is_heeded(server: SourceServer) -> None:
    server.answer = reply(200, b"Your search contained a phrase that was too short.\n")
    with pytest.raises(Failed, match="a phrase that was too short"):
        next(open_kind(gdelt(), server).read())
    server.answer = reply(200, b"Please limit requests to one every 5 seconds.")
    source = open_kind(gdelt(), server)
    assert next(source.read()) is None
    assert "limit requests" in (source.last_error or "")


def test_more_articles_of_one_moment_than_an_answer_holds_do_not_stop_the_rest(server: SourceServer) -> None:
    kind = gdelt()
    assert isinstance(kind.site, Gdelt)
    server.answer = kind.site
    seen = NOW - timedelta(minutes=30)
    kind.site.articles = [(seen, f"Harbor Mills opens plant {number}") for number in range(300)]
    kind.site.articles.append((seen + timedelta(minutes=15), "Northwind closes"))
    clock = ManualClock(NOW)
    posts = take(open_kind(kind, server, clock), clock, 50)
    assert posts[-1].text == "Northwind closes"
    assert len(posts) == 251


def test_a_comment_is_its_text_and_an_item_its_page(server: SourceServer) -> None:
    kind = hackernews()
    assert isinstance(kind.site, HackerNews)
    at = int(NOW.timestamp()) - 60
    kind.site.items = [
        (1, at, {"title": "Ask HN: Harbor Mills?", "story_text": "<p>Is it <i>any</i> good", "points": 3}),
        (2, at + 1, {"title": None, "comment_text": "Harbor Mills is not.", "story_title": "Ask HN", "points": None}),
    ]
    server.answer = kind.site
    clock = ManualClock(NOW)
    story, comment = take(open_kind(kind, server, clock), clock, 5)
    assert " ".join(story.text.split()) == "Ask HN: Harbor Mills? Is it any good"
    assert (story.url, story.engagement) == ("https://news.ycombinator.com/item?id=1", 3)
    assert (comment.text, comment.native_id, comment.author) == ("Harbor Mills is not.", "2", "ann")
    assert server.asked[0].query["tags"] == "(story,comment)"


def test_a_message_in_two_streams_is_one_post(server: SourceServer) -> None:
    kind = stocktwits()
    assert isinstance(kind.site, StockTwits)
    server.answer = kind.site
    kind.site.streams = {"HBRM": [(7, "$HBRM and $NTHW fall")], "NTHW": [(7, "$HBRM and $NTHW fall")]}
    clock = ManualClock(NOW)
    (post,) = take(open_kind(kind, server, clock), clock, 50)
    assert (post.native_id, post.followers, post.engagement, post.author) == ("7", 42, 3, "ann")
    assert post.url == "https://stocktwits.com/ann/message/7"


def test_secrets_come_from_the_environment_stay_with_their_server_and_are_not_shown(
    server: SourceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = JsonSettings.model_validate(
        {"name": "own", "url": f"{server.url}/posts", "params": {"key": "env:OWN_KEY"}, "headers": {"X-Key": "hush"}}
    )
    with pytest.raises(Misconfigured, match=r"ingest\.sources\.own\.params\.key.*OWN_KEY, which is not set"):
        build_source(settings, INGEST, ManualClock(NOW))
    monkeypatch.setenv("OWN_KEY", "shush")
    with SourceServer(as_json([])) as elsewhere:
        server.answer = reply(302, Location=f"{elsewhere.url}/moved")
        list(build_source(settings, INGEST, ManualClock(NOW), once=True).read())
        assert server.asked[0].query["key"] == "shush"
        assert server.asked[0].headers["x-key"] == "hush"
        assert "x-key" not in elsewhere.asked[0].headers
    server.answer = reply(403)
    with pytest.raises(Failed) as caught:
        list(build_source(settings, INGEST, ManualClock(NOW), once=True).read())
    assert "hush" not in str(caught.value) + repr(settings)


@pytest.mark.parametrize("header", [{"X-Key": "hush "}, {"X-Key": " hush"}, {"X Key": "hush"}, {"X-Key": "hush\n"}])
def test_a_header_that_no_request_can_hold_is_refused_without_its_value(
    server: SourceServer, header: dict[str, str]
) -> None:
    settings = JsonSettings.model_validate({"name": "own", "url": f"{server.url}/posts", "headers": header})
    with pytest.raises(Misconfigured, match=r"ingest\.sources\.own\.headers") as caught:
        build_source(settings, INGEST, ManualClock(NOW))
    assert "hush" not in str(caught.value)


def test_a_secret_that_cannot_be_sent_is_not_quoted(server: SourceServer) -> None:
    with FeedFetcher(INGEST, ManualClock(NOW)) as fetcher, pytest.raises(Failed, match="cannot be sent") as caught:
        fetcher.fetch(server.url, Validators(), private_headers={"Authorization": "Bearer hush "})
    assert "hush" not in str(caught.value)


def test_an_unchanged_answer_is_not_sent_again(server: SourceServer) -> None:
    posts = [{"id": 1, "text": "Harbor Mills opens a plant", "created_at": "2026-03-02T11:00:00Z"}]

    def answer(asked: Asked) -> None:
        (reply(304) if asked.headers.get("if-none-match") == '"v1"' else as_json(posts, ETag='"v1"'))(asked)

    server.answer = answer
    clock = ManualClock(NOW)
    settings = JsonSettings(name="own", url=f"{server.url}/posts", interval_seconds=INTERVAL, symbols=("HBRM",))
    (post,) = take(build_source(settings, INGEST, clock), clock, 3 * INTERVAL)
    assert post.symbols == ("HBRM",)
    assert [asked.headers.get("if-none-match") for asked in server.asked][:3] == [None, '"v1"', '"v1"']


def test_an_answer_that_was_not_used_to_its_end_is_asked_for_again(server: SourceServer) -> None:
    cut = reply(200, json.dumps([{"id": 1}]).encode()[:-4], ETag='"v1"')
    whole = as_json([{"id": 1, "text": "Harbor Mills falls", "created_at": 1_772_452_800}], ETag='"v1"')

    def answer(asked: Asked) -> None:
        assert "if-none-match" not in asked.headers
        (cut if len(server.asked) == 1 else whole)(asked)

    server.answer = answer
    clock = ManualClock(NOW)
    settings = JsonSettings(name="own", url=f"{server.url}/posts", interval_seconds=INTERVAL)
    assert len(take(build_source(settings, INGEST, clock), clock, 1.3 * INTERVAL)) == 1


def test_the_greatest_value_of_the_items_can_be_the_cursor(server: SourceServer) -> None:
    def answer(asked: Asked) -> None:
        after = int(asked.query.get("since", 0))
        as_json([{"id": n, "text": f"plant {n}", "created_at": 1_772_452_800} for n in (9, 10) if n > after])(asked)

    server.answer = answer
    clock = ManualClock(NOW)
    settings = JsonSettings(name="own", url=server.url, cursor_param="since", cursor_field="id", interval_seconds=50)
    assert len(take(build_source(settings, INGEST, clock), clock, 120)) == 2
    assert [asked.query.get("since") for asked in server.asked[:3]] == [None, "10", "10"]

"""Feeds of every format, and feeds as nobody should write them: posts or one clear line, never a crash."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bearometer.clock import ManualClock
from bearometer.errors import Failed
from bearometer.post import Post
from bearometer.settings import FeedSettings, IngestSettings
from ingest.normalise import normalise_all
from ingest.rss import RssSource
from ingest.source import RawPost
from tests.source_server import SourceServer, reply

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ENTITIES = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))


@pytest.fixture
def server() -> Iterator[SourceServer]:
    with SourceServer() as running:
        yield running


def open_feed(server: SourceServer, body: bytes) -> tuple[RssSource, IngestSettings]:
    server.answer = reply(200, body, Content_Type="application/xml")
    settings = IngestSettings(
        feeds=(FeedSettings(url=f"{server.url}/feed", name="feed"),),
        allow_private_addresses=True,
        max_feed_bytes=20_000_000,
    )
    return RssSource(settings, ManualClock(NOW), once=True), settings


def read(server: SourceServer, body: bytes) -> list[Post]:
    source, settings = open_feed(server, body)
    return [post for post in normalise_all(source, settings, ManualClock(NOW)) if isinstance(post, Post)]


def rss(*items: str) -> bytes:
    return f"<rss version='2.0'><channel><title>News</title>{''.join(items)}</channel></rss>".encode()


FORMATS = {
    "RSS 0.91": b"""<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN"
        "http://my.netscape.com/publish/formats/rss-0.91.dtd"><rss version="0.91"><channel><title>News</title>
        <item><title>Harbor Mills falls</title><link>http://e.example/1</link></item></channel></rss>""",
    "RSS 0.92": b"""<rss version="0.92"><channel><item><description>Harbor Mills falls</description></item>
        </channel></rss>""",
    "RSS 1.0": b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
        xmlns:dc="http://purl.org/dc/elements/1.1/">
        <item rdf:about="http://e.example/1"><title>Harbor Mills falls</title>
        <link>http://e.example/1</link><dc:date>2026-03-02T11:00:00Z</dc:date></item></rdf:RDF>""",
    "RSS 2.0": rss("<item><guid>1</guid><title>Harbor Mills falls</title></item>"),
    "Atom 0.3": b"""<feed version="0.3" xmlns="http://purl.org/atom/ns#"><entry><id>1</id>
        <title>Harbor Mills falls</title><issued>2026-03-02T11:00:00Z</issued></entry></feed>""",
    "Atom 1.0": b"""<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id>
        <title type="html">Harbor &lt;b>Mills&lt;/b>
        falls</title><updated>2026-03-02T11:00:00Z</updated></entry></feed>""",
    "CDF": b"""<CHANNEL HREF="http://e.example/">
        <ITEM HREF="http://e.example/1"><TITLE>Harbor Mills falls</TITLE></ITEM>
        </CHANNEL>""",
}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read(server: SourceServer, kind: str) -> None:
    (post,) = read(server, FORMATS[kind])
    assert post.text == "Harbor Mills falls"


TITLE = "<title>Harbor Mills falls {}</title>"
HOSTILE = {
    "bad dates": (rss(f"<item><guid>1</guid>{TITLE}<pubDate>the day after</pubDate></item>"), 1),
    "dates of another age": (rss(f"<item>{TITLE}<pubDate>Mon, 01 Jan 0001 00:00:00 GMT</pubDate></item>"), 0),
    "dates past all calendars": (rss(f"<item>{TITLE}<pubDate>Mon, 99 Foo 99999 99:99:99 +9999</pubDate></item>"), 1),
    "neither id nor link": (rss(*(f"<item>{TITLE.format(n)}</item>" for n in range(3))), 3),
    "one id for all": (rss(*(f"<item><guid>1</guid>{TITLE.format(n)}</item>" for n in range(3))), 1),
    "relative links": (rss(f"<item>{TITLE}<link>../../etc/passwd</link></item>"), 1),
    "scripts for links": (rss(f"<item>{TITLE}<link>javascript:alert(1)</link></item>"), 1),
    "no text": (rss("<item><guid>1</guid></item>", f"<item><guid>2</guid>{TITLE}</item>"), 1),
    "latin-1 that says UTF-8": (
        b'<?xml version="1.0" encoding="utf-8"?>' + rss(f"<item>{TITLE}</item>").replace(b"{}", b"caf\xe9"),
        1,
    ),
    "an encoding that does not exist": (b'<?xml version="1.0" encoding="x-none"?>' + rss(f"<item>{TITLE}</item>"), 1),
    "UTF-16": (('<?xml version="1.0" encoding="utf-16"?>' + rss(f"<item>{TITLE}</item>").decode()).encode("utf-16"), 1),
    "zeros": (rss(f"<item>{TITLE}</item>").replace(b"falls", b"fa\0lls"), 1),
    "cut off": (rss(f"<item><guid>1</guid>{TITLE}</item>", f"<item><guid>2</guid>{TITLE}")[:120], None),
    "tags that never close": (rss("<item><title>" + "<b>" * 20_000 + "</title></item>"), None),
    "nested deeply": (rss("<item>" * 5_000), None),
    "a huge number for a character": (rss(f"<item>{TITLE}</item>").replace(b"{}", b"&#99999999999;"), None),
    "an id of a megabyte": (rss(f"<item><guid>{'x' * 1_000_000}</guid>{TITLE}</item>", f"<item>{TITLE}</item>"), 1),
    "a web page": (b"<html><body><h1>Please log in</h1></body></html>", None),
    "nothing": (b"", None),
    "noise": (bytes(range(256)) * 100, None),
    "a bomb of entities": (
        f"<!DOCTYPE rss [<!ENTITY a0 'boom'>{ENTITIES}]>".encode() + rss("<item>&a11;</item>"),
        None,
    ),
    "an entity that is a file": (
        b"<!DOCTYPE rss [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" + rss("<item><title>a &a; b</title></item>"),
        None,
    ),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_wrong_costs_an_entry_or_is_told_in_one_line(server: SourceServer, what: str) -> None:
    body, expected = HOSTILE[what]
    started = time.process_time()
    try:
        posts = read(server, body)
    except Failed as error:
        assert expected is None, error
        assert "\n" not in str(error)
    else:
        assert expected is None or len({post.id for post in posts}) == expected
        assert all(post.url is None or post.url.startswith("http") for post in posts)
        assert not any("root:" in post.text for post in posts)
    assert time.process_time() - started < 10


def test_ten_thousand_entries_are_all_given_and_not_given_again(server: SourceServer) -> None:
    body = rss(*(f"<item><guid>{n}</guid><title>x</title></item>" for n in range(10_000)))
    source, _ = open_feed(server, body)
    assert len({item.native_id for item in source.read() if isinstance(item, RawPost)}) == 10_000
    assert not any(source.read())

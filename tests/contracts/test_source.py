"""What every source does, on each of them."""

import functools
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bearometer.clock import ManualClock
from bearometer.errors import Reason
from bearometer.settings import FeedSettings, IngestSettings
from bearometer.source_settings import FileSettings, JsonSettings
from ingest.normalise import normalise
from ingest.replay import ReplaySource
from ingest.rss import RssSource
from ingest.source import RawPost, Resumable, Source, Unreadable
from ingest.sources import build_source
from tests.source_server import SourceServer, as_json
from tests.unit.ingest.fakes import ListSource

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOW = START + timedelta(days=1)
TEXTS = ["Acme falls", "Wile & Sons recover", "Caf\u00e9 opens \U0001f600"]
TURNS = 200

OpenSource = Callable[[], Source]


def moment(number: int) -> datetime:
    return START + timedelta(minutes=number)


@pytest.fixture
def replay(tmp_path: Path) -> OpenSource:
    path = tmp_path / "posts.jsonl"
    rows = [
        json.dumps({"id": str(number), "created_at": moment(number).isoformat(), "text": text})
        for number, text in enumerate(TEXTS)
    ]
    path.write_text("\n".join([*rows[:2], "{broken", *rows[2:]]))
    return lambda: ReplaySource(path, IngestSettings(), ManualClock(NOW), speed=60.0)


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[OpenSource]:
    items = "".join(
        f"<item><guid>{number}</guid><title>{text.replace('&', '&amp;')}</title>"
        f"<pubDate>{moment(number):%a, %d %b %Y %H:%M:%S} GMT</pubDate></item>"
        for number, text in enumerate(TEXTS)
    )
    rss = f"<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel>{items}</channel></rss>"
    (tmp_path / "feed.rss").write_text(rss, encoding="utf-8")
    serve = functools.partial(QuietServer, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/feed.rss"
    settings = IngestSettings(feeds=(FeedSettings(url=url),), allow_private_addresses=True)
    yield lambda: RssSource(settings, ManualClock(NOW))
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def polled() -> Iterator[OpenSource]:
    posts = [{"id": n, "text": text, "created_at": moment(n).isoformat()} for n, text in enumerate(TEXTS)]
    with SourceServer(as_json([*posts[:2], "broken", *posts[2:]])) as server:
        settings = JsonSettings(name="own", url=server.url)
        ingest = IngestSettings(allow_private_addresses=True)
        yield lambda: build_source(settings, ingest, ManualClock(NOW))


@pytest.fixture
def file(tmp_path: Path) -> OpenSource:
    return lambda: a_file(tmp_path, follow=False)


@pytest.fixture
def followed(tmp_path: Path) -> OpenSource:
    return lambda: a_file(tmp_path, follow=True)


def a_file(folder: Path, *, follow: bool) -> Source:
    path = folder / "posts.jsonl"
    rows = [
        json.dumps({"id": str(number), "created_at": moment(number).isoformat(), "text": text})
        for number, text in enumerate(TEXTS)
    ]
    path.write_text("\n".join([*rows[:2], "{broken", *rows[2:], ""]))
    settings = FileSettings(name="file", path=path, follow=follow)
    return build_source(settings, IngestSettings(), ManualClock(NOW))


@pytest.fixture
def fake() -> OpenSource:
    posts = [RawPost(text, moment(number), f"item {number}", str(number)) for number, text in enumerate(TEXTS)]
    return lambda: ListSource([posts[0], None, posts[1], Unreadable("item x", Reason.UNDECODABLE, "broken"), posts[2]])


class QuietServer(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(params=["replay", "feed", "polled", "file", "followed", "fake"])
def open_source(request: pytest.FixtureRequest) -> OpenSource:
    found: OpenSource = request.getfixturevalue(request.param)
    return found


def read_some(source: Source) -> list[RawPost | Unreadable | None]:
    """All of a source that ends, and the first turns of one that does not."""
    reading = source.read()
    return [item for item, _ in zip(reading, range(TURNS), strict=False)]


def posts_of(source: Source) -> list[RawPost]:
    return [item for item in read_some(source) if isinstance(item, RawPost)]


def test_every_post_comes_once_in_its_order_with_its_text_and_time(open_source: OpenSource) -> None:
    posts = posts_of(open_source())
    assert [post.text for post in posts] == TEXTS
    assert [post.published_at for post in posts] == [moment(number) for number in range(3)]


def test_times_are_aware(open_source: OpenSource) -> None:
    assert all(
        post.published_at is not None and post.published_at.tzinfo is not None for post in posts_of(open_source())
    )


def test_every_item_says_where_it_lay(open_source: OpenSource) -> None:
    positions = [item.position for item in read_some(open_source()) if item is not None]
    assert all(positions)
    assert len(set(positions)) == len(positions)


def test_a_second_reading_gives_the_same_ids(open_source: OpenSource) -> None:
    first, second = (
        [normalise(post, post.source or source.name, IngestSettings(), NOW).id for post in posts_of(source)]
        for source in (open_source(), open_source())
    )
    assert first == second
    assert len(set(first)) == len(TEXTS)


def test_the_name_stays_the_same(open_source: OpenSource) -> None:
    assert open_source().name == open_source().name != ""


def test_only_a_live_source_has_no_end(open_source: OpenSource) -> None:
    source = open_source()
    items = read_some(source)
    assert (len(items) == TURNS) == source.live


def test_what_cannot_be_read_comes_in_its_place_and_ends_nothing(open_source: OpenSource) -> None:
    items = [item for item in read_some(open_source()) if item is not None]
    for bad in (item for item in items if isinstance(item, Unreadable)):
        assert bad.reason is Reason.UNDECODABLE
        assert isinstance(items[-1], RawPost)


@pytest.mark.parametrize("kind", ["polled", "file", "followed"])
@pytest.mark.parametrize("given", range(len(TEXTS) + 1))
def test_a_resumable_source_goes_on_behind_the_post_given_last(
    request: pytest.FixtureRequest, kind: str, given: int
) -> None:
    open_source: OpenSource = request.getfixturevalue(kind)
    first = open_source()
    assert isinstance(first, Resumable)
    first.resume(None)
    reading = first.read()
    before: list[str] = []
    while len(before) < given:
        item = next(reading)
        before += [item.text] if isinstance(item, RawPost) else []
    second = open_source()
    assert isinstance(second, Resumable)
    second.resume(first.cursor)
    assert before + [post.text for post in posts_of(second)] == TEXTS
    assert len(second.cursor or "") < 65_536

"""What every source that streams does, on each of them, from real servers on loopback.

`webhook` is none of them: it has nothing to go back to, and tests of its own.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any

import orjson
import pytest
from websockets.sync.server import ServerConnection

from bearometer.clock import Clock, SystemClock
from ingest.normalise import normalise
from ingest.source import RawPost, Resumable
from tests.conftest import Topics
from tests.integration import test_bluesky, test_kafka_topic_source, test_mastodon, test_reddit, test_x_source
from tests.integration.test_bluesky import INGEST
from tests.stream_servers import DEADLINE_SECONDS, Asked, HttpServer, WebSocketServer, collect, reply

LATER = datetime(2026, 3, 3, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """A kind of source: how its server comes to hold posts, by number, and how it is opened."""

    publish: Callable[[Sequence[int]], None]
    open: Callable[[Clock | None], Resumable]


@pytest.fixture
def bluesky() -> Iterator[Case]:
    held: list[dict[str, Any]] = []
    with WebSocketServer() as server:

        def replay(connection: ServerConnection) -> None:
            behind = int(server.asked[-1].query["cursor"][0])
            # The very first start has the present for a cursor, which is that of the tests.
            recent = [each for each in held if each["time_us"] >= behind or len(server.asked) == 1]
            test_bluesky.say(*recent)(connection)

        server.always = replay
        yield Case(
            lambda numbers: held.extend(map(test_bluesky.event, numbers)),
            lambda clock: test_bluesky.open_source(server, clock=clock),
        )


@pytest.fixture
def mastodon() -> Iterator[Case]:
    held: list[int] = []
    with HttpServer() as server:

        def timeline(request: BaseHTTPRequestHandler, asked: Asked) -> None:
            behind = int(asked.query["min_id"][0])
            page = [number for number in held if int(test_mastodon.identity(number)) > behind][:40]
            reply(200, orjson.dumps([test_mastodon.status(number) for number in reversed(page)]))(request, asked)

        def publish(numbers: Sequence[int]) -> None:
            held.extend(numbers)
            server.on(test_mastodon.STREAM, server.events(test_mastodon.update(*map(test_mastodon.status, numbers))))

        server.on(test_mastodon.TIMELINE, timeline)
        yield Case(publish, lambda clock: test_mastodon.open_source(server, clock=clock))


@pytest.fixture
def reddit() -> Iterator[Case]:
    held: list[dict[str, Any]] = []
    with HttpServer() as server:

        def publish(numbers: Sequence[int]) -> None:
            held[:0] = [test_reddit.post(number) for number in reversed(numbers)]

        server.on(test_reddit.TOKEN, test_reddit.token())
        server.on(test_reddit.NEW, test_reddit.subreddit(held))
        yield Case(publish, lambda clock: test_reddit.open_source(server, clock=clock, comments=False))


@pytest.fixture
def x() -> Iterator[Case]:
    held: list[int] = []
    with HttpServer() as server:

        def publish(numbers: Sequence[int]) -> None:
            held.extend(numbers)  # the backfill gives what was there before
            server.on(test_x_source.STREAM, server.events(test_x_source.lines(*map(test_x_source.post, held))))

        rule = {"id": "1", "value": test_x_source.RULE, "tag": test_x_source.TAG}
        server.on(test_x_source.RULES, test_x_source.Rules(rule))
        yield Case(publish, lambda clock: test_x_source.open_source(server, clock=clock, backfill_minutes=5))


@pytest.fixture
def kafka(broker: str, topics: Topics) -> Case:
    topic = test_kafka_topic_source.Topic(broker, topics)
    return Case(lambda numbers: topic.write(*map(test_kafka_topic_source.post, numbers)), topic.open_source)


@pytest.fixture(params=["bluesky", "mastodon", "reddit", "x", "kafka"])
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.getfixturevalue(request.param)
    return found


def ids(source: Resumable, items: Sequence[object]) -> list[str]:
    return [normalise(item, source.name, INGEST, LATER).id for item in items if isinstance(item, RawPost)]


@pytest.mark.parametrize("killed_after", [1, 5, 9, 10])
def test_one_that_is_killed_goes_on_without_losing_a_post(case: Case, killed_after: int) -> None:
    case.publish(range(1, 11))
    first = case.open(None)
    first.resume(None)
    given = set(ids(first, collect(first, killed_after)))
    assert len(given) == killed_after
    case.publish(range(11, 15))
    second = case.open(None)
    second.resume(first.cursor)
    deadline = time.monotonic() + DEADLINE_SECONDS
    for item in second.read():
        given.update(ids(second, [item]))
        if len(given) == 14:
            break
        assert time.monotonic() < deadline, f"only {len(given)} of 14 posts came"


def test_a_cursor_is_small_and_a_start_has_no_trouble(case: Case) -> None:
    case.publish(range(1, 100))
    source = case.open(None)
    source.resume(None)
    assert source.last_error is None
    collect(source, 99)
    assert source.last_error is None
    assert source.cursor is not None
    assert len(source.cursor) < 64_000
    orjson.loads(source.cursor)


def test_while_nothing_comes_it_says_so_at_least_once_a_second(case: Case) -> None:
    case.publish([1])
    source = case.open(SystemClock())
    gaps = []
    told = began = time.monotonic()
    for item in source.read():
        now = time.monotonic()
        if item is None and now - began > 0.5:
            gaps.append(now - told)
        told = now
        if now - began > 2.0:
            break
    assert gaps
    assert max(gaps) < 1.0

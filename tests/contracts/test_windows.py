"""What windows promise, on Redis and on the in-memory twin."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import TypeAlias

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from bearometer.clock import SystemClock
from bearometer.errors import WindowsLost
from bearometer.mention import Mention, Scored, Sentiment
from bearometer.post import MARKET
from bearometer.settings import PostgresSettings, RedisSettings
from bearometer.window import Bucket, floor_minute, sum_buckets
from storage.database import connect
from storage.memory import MemoryWindowStore
from storage.posts import PostStore
from storage.windows import WindowStore
from tests.stored_samples import BAD, CALM, GOOD, NOON, scored

Windows: TypeAlias = WindowStore | MemoryWindowStore
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def posts(database_url: str) -> Iterator[PostStore]:
    engine = connect(PostgresSettings(url=SecretStr(database_url)))
    yield PostStore(engine)
    engine.dispose()


@pytest.fixture(params=["redis", "memory"])
def windows(request: pytest.FixtureRequest, posts: PostStore) -> Windows:
    if request.param == "memory":
        return MemoryWindowStore()
    store = WindowStore(RedisSettings(url=SecretStr(request.getfixturevalue("redis_url"))))
    assert store.rebuild(posts, SystemClock()) == 0
    return store


def lose(windows: Windows, url: str) -> None:
    if isinstance(windows, MemoryWindowStore):
        windows.lose()
    else:
        redis.Redis.from_url(url).flushdb()


def test_a_post_is_counted_for_each_symbol_and_for_the_market(windows: Windows) -> None:
    post = scored("1", symbols=("ACME", "ZETA"), sentiment=BAD, published_at=NOON + timedelta(seconds=59))

    assert windows.add([post]) == 3

    for symbol in ("ACME", "ZETA", MARKET):
        assert windows.buckets(symbol, NOON, NOON + MINUTE) == [Bucket.of(symbol, post.post, BAD)]
    assert windows.symbols() == {"ZETA": NOON, "ACME": NOON, MARKET: NOON}


def test_a_post_without_symbols_is_counted_for_the_market_only(windows: Windows) -> None:
    assert windows.add([scored("1", symbols=())]) == 1
    assert set(windows.symbols()) == {MARKET}


def test_a_post_that_was_counted_changes_nothing(windows: Windows) -> None:
    windows.add([scored("1"), scored("1", sentiment=GOOD)])
    before = windows.window("ACME", HOUR, NOON + HOUR)

    assert windows.add([scored("1"), scored("1", sentiment=CALM)]) == 0
    assert windows.window("ACME", HOUR, NOON + HOUR) == before
    assert before.posts == 1


def test_a_window_holds_the_minutes_from_its_start_up_to_its_end(windows: Windows) -> None:
    moments = [NOON - MINUTE, NOON, NOON + 4 * MINUTE + timedelta(seconds=59), NOON + 5 * MINUTE]
    windows.add([scored(str(n), published_at=moment) for n, moment in enumerate(moments)])

    window = windows.window("ACME", timedelta(minutes=5), NOON + 5 * MINUTE)

    assert (window.posts, window.start, window.end) == (2, NOON, NOON + 5 * MINUTE)


def test_a_window_counts_distinct_authors_and_texts_over_its_minutes(windows: Windows) -> None:
    windows.add(
        [
            scored("1", author="ann", fingerprint="f1"),
            scored("2", author="ann", fingerprint="f2", published_at=NOON + MINUTE),
            scored("3", author="bob", fingerprint="f1", published_at=NOON + MINUTE),
            scored("4", author=None, fingerprint="f1", published_at=NOON + MINUTE),
        ]
    )

    window = windows.window("ACME", HOUR, NOON + HOUR)

    assert (window.posts, window.distinct_authors, window.distinct_texts) == (4, 3, 2)


def test_a_late_post_goes_into_its_own_minute(windows: Windows) -> None:
    windows.add([scored("1", published_at=NOON + HOUR)])
    windows.add([scored("2", published_at=NOON)])

    assert windows.window("ACME", MINUTE, NOON + MINUTE).posts == 1
    assert windows.symbols()["ACME"] == NOON + HOUR


def test_a_symbol_nobody_spoke_of_has_an_empty_window(windows: Windows) -> None:
    window = windows.window("NONE", DAY, NOON)

    assert (window.posts, window.mean_score, window.distinct_authors) == (0, None, 0)


def test_a_window_that_does_not_begin_at_a_minute_holds_whole_minutes_only(windows: Windows) -> None:
    windows.add([scored("1", published_at=NOON), scored("2", published_at=NOON + MINUTE)])

    assert windows.window("ACME", 2 * MINUTE, NOON + 2 * MINUTE + timedelta(seconds=1)).posts == 1


def test_lost_windows_are_never_mistaken_for_empty_ones(windows: Windows, redis_url: str) -> None:
    windows.add([scored("1")])
    lose(windows, redis_url)

    with pytest.raises(WindowsLost):
        windows.add([scored("2")])
    with pytest.raises(WindowsLost):
        windows.add([])
    with pytest.raises(WindowsLost):
        windows.window("ACME", HOUR, NOON + HOUR)
    with pytest.raises(WindowsLost):
        windows.symbols()


def test_rebuilt_windows_are_those_that_were_lost(windows: Windows, posts: PostStore, redis_url: str) -> None:
    batch = [scored(str(n), published_at=NOON + n * timedelta(seconds=7), author=f"a{n % 5}") for n in range(300)]
    windows.add(posts.save(batch, []))
    before = windows.buckets("ACME", NOON, NOON + HOUR)
    lose(windows, redis_url)

    assert windows.rebuild(posts, SystemClock()) == 300
    assert windows.buckets("ACME", NOON, NOON + HOUR) == before
    assert windows.rebuild(posts, SystemClock()) == 300, "again, though nothing is missing"
    assert windows.buckets("ACME", NOON, NOON + HOUR) == before
    assert windows.add(batch) == 0


def test_a_check_of_working_windows_raises_nothing(windows: Windows) -> None:
    windows.check()


PARTS = st.tuples(st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 1000))
SENTIMENTS = PARTS.map(lambda parts: Sentiment(*(part / sum(parts) for part in parts)))
POSTS = st.builds(
    lambda id_, sentiment, seconds, author, fingerprint, symbols: scored(
        id_,
        sentiment=sentiment,
        published_at=NOON + timedelta(seconds=seconds),
        author=author,
        fingerprint=fingerprint,
        symbols=symbols,
    ),
    st.integers(0, 30).map(str),
    SENTIMENTS,
    st.integers(0, 600),
    st.sampled_from([None, "ann", "bob", "çelik"]),
    st.sampled_from(["f1", "f2", "f3"]),
    st.lists(st.sampled_from(["ACME", "BRK.B", "日本"]), unique=True, max_size=3),
)
numbers = count()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batch=st.lists(POSTS, max_size=25, unique_by=lambda one: one.post.id).flatmap(
        lambda distinct: st.tuples(
            st.just(distinct),
            st.permutations(distinct + distinct[: len(distinct) // 2]),
            st.integers(1, 10),
        )
    )
)
def test_windows_add_up_whatever_the_order_the_cutting_and_the_repetition(
    windows: Windows, batch: tuple[list[Scored], list[Scored], int]
) -> None:
    distinct, delivered, size = batch
    year = next(numbers)  # each example in a day of its own, since the store lives on

    def moved(one: Scored) -> Scored:
        from dataclasses import replace

        return replace(one, post=replace(one.post, published_at=one.post.published_at + year * DAY))

    for at in range(0, len(delivered), size):
        windows.add([moved(one) for one in delivered[at : at + size]])

    start = NOON + year * DAY
    for symbol in ("ACME", "BRK.B", "日本", MARKET):
        expected = [
            Bucket.of(symbol, one.post, mention.sentiment)
            for one in map(moved, distinct)
            for mention in (*one.mentions, Mention(MARKET, one.sentiment))
            if mention.symbol == symbol
        ]
        for minutes in (1, 5, 15):
            length = timedelta(minutes=minutes)
            assert windows.window(symbol, length, start + length) == sum_buckets(
                symbol, start, start + length, expected
            )
        assert [bucket.minute for bucket in windows.buckets(symbol, start, start + DAY)] == sorted(
            {floor_minute(bucket.minute) for bucket in expected}
        )

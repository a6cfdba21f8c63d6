"""What windows promise, on Redis and on the in-memory twin."""

from collections.abc import Iterator
from dataclasses import replace
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
from bearometer.post import MARKET, topic_key
from bearometer.settings import PostgresSettings, RedisSettings
from bearometer.sketch import make_sketch
from bearometer.window import Bucket, floor_minute, name_buckets, sum_buckets
from storage.database import connect
from storage.memory import MemoryWindowStore
from storage.memory_stories import MemoryStoryStore
from storage.posts import PostStore
from storage.stories import StoryStore
from storage.windows import WindowStore
from tests.stored_samples import BAD, CALM, GOOD, NOON, scored

Windows: TypeAlias = WindowStore | MemoryWindowStore
Stories: TypeAlias = StoryStore | MemoryStoryStore
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def posts(database_url: str) -> Iterator[PostStore]:
    engine = connect(PostgresSettings(url=SecretStr(database_url)))
    yield PostStore(engine)
    engine.dispose()


@pytest.fixture(params=["redis", "memory"])
def stories(request: pytest.FixtureRequest) -> Stories:
    if request.param == "memory":
        return MemoryStoryStore()
    return StoryStore(RedisSettings(url=SecretStr(request.getfixturevalue("redis_url"))))


@pytest.fixture
def windows(stories: Stories, request: pytest.FixtureRequest, posts: PostStore) -> Windows:
    if isinstance(stories, MemoryStoryStore):
        return MemoryWindowStore(stories)
    store = WindowStore(RedisSettings(url=SecretStr(request.getfixturevalue("redis_url"))), stories)
    assert store.rebuild(posts, SystemClock()) == 0
    return store


def told(story: str, one: Scored) -> Scored:
    return replace(one, story=story)


def spam(one: Scored) -> Scored:
    return replace(one, spam=("many-symbols: 12 symbols",))


def lose(windows: Windows, url: str) -> None:
    if isinstance(windows, MemoryWindowStore):
        windows.lose()
    else:
        redis.Redis.from_url(url).flushdb()


def test_a_post_is_counted_for_each_symbol_for_its_topic_and_for_the_market(windows: Windows) -> None:
    post = scored("1", symbols=("ACME", "ZETA"), sentiment=BAD, published_at=NOON + timedelta(seconds=59))

    assert windows.add([post]) == 4

    for name in ("ACME", "ZETA", topic_key("sales"), MARKET):
        assert windows.buckets(name, NOON, NOON + MINUTE) == [Bucket.of(name, post, BAD)]
    assert windows.symbols() == {"ZETA": NOON, "ACME": NOON, MARKET: NOON}
    assert windows.topics() == {"sales": NOON}


def test_each_symbol_is_counted_as_it_is_spoken_of_and_the_topic_as_the_post_sounds(windows: Windows) -> None:
    mentions = (Mention("ACME", GOOD), Mention("ZETA", BAD, in_text=False))
    windows.add([replace(scored("1", symbols=("ACME", "ZETA"), sentiment=CALM), mentions=mentions)])

    counted = {name: windows.window(name, MINUTE, NOON + MINUTE) for name in ("ACME", "ZETA", "#sales", MARKET)}

    assert {name: (w.negative, w.neutral, w.positive) for name, w in counted.items()} == {
        "ACME": (0, 0, 1),
        "ZETA": (1, 0, 0),
        "#sales": (0, 1, 0),
        MARKET: (0, 1, 0),
    }


def test_a_post_of_many_symbols_is_one_post_of_its_likeliest_topic(windows: Windows) -> None:
    windows.add([scored("1", symbols=("A", "B", "C")), scored("2", symbols=(), topics={"sales": 0.4, "law": 0.6})])

    assert windows.window(topic_key("sales"), HOUR, NOON + HOUR).posts == 1
    assert windows.window(topic_key("law"), HOUR, NOON + HOUR).posts == 1
    assert set(windows.topics()) == {"sales", "law"}


def test_a_topic_that_is_called_as_a_symbol_is_counted_apart_from_it(windows: Windows) -> None:
    windows.add([scored("1", symbols=("IPO",)), scored("2", symbols=("ACME",), topics={"IPO": 1.0})])

    assert windows.window("IPO", HOUR, NOON + HOUR).posts == 1
    assert windows.window(topic_key("IPO"), HOUR, NOON + HOUR).posts == 1
    assert set(windows.topics()) == {"sales", "IPO"}
    assert set(windows.symbols()) == {"IPO", "ACME", MARKET}


def test_a_post_without_symbols_and_topics_is_counted_for_the_market_only(windows: Windows) -> None:
    assert windows.add([scored("1", symbols=(), topics={})]) == 1
    assert set(windows.symbols()) == {MARKET}
    assert windows.topics() == {}


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


def test_a_window_counts_distinct_authors_and_stories_over_its_minutes(windows: Windows) -> None:
    first, second = "5c0ffee5c0ffee00", "d15ea5ed15ea5e00"
    windows.add(
        [
            told(first, scored("1", author="ann", fingerprint="f1")),
            told(second, scored("2", author="ann", fingerprint="f2", published_at=NOON + MINUTE)),
            told(first, scored("3", author="bob", fingerprint="f3", published_at=NOON + MINUTE)),
            told(first, scored("4", author=None, fingerprint="f4", published_at=NOON + MINUTE)),
        ]
    )

    window = windows.window("ACME", HOUR, NOON + HOUR)

    assert (window.posts, window.distinct_authors, window.distinct_stories) == (4, 3, 2)


def test_posts_whose_story_is_unknown_are_told_apart_by_their_fingerprints(windows: Windows) -> None:
    windows.add([scored("1", fingerprint="f1"), scored("2", fingerprint="f2"), scored("3", fingerprint="f1")])

    assert windows.window("ACME", HOUR, NOON + HOUR).distinct_stories == 2


def test_spam_changes_nothing(windows: Windows) -> None:
    windows.add([scored("1")])
    before = windows.window(MARKET, HOUR, NOON + HOUR)

    assert windows.add([spam(scored("2")), spam(scored("3", symbols=("ZETA",), topics={"law": 0.9}))]) == 0

    assert windows.window(MARKET, HOUR, NOON + HOUR) == before
    assert set(windows.symbols()) == {"ACME", MARKET}
    assert windows.topics() == {"sales": NOON}


def test_a_window_weighs_its_posts_by_their_authors_followers_beside_the_plain_mean(windows: Windows) -> None:
    windows.add(
        [
            scored("1", sentiment=BAD, followers=999),
            scored("2", sentiment=GOOD, followers=None, published_at=NOON + MINUTE),
        ]
    )

    window = windows.window("ACME", HOUR, NOON + HOUR)

    assert window.mean_score == pytest.approx((-0.6 + 0.75) / 2)
    assert window.weighted_score == pytest.approx((4 * -0.6 + 1 * 0.75) / 5)


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
    with pytest.raises(WindowsLost):
        windows.topics()


def test_rebuilt_windows_are_those_that_were_lost(windows: Windows, posts: PostStore, redis_url: str) -> None:
    topics = [{"sales": 0.8, "law": 0.1}, {"sales": 0.2, "law": 0.5}, {}]  # none: scored by a model without topics
    batch = [
        replace(
            scored(
                str(n),
                published_at=NOON + n * timedelta(seconds=7),
                author=f"a{n % 5}",
                topics=topics[n % 3],
                followers=(None, 5, 70_000)[n % 3],
            ),
            story=("", f"{n // 10:016x}")[n % 2],
        )
        for n in range(300)
    ]
    batch += [spam(scored(f"spam-{n}", published_at=NOON + n * timedelta(seconds=7))) for n in range(10)]
    windows.add(posts.save(batch, []))
    names = ("ACME", MARKET, topic_key("sales"), topic_key("law"))

    def counted() -> dict[str, list[Bucket]]:
        return {name: windows.buckets(name, NOON, NOON + HOUR) for name in names}

    before = counted()
    assert [sum(bucket.posts for bucket in before[name]) for name in names] == [300, 300, 100, 100]
    lose(windows, redis_url)

    assert windows.rebuild(posts, SystemClock()) == 310
    assert counted() == before
    assert windows.rebuild(posts, SystemClock()) == 310, "again, though nothing is missing"
    assert counted() == before
    assert windows.add(batch) == 0


def test_a_rebuild_knows_the_stories_again_also_those_that_spam_tells(
    windows: Windows, stories: Stories, posts: PostStore, redis_url: str
) -> None:
    news = scored("news", text="ACME shuts its plant in Bilbao after the fire and lets 400 people go", fingerprint="f1")
    ad = scored(
        "ad", text="Join our free chat room and see which small coins go up tenfold next week", fingerprint="f2"
    )
    old = scored("old", text="ACME opens a shop in Lyon, its first in the south of France", fingerprint="f3")
    placed = [one.story for one in stories.place([make_sketch(news.post), make_sketch(ad.post)])]
    posts.save([told(placed[0], news), spam(told(placed[1], ad)), old], [])
    lose(windows, redis_url)
    with pytest.raises(WindowsLost):
        stories.place([])

    assert windows.rebuild(posts, SystemClock()) == 3

    for story, first in zip(placed, (news, ad), strict=True):
        words = f"BREAKING {first.post.text}!"
        copy = scored(f"copy of {first.post.id}", text=words, fingerprint=f"copy of {story}", author="bob")
        [place] = stories.place([make_sketch(copy.post)])
        assert (place.story, place.first) == (story, False)
    assert windows.window("ACME", HOUR, NOON + HOUR).posts == 2, "spam is in no window"


def test_a_check_of_working_windows_raises_nothing(windows: Windows) -> None:
    windows.check()


PARTS = st.tuples(st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 1000))
SENTIMENTS = PARTS.map(lambda parts: Sentiment(*(part / sum(parts) for part in parts)))
POSTS = st.builds(
    lambda id_, sentiment, seconds, author, followers, story, symbols, topic, why: replace(
        scored(
            id_,
            sentiment=sentiment,
            published_at=NOON + timedelta(seconds=seconds),
            author=author,
            followers=followers,
            fingerprint=f"{story}-as-text",
            symbols=symbols,
            topics={topic: 0.9, "law": 0.1} if topic else {},
        ),
        story=story,
        spam=why,
    ),
    st.integers(0, 30).map(str),
    SENTIMENTS,
    st.integers(0, 600),
    st.sampled_from([None, "ann", "bob", "çelik"]),
    st.sampled_from([None, 0, 12, 3_456_789]),
    st.sampled_from(["", "5c0ffee5c0ffee00", "d15ea5ed15ea5e00"]),
    st.lists(st.sampled_from(["ACME", "BRK.B", "日本"]), unique=True, max_size=3),
    st.sampled_from([None, "sales", "M&A | Investments"]),
    st.sampled_from([(), (), (), ("many-symbols: 12 symbols",)]),
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
        return replace(one, post=replace(one.post, published_at=one.post.published_at + year * DAY))

    for at in range(0, len(delivered), size):
        windows.add([moved(one) for one in delivered[at : at + size]])

    start = NOON + year * DAY
    for symbol in ("ACME", "BRK.B", "日本", topic_key("sales"), topic_key("M&A | Investments"), MARKET):
        expected = [
            Bucket.of(name, one, sentiment)
            for one in map(moved, distinct)
            for name, sentiment in name_buckets(one)
            if name == symbol
        ]
        for minutes in (1, 5, 15):
            length = timedelta(minutes=minutes)
            assert windows.window(symbol, length, start + length) == sum_buckets(
                symbol, start, start + length, expected
            )
        assert [bucket.minute for bucket in windows.buckets(symbol, start, start + DAY)] == sorted(
            {floor_minute(bucket.minute) for bucket in expected}
        )

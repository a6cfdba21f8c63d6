"""WindowStore against a real Redis: what only Redis can do to it."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import redis
from pydantic import SecretStr
from sqlalchemy import text

from bearometer.clock import SystemClock
from bearometer.embedded import Servers
from bearometer.errors import Misconfigured, Unavailable, WindowsLost
from bearometer.post import MARKET, topic_key
from bearometer.settings import PostgresSettings, RedisSettings
from bearometer.sketch import Sketch
from bearometer.window import Bucket, sum_buckets
from storage.database import connect
from storage.posts import PostStore
from storage.stories import StoryStore
from storage.windows import WindowStore
from tests.stored_samples import NOON, scored

HOUR = timedelta(hours=1)
CLOCK = SystemClock()


@pytest.fixture
def posts(database_url: str) -> Iterator[PostStore]:
    engine = connect(PostgresSettings(url=SecretStr(database_url)))
    yield PostStore(engine)
    engine.dispose()


@pytest.fixture
def windows(redis_url: str, posts: PostStore) -> WindowStore:
    store = WindowStore(RedisSettings(url=SecretStr(redis_url)))
    store.rebuild(posts, CLOCK)
    return store


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def test_a_new_installation_begins_by_rebuilding_from_an_empty_database(redis_url: str, posts: PostStore) -> None:
    store = WindowStore(RedisSettings(url=SecretStr(redis_url)))
    with pytest.raises(WindowsLost, match="bearometer rebuild-windows"):
        store.add([scored("1")])

    assert store.rebuild(posts, CLOCK) == 0
    assert store.add([scored("1")]) == 3


def test_every_key_but_the_marker_lives_for_the_time_set(windows: WindowStore, client: redis.Redis) -> None:
    windows.add([scored("1")])

    lives = {key.decode(): client.pttl(key) for key in client.scan_iter()}

    assert lives.pop("bearometer:complete") == -1
    assert set(lives) == {
        "bearometer:symbols",
        f"bearometer:bucket:ACME:{int(NOON.timestamp()) // 60}",
        f"bearometer:bucket:#sales:{int(NOON.timestamp()) // 60}",
        f"bearometer:bucket:*:{int(NOON.timestamp()) // 60}",
    }
    assert all(49.9 * 3600_000 < life <= 50 * 3600_000 for life in lives.values())


def test_a_changed_bucket_lives_anew_and_a_repeated_post_renews_nothing(
    windows: WindowStore, client: redis.Redis
) -> None:
    windows.add([scored("1")])
    bucket = f"bearometer:bucket:ACME:{int(NOON.timestamp()) // 60}"

    client.pexpire(bucket, 1_000_000)
    windows.add([scored("1")])
    assert client.pttl(bucket) <= 1_000_000
    windows.add([scored("2")])
    assert client.pttl(bucket) > 1_000_000


def test_an_expired_bucket_is_begun_again_whole_or_not_at_all(
    windows: WindowStore, posts: PostStore, database_url: str, client: redis.Redis
) -> None:
    batch = [scored(str(n), symbols=("ACME", "ZETA")[: 1 + n % 2]) for n in range(5)]
    windows.add(posts.save(batch, []))
    expire_all(client, database_url)

    assert windows.add(posts.save(batch[:1], [])) == 0, "a feed lists it again"
    assert windows.symbols() == windows.topics() == {}

    late = scored("late")
    windows.add(posts.save([late], []))
    counted = {name: windows.buckets(name, NOON, NOON + HOUR) for name in ("ACME", "ZETA", topic_key("sales"), MARKET)}
    assert {name: bucket.posts for name, [bucket] in counted.items()} == {"ACME": 6, "ZETA": 2, "#sales": 6, MARKET: 6}

    windows.rebuild(posts, CLOCK)
    client.flushdb()
    windows.rebuild(posts, CLOCK)
    assert counted == {symbol: windows.buckets(symbol, NOON, NOON + HOUR) for symbol in counted}


def expire_all(client: redis.Redis, database_url: str) -> None:
    """As if everything had been stored so long ago that no bucket of it lives."""
    for key in client.scan_iter("bearometer:bucket:*"):
        client.delete(key)
    engine = connect(PostgresSettings(url=SecretStr(database_url)))
    with engine.begin() as connection:
        connection.execute(text("UPDATE posts SET stored_at = stored_at - interval '51 hours'"))
    engine.dispose()


def test_an_expired_symbol_or_topic_is_not_listed(windows: WindowStore, client: redis.Redis) -> None:
    windows.add([scored("1")])
    for name in ("ACME", topic_key("sales")):
        client.delete(f"bearometer:bucket:{name}:{int(NOON.timestamp()) // 60}")

    assert set(windows.symbols()) == {MARKET}
    assert windows.topics() == {}


def test_a_script_that_redis_forgot_is_loaded_again(windows: WindowStore, client: redis.Redis) -> None:
    windows.add([scored("1")])
    client.script_flush()

    assert windows.add([scored("2")]) == 3


def test_two_prefixes_share_a_server_without_meeting(windows: WindowStore, redis_url: str, posts: PostStore) -> None:
    other = WindowStore(RedisSettings(url=SecretStr(redis_url), prefix="other"))
    other.rebuild(posts, CLOCK)
    windows.add([scored("1")])

    assert other.window("ACME", HOUR, NOON + HOUR).posts == 0


def test_a_marker_of_an_earlier_run_of_the_server_is_no_marker(windows: WindowStore, client: redis.Redis) -> None:
    client.set("bearometer:complete", "0" * 40)

    with pytest.raises(WindowsLost):
        windows.add([scored("1")])


def test_workers_that_add_the_same_posts_at_once_count_each_once(windows: WindowStore, redis_url: str) -> None:
    batch = [scored(str(n), author=f"a{n % 17}", fingerprint=f"f{n % 31}") for n in range(400)]
    start = threading.Barrier(4)

    def work(worker: int) -> None:
        mine = WindowStore(RedisSettings(url=SecretStr(redis_url)))
        start.wait(10)
        for at in range(0, 400, 50):
            mine.add((batch if worker % 2 else batch[::-1])[at : at + 50])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    expected = sum_buckets("ACME", NOON, NOON + HOUR, [Bucket.of("ACME", one, one.sentiment) for one in batch])
    assert windows.window("ACME", HOUR, NOON + HOUR) == expected


def test_redis_emptied_again_and_again_under_running_workers_ends_equal_to_postgres(
    windows: WindowStore, redis_url: str, posts: PostStore, client: redis.Redis
) -> None:
    batch = [scored(str(n), published_at=NOON + timedelta(seconds=n)) for n in range(1500)]
    halves = iter([batch[:750], batch[750:]])
    done = threading.Event()

    def work(mine: list) -> int:  # type: ignore[type-arg]
        store = WindowStore(RedisSettings(url=SecretStr(redis_url)))
        losses = 0
        for at in range(0, len(mine), 10):
            stored = posts.save(mine[at : at + 10], [])
            while True:
                try:
                    store.add(stored)
                    break
                except WindowsLost:
                    losses += 1
                try:
                    store.rebuild(posts, CLOCK)
                except WindowsLost:
                    losses += 1
        return losses

    def empty() -> None:
        for _ in range(12):  # not for ever: on a slow machine no rebuild would ever end
            if not done.wait(0.15):
                client.flushdb()

    with ThreadPoolExecutor(3) as pool:
        emptying = pool.submit(empty)
        losses = [work_.result(120) for work_ in [pool.submit(work, half) for half in halves]]
        done.set()
        emptying.result(10)
    try:
        windows.add([])
    except WindowsLost:
        windows.rebuild(posts, CLOCK)

    expected = sum_buckets("ACME", NOON, NOON + HOUR, [Bucket.of("ACME", one, one.sentiment) for one in batch])
    assert windows.window("ACME", HOUR, NOON + HOUR) == expected
    assert sum(losses) > 0, "the test has shown nothing"


def test_a_rebuild_sets_no_marker_when_redis_is_emptied_meanwhile(
    windows: WindowStore, posts: PostStore, client: redis.Redis
) -> None:
    posts.save([scored("1")], [])

    def empty(_: int) -> None:
        client.flushdb()

    with pytest.raises(WindowsLost):
        windows.rebuild(posts, CLOCK, on_progress=empty)

    with pytest.raises(WindowsLost):
        windows.add([])


def test_who_waited_for_anothers_rebuild_has_nothing_left_to_do(
    windows: WindowStore, posts: PostStore, client: redis.Redis
) -> None:
    posts.save([scored("1")], [])
    client.flushdb()
    with ThreadPoolExecutor(2) as pool:
        second = []

        def start_second(_: int) -> None:
            second.append(pool.submit(windows.rebuild, posts, CLOCK))

        assert windows.rebuild(posts, CLOCK, on_progress=start_second) == 1
        assert second[0].result(10) in (0, 1), "1 when it looked for the marker only after it was set"


def test_a_rebuild_sets_no_marker_when_redis_is_emptied_before_the_stories_are_known(
    posts: PostStore, redis_url: str, client: redis.Redis
) -> None:
    class EmptiedFirst(StoryStore):
        def remember(self, stored: Iterable[tuple[Sketch, str]], guard: str | None = None, token: str = "") -> None:
            client.flushdb()
            super().remember(stored, guard, token)

    settings = RedisSettings(url=SecretStr(redis_url))
    posts.save([replace(scored("1"), story="5c0ffee5c0ffee00")], [])
    store = WindowStore(settings, EmptiedFirst(settings))

    with pytest.raises(WindowsLost):
        store.rebuild(posts, CLOCK)
    with pytest.raises(WindowsLost):
        store.add([])


def test_a_bucket_that_an_earlier_version_began_is_counted_on(windows: WindowStore, client: redis.Redis) -> None:
    bucket = f"bearometer:bucket:ACME:{int(NOON.timestamp()) // 60}"
    client.hset(bucket, mapping={"negative": 2, "score": -1_200_000, "pseen": "", "acy": "", "f0123abc": ""})

    windows.add([replace(scored("1", followers=None), story="5c0ffee5c0ffee00")])

    window = windows.window("ACME", HOUR, NOON + HOUR)
    assert (window.posts, window.distinct_authors, window.distinct_stories) == (3, 2, 2)
    assert window.mean_score == pytest.approx(-0.6)
    assert window.weighted_score == pytest.approx(-0.6)


def test_redis_away_is_unavailable_and_back_empty_is_lost(
    servers: Servers, windows: WindowStore, posts: PostStore
) -> None:
    windows.add(posts.save([scored("1")], []))
    servers.redis.kill()
    try:
        with pytest.raises(Unavailable, match="Redis"):
            windows.add([scored("2")])
        with pytest.raises(Unavailable, match="Redis"):
            windows.window("ACME", HOUR, NOON + HOUR)
    finally:
        servers.redis.start()

    with pytest.raises(WindowsLost):
        windows.add([scored("2")])
    assert windows.rebuild(posts, CLOCK) == 1
    assert windows.window("ACME", HOUR, NOON + HOUR).posts == 1


def test_a_full_redis_is_unavailable_and_a_forgetful_one_misconfigured(
    windows: WindowStore, client: redis.Redis
) -> None:
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(Unavailable, match="takes no writes"):
            windows.add([scored("1")])
        client.config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(Misconfigured, match="noeviction"):
            windows.check()
    finally:
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://:hush@127.0.0.1:1/0", "127.0.0.1:1"),
        ("unix:///nowhere/redis.sock?password=hush", "/nowhere/redis.sock"),
    ],
)
def test_a_redis_that_cannot_be_reached_is_named_without_the_password(url: str, words: str) -> None:
    with pytest.raises(Unavailable) as caught:
        WindowStore(RedisSettings(url=SecretStr(url))).check()

    assert words in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_wrong_password_is_told_as_such(servers: Servers) -> None:
    with redis.Redis.from_url(servers.redis.url(0)) as admin:
        admin.config_set("requirepass", "right")
        try:
            for wrong in (servers.redis.url(0), servers.redis.url(0).replace("://", "://:hush@")):
                with pytest.raises(Unavailable, match="password") as caught:
                    WindowStore(RedisSettings(url=SecretStr(wrong))).check()
                assert "hush" not in str(caught.value)
        finally:
            admin.config_set("requirepass", "")


def test_a_url_that_is_none_is_refused_without_showing_it() -> None:
    with pytest.raises(Misconfigured) as caught:
        WindowStore(RedisSettings(url=SecretStr("http://:hush@example.org")))

    assert "hush" not in str(caught.value)

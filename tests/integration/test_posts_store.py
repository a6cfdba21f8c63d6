"""PostStore against a real Postgres."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from bearometer.errors import Misconfigured, Transient, Unavailable
from bearometer.mention import Mention, Sentiment, Unscored
from bearometer.progress import Progress
from bearometer.settings import PostgresSettings
from storage.database import connect
from storage.posts import PostStore, StoredCounts
from tests.conditions import WaitUntil
from tests.stored_samples import BAD, CALM, GOOD, NOON, scored


@pytest.fixture
def store(engine: Engine) -> PostStore:
    return PostStore(engine)


def rows(engine: Engine, sql: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def test_a_post_comes_back_exactly_as_it_was_given(store: PostStore) -> None:
    third = 1 / 3
    given = replace(
        scored("1", text='Ümläute, 日本語, "quotes", \\ back\\slashes\tand 🐻', symbols=("ZETA", "ACME")),
        sentiment=Sentiment(third, third, 1 - 2 * third),
        mentions=(Mention("ZETA", BAD), Mention("ACME", Sentiment(5e-324, 1.0, 0.0), in_text=False)),
    )
    bare = replace(scored("2", author=None, followers=None, symbols=()), topics={})

    assert store.save([given, bare], []) == [given, bare]
    assert store.save([bare, given], []) == [bare, given], "read back from the tables"
    assert sorted(one.post.id for chunk in store.stored_since(NOON) for one in chunk) == ["test:1", "test:2"]


def test_an_id_is_stored_once_within_a_batch_and_the_first_score_wins(store: PostStore, engine: Engine) -> None:
    first, second = scored("1", sentiment=BAD), scored("1", sentiment=CALM)

    assert store.save([first, second], []) == [first]
    assert store.save([second], []) == [first]
    assert rows(engine, "SELECT count(*), min(label) FROM posts") == [(1, "negative")]
    assert rows(engine, "SELECT count(*), min(label) FROM mentions") == [(1, "negative")]


def test_an_id_is_stored_once_even_when_its_time_moves_to_another_month(store: PostStore, engine: Engine) -> None:
    march = scored("1")
    april = scored("1", published_at=NOON + timedelta(days=2))

    store.save([march], [])

    assert store.save([april], []) == [march]
    assert rows(engine, "SELECT count(*) FROM posts") == [(1,)]
    assert rows(engine, "SELECT count(*) FROM mentions") == [(1,)]


def test_each_month_has_its_own_partition(store: PostStore, engine: Engine) -> None:
    moments = [
        datetime(2023, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2100, 12, 31, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
    ]
    store.save([scored(str(n), published_at=moment) for n, moment in enumerate(moments)], [])

    found = rows(engine, "SELECT id, tableoid::regclass::text FROM posts ORDER BY id")
    assert [partition.removeprefix("posts_") for _, partition in found] == [
        "2023_12",
        "2024_01",
        "1970_01",
        "2100_12",
        "0001_01",
        "9999_12",
    ]


def test_workers_that_store_the_same_posts_at_once_store_each_once(store: PostStore, engine: Engine) -> None:
    batch = [scored(str(n), published_at=NOON + timedelta(days=15 * (n % 7))) for n in range(200)]
    start = threading.Barrier(4)

    def work(worker: int) -> None:
        mine = PostStore(engine)
        order = batch if worker % 2 else batch[::-1]
        start.wait(10)
        for at in range(0, 200, 40):
            chunk = order[at : at + 40]
            assert mine.save(chunk, [Progress("posts", worker, at, NOON)]) == chunk

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))

    assert rows(engine, "SELECT count(*), count(DISTINCT id) FROM posts") == [(200, 200)]
    assert rows(engine, "SELECT count(*) FROM mentions") == [(200,)]


def test_months_are_made_while_another_transaction_reads_and_another_writes(store: PostStore, engine: Engine) -> None:
    store.save([scored("1")], [])
    with engine.connect() as reader, engine.connect() as writer:
        reader.execute(text("SELECT * FROM posts, mentions"))
        writer.execute(text("INSERT INTO post_ids VALUES ('other', now())"))
        writer.execute(text("UPDATE posts SET followers = 0"))

        later = scored("2", published_at=NOON + timedelta(days=40))
        assert store.save([later], []) == [later]


def test_a_dropped_month_is_made_anew_for_new_posts_only(store: PostStore, engine: Engine) -> None:
    store.save([scored("1")], [])
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE posts_2024_03, mentions_2024_03"))

    with pytest.raises(Transient, match="dropped"):
        store.save([scored("1"), scored("2")], [])
    assert store.save([scored("1"), scored("2")], []) == [scored("2")]


def test_progress_never_goes_back_in_offset_or_time(store: PostStore) -> None:
    store.save([], [Progress("posts", 1, 10, NOON), Progress("posts", 0, 5, None), Progress("other", 0, 1, None)])
    store.save([], [Progress("posts", 1, 7, NOON - timedelta(hours=1)), Progress("posts", 0, 6, NOON)])

    assert store.progress("posts") == [Progress("posts", 0, 6, NOON), Progress("posts", 1, 10, NOON)]

    store.reset_progress("posts")

    assert store.progress("posts") == []
    assert store.progress("other") == [Progress("other", 0, 1, None)]


def test_expected_partitions_begin_at_nothing_and_keep_what_they_have(store: PostStore) -> None:
    store.save([], [Progress("posts", 1, 10, NOON)])
    for _ in range(2):
        store.expect_partitions("posts", 3)
    assert store.progress("posts") == [
        Progress("posts", 0, 0, None),
        Progress("posts", 1, 10, NOON),
        Progress("posts", 2, 0, None),
    ]


def test_nothing_is_stored_when_the_progress_cannot_be(store: PostStore, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE progress"))

    with pytest.raises(Misconfigured, match="bearometer migrate"):
        store.save([scored("1")], [Progress("posts", 0, 1, NOON)])

    assert rows(engine, "SELECT count(*) FROM posts") == [(0,)]


def test_hostile_text_is_stored_without_what_postgres_cannot_hold(store: PostStore) -> None:
    mark = "\N{REPLACEMENT CHARACTER}"
    hostile = scored("1", text="nul \0 half \ud83d and '); DROP TABLE posts; --", symbols=("A\0", f"A{mark}"))
    hostile = replace(hostile, post=replace(hostile.post, followers=10**30, engagement=-(10**30)))

    [stored] = store.save([hostile], [])

    assert stored.post.text == f"nul {mark} half {mark} and '); DROP TABLE posts; --"
    assert [mention.symbol for mention in stored.mentions] == [f"A{mark}"]
    assert (stored.post.followers, stored.post.engagement) == (2**63 - 1, -(2**63))
    assert store.save([hostile], []) == [stored]


def test_a_mention_keeps_its_own_sentiment_and_whether_the_text_names_it(store: PostStore, engine: Engine) -> None:
    mentions = (Mention("ACME", GOOD), Mention("ZETA", BAD, in_text=False))
    given = replace(scored("1", sentiment=CALM, symbols=("ACME", "ZETA")), mentions=mentions)
    store.save([given], [])

    stored = "SELECT symbol, label, in_text FROM mentions ORDER BY position"
    assert rows(engine, stored) == [("ACME", "positive", True), ("ZETA", "negative", False)]
    assert [one for chunk in store.stored_since(NOON) for one in chunk] == [given]


def test_counts_are_of_one_source(store: PostStore) -> None:
    other = scored("9")
    other = replace(other, post=replace(other.post, id="other:9", source="other"))
    texts = [scored("1"), scored("2", symbols=("ACME", "ZETA")), scored("3", fingerprint="f1", symbols=())]
    told = [replace(scored(n), story="00000000000000aa", spam=("rate: 70 posts",)) for n in ("4", "5")]
    store.save([*texts, *told, Unscored(scored("6").post, "language: es", story="00000000000000bb"), other], [])

    assert store.counts("test") == StoredCounts(posts=6, mentions=5, stories=4, spam=2, unscored=1)
    assert store.counts("nobody") == StoredCounts(posts=0, mentions=0, stories=0, spam=0, unscored=0)


def test_what_was_stored_since_comes_with_the_rest_of_its_minutes(store: PostStore, engine: Engine) -> None:
    old, new, elsewhere = scored("1"), scored("2"), scored("3", published_at=NOON + timedelta(minutes=1))
    store.save([old, elsewhere], [])
    with engine.begin() as connection:
        connection.execute(text("UPDATE posts SET stored_at = stored_at - interval '3 days'"))
    store.save([new], [])

    since = datetime.now(UTC) - timedelta(days=1)
    found = [one for chunk in store.stored_since(since) for one in chunk]
    assert sorted(found, key=lambda one: one.post.id) == [old, new]


def age(engine: Engine, hours: int) -> None:
    """As if everything that is stored had been stored so much earlier."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE posts SET stored_at = stored_at - make_interval(hours => :h)"), {"h": hours})


def test_a_post_that_is_listed_again_is_given_while_its_bucket_may_live(store: PostStore, engine: Engine) -> None:
    ours, anothers = scored("1"), scored("2", published_at=NOON + timedelta(minutes=1))
    store.save([ours, anothers], [])

    assert store.save([ours], []) == [ours]
    age(engine, 26)
    assert store.save([ours], []) == [ours]
    age(engine, 25)
    assert store.save([ours], []) == []
    longer = PostStore(engine, windows_live=timedelta(hours=60))
    assert longer.save([ours], []) == [ours]


def test_a_late_post_comes_with_the_rest_of_its_minute_as_stored(store: PostStore, engine: Engine) -> None:
    start, end = scored("1", symbols=("ZETA",)), scored("2", published_at=NOON + timedelta(seconds=59.999))
    outside = [scored(f"x{n}", published_at=NOON + timedelta(seconds=n)) for n in (-1, 60)]
    store.save([start, end, *outside], [])
    age(engine, 1000)
    late = scored("3", published_at=NOON + timedelta(seconds=30))

    for delivery in ("the first", "again, after a crash between the stores"):
        first, *rest = store.save([late], [])
        assert first == late
        assert sorted(rest, key=lambda one: one.post.id) == [start, end], delivery
    assert store.save([start, late, end], [])[0] == late, "each of them once"
    age(engine, 26)
    assert {one.post.id for one in store.save([end], [])} == {"test:1", "test:2", "test:3"}, "redelivered a day later"
    age(engine, 25)
    assert store.save([start, end, late], []) == []


def test_what_was_stored_lately_does_not_come_along(store: PostStore) -> None:
    store.save([scored("1")], [])

    assert store.save([scored("2")], []) == [scored("2")]


def test_a_minute_of_today_comes_without_its_rest(store: PostStore, engine: Engine) -> None:
    now = datetime.now(UTC)
    store.save([scored("1", published_at=now)], [])
    age(engine, 30)  # as a post from the future

    assert store.save([scored("2", published_at=now)], []) == [scored("2", published_at=now)]
    assert store.save([scored("1", published_at=now)], []) == [scored("1", published_at=now)]


def test_a_rebuild_may_read_for_longer_than_a_statement_may_take(
    store: PostStore, engine: Engine, database_url: str, wait_until: WaitUntil
) -> None:
    store.save([scored("1")], [])
    hasty = connect(PostgresSettings(url=SecretStr(database_url), statement_timeout_seconds=1))
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        " AND query_start < clock_timestamp() - interval '1.2 s'"
    )
    with engine.connect() as other, ThreadPoolExecutor(1) as pool:
        other.execute(text("LOCK TABLE posts"))
        reading = pool.submit(lambda: list(PostStore(hasty).stored_since(NOON)))
        wait_until(lambda: reading.done() or rows(engine, waiting) == [(1,)], what="the statement's time is over")
        other.rollback()
        assert reading.result(10) == [[scored("1")]]
    hasty.dispose()


def test_a_worker_waits_for_another_that_stores_the_same_post(
    store: PostStore, engine: Engine, wait_until: WaitUntil
) -> None:
    store.save([scored("0")], [])
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with engine.connect() as other, ThreadPoolExecutor(1) as pool:
        other.execute(text("INSERT INTO post_ids VALUES ('test:1', now())"))
        saving = pool.submit(store.save, [scored("1")], [])
        wait_until(lambda: rows(engine, waiting) == [(1,)], what="the store waits")
        other.rollback()
        assert saving.result(10) == [scored("1")]


def test_a_server_that_cannot_be_reached_is_unavailable_in_one_line(database_url: str) -> None:
    nowhere = "postgresql://bearometer:hush@127.0.0.1:1/bearometer"
    store = PostStore(connect(PostgresSettings(url=SecretStr(nowhere))))

    with pytest.raises(Unavailable) as caught:
        store.save([scored("1")], [])

    assert "127.0.0.1:1" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_server_that_ends_the_session_is_unavailable_and_the_next_call_works(
    store: PostStore, engine: Engine
) -> None:
    store.save([scored("1")], [])
    others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    chunks = store.stored_since(datetime(2000, 1, 1, tzinfo=UTC))
    with engine.connect() as killer:
        next(chunks)
        killer.execute(text(others))
    with pytest.raises(Unavailable):
        list(chunks)

    assert store.save([scored("1")], []) == [scored("1")]


def test_story_and_reasons_of_spam_are_stored_with_the_post_and_its_mentions(store: PostStore, engine: Engine) -> None:
    told = replace(scored("1", symbols=("ZETA", "ACME")), story="00000000000000aa")
    spam = replace(scored("2", symbols=("ZETA",)), story="00000000000000aa", spam=("many-symbols: 12 symbols",))

    assert store.save([told, spam], []) == [told, spam]
    assert store.save([replace(spam, spam=(), story="")], []) == [spam], "what was said first stays"
    assert rows(engine, "SELECT DISTINCT story, spam FROM mentions ORDER BY spam") == [
        ("00000000000000aa", False),
        ("00000000000000aa", True),
    ]
    assert rows(engine, "SELECT id, spam FROM posts WHERE cardinality(spam) > 0") == [
        ("test:2", ["many-symbols: 12 symbols"])
    ]


def test_a_post_without_a_score_is_stored_and_never_given_back(store: PostStore, engine: Engine) -> None:
    foreign = Unscored(scored("1").post, "language: es", story="00000000000000aa", spam=("promotion: \0",))
    known = scored("2")

    assert store.save([foreign, known], []) == [known]
    assert store.save([foreign, replace(scored("1"))], []) == [], "it stays as it was stored first"
    assert rows(engine, "SELECT id, unscored, label, model, story, spam FROM posts WHERE label IS NULL") == [
        ("test:1", "language: es", None, None, "00000000000000aa", ["promotion: \N{REPLACEMENT CHARACTER}"])
    ]
    assert rows(engine, "SELECT post_id FROM mentions") == [("test:2",)]
    assert store.find(["test:1", "test:2"]) == {"test:2": known}
    assert [one for chunk in store.stored_since(NOON) for one in chunk] == [known]


def test_a_post_cannot_be_stored_half_scored(engine: Engine, store: PostStore) -> None:
    store.save([scored("1")], [])
    with pytest.raises(IntegrityError, match="posts_scored_or_not"), engine.begin() as connection:
        connection.execute(text("UPDATE posts SET label = NULL"))

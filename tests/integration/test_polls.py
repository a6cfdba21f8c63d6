"""What the evaluator reads: each mention once, and the watermark, against a real Postgres."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from bearometer.mention import Mention, SeenMention, Unscored
from bearometer.progress import Progress
from storage.lease import EvaluatorLease
from storage.posts import PostStore
from tests.stored_alerts import HOUR, YEAR
from tests.stored_samples import BAD, CALM, GOOD, NOON, scored


def watermark(lease: EvaluatorLease, idle_after_seconds: float) -> datetime | None:
    new: list[SeenMention] = []
    return lease.poll(NOON, idle_after_seconds, new.extend).watermark


def polled(lease: EvaluatorLease, *, whole_posts: bool = False) -> list[SeenMention]:
    """What is new, in order of event time."""
    new: list[SeenMention] = []
    poll = lease.poll(NOON, 60, new.extend, whole_posts=whole_posts)
    assert poll.mentions == len(new)
    return sorted(new, key=lambda seen: (seen.published_at, seen.post_id, seen.symbol))


@pytest.fixture
def posts(engine: Engine) -> PostStore:
    return PostStore(engine)


def test_the_first_poll_gives_the_past_and_each_later_one_what_is_new(posts: PostStore, lease: EvaluatorLease) -> None:
    old = scored("1", published_at=NOON - YEAR)
    posts.save([old, scored("2"), scored("3", sentiment=CALM), scored("4", symbols=("ZETA", "ACME"))], [])

    first = polled(lease)
    assert [(seen.post_id, seen.symbol, seen.negative) for seen in first] == [
        ("test:2", "ACME", True),
        ("test:3", "ACME", False),
        ("test:4", "ACME", True),
        ("test:4", "ZETA", True),
    ]
    assert (first[0].story, first[0].author) == ("f0", "ann")
    assert polled(lease) == []

    late = scored("5", published_at=NOON - HOUR)
    posts.save([late, scored("2")], [])
    assert [seen.post_id for seen in polled(lease)] == ["test:5"]
    assert polled(lease) == []


@pytest.mark.parametrize("earlier_commits_first", [True, False])
def test_each_mention_is_polled_once_whichever_transaction_commits_first(
    earlier_commits_first: bool, posts: PostStore, lease: EvaluatorLease, engine: Engine
) -> None:
    posts.save([scored("0", sentiment=CALM)], [])
    polled(lease)
    insert = text(
        "INSERT INTO mentions (post_id, symbol, published_at, position, source, fingerprint, negative, neutral,"
        " positive, label, model) VALUES (:id, 'ACME', :at, 0, 'test', :id, 1, 0, 0, 'negative', 'm')"
    )
    seen = []

    def poll() -> None:
        seen.append([mention.post_id for mention in polled(lease)])

    with engine.connect() as earlier, engine.connect() as later, engine.connect() as never:
        never.execute(insert, {"id": "rolled back", "at": NOON})
        earlier.execute(insert, {"id": "earlier", "at": NOON})
        later.execute(insert, {"id": "later", "at": NOON})
        poll()
        for connection in (earlier, later) if earlier_commits_first else (later, earlier):
            connection.commit()
            poll()
        never.rollback()
        poll()

    assert seen == [[], *([["earlier"], ["later"]] if earlier_commits_first else [["later"], ["earlier"]]), []]


def test_polls_beside_writing_workers_give_each_mention_once(
    posts: PostStore, lease: EvaluatorLease, engine: Engine
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    polled(lease)
    batch = [scored(str(n), published_at=NOON + timedelta(seconds=n)) for n in range(300)]

    def work(mine: list) -> None:  # type: ignore[type-arg]
        for at in range(0, len(mine), 5):
            posts.save(mine[at : at + 5], [])

    seen: list[str] = []
    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(work, batch[n::3]) for n in range(3)]
        while not all(job.done() for job in jobs):
            seen += [mention.post_id for mention in polled(lease)]
        for job in jobs:
            job.result()
    seen += [mention.post_id for mention in polled(lease)]

    assert sorted(seen) == sorted(one.post.id for one in batch)


def test_the_watermark_is_the_least_of_the_partitions_that_are_not_idle(
    posts: PostStore, lease: EvaluatorLease, engine: Engine
) -> None:
    assert watermark(lease, 60) is None
    posts.save([], [Progress("posts", 0, 1, NOON), Progress("posts", 1, 1, NOON + HOUR)])
    assert watermark(lease, 60) == NOON

    with engine.begin() as connection:
        connection.execute(
            text("UPDATE progress SET updated_at = updated_at - interval '1 minute' WHERE partition = 0")
        )
    assert watermark(lease, 59) == NOON + HOUR
    assert watermark(lease, 61) == NOON

    posts.save([], [Progress("posts", 2, 0, None)])
    assert watermark(lease, 61) is None, "a partition that has begun and seen no time yet"


def test_of_a_post_that_praises_one_company_and_blames_another_only_the_blamed_one_is_seen(
    posts: PostStore, lease: EvaluatorLease
) -> None:
    mentions = (Mention("ACME", GOOD), Mention("ZETA", BAD))
    posts.save([replace(scored("1", symbols=("ACME", "ZETA"), sentiment=BAD), mentions=mentions)], [])

    assert [(seen.symbol, seen.negative) for seen in polled(lease)] == [("ACME", False), ("ZETA", True)]
    assert lease.evidence("ZETA", NOON, NOON + HOUR).mentions == 1
    assert lease.evidence("ACME", NOON, NOON + HOUR).mentions == 0


def test_a_mention_bears_its_story_and_one_of_before_its_fingerprint(posts: PostStore, lease: EvaluatorLease) -> None:
    posts.save([scored("1", fingerprint="f1", story="s1"), scored("2", fingerprint="f2")], [])

    assert {(seen.symbol, seen.post_id, seen.story) for seen in polled(lease, whole_posts=True)} == {
        (symbol, post_id, story)
        for symbol in ("ACME", "#sales", "*")
        for post_id, story in (("test:1", "s1"), ("test:2", "f2"))
    }


@pytest.mark.parametrize("is_first", [True, False])
def test_neither_spam_nor_what_no_model_was_asked_about_is_polled(
    is_first: bool, posts: PostStore, lease: EvaluatorLease
) -> None:
    if not is_first:
        polled(lease, whole_posts=True)
    foreign = Unscored(replace(scored("2").post, language="pt"), "language: pt", story="s2")
    foreign_spam = Unscored(replace(scored("3").post, language="pt"), "language: pt", spam=("rate: 90 posts",))
    posts.save([scored("1", spam=("promotion: a list",)), foreign, foreign_spam, scored("4", topics={})], [])

    assert [(seen.symbol, seen.post_id) for seen in polled(lease, whole_posts=True)] == [
        ("*", "test:4"),
        ("ACME", "test:4"),
    ]
    for key in ("ACME", "#sales", "*"):
        said = lease.evidence(key, NOON, NOON + HOUR, every_label=True)
        assert (said.mentions, said.spam) == {"ACME": (1, 1), "#sales": (0, 1), "*": (1, 2)}[key]


def test_topics_and_the_market_are_not_polled_where_nobody_asks_for_them(
    posts: PostStore, lease: EvaluatorLease
) -> None:
    posts.save([scored("1", symbols=(), topics={"Earnings": 1.0}), scored("2", topics={"Earnings": 1.0})], [])

    assert [mention.symbol for mention in polled(lease)] == ["ACME"]


def test_a_poll_gives_whole_posts_where_they_are_asked_for(posts: PostStore, lease: EvaluatorLease) -> None:
    mixed = (Mention("ACME", GOOD), Mention("ZETA", BAD))
    posts.save(
        [
            scored("1", published_at=NOON - YEAR),
            replace(scored("2", symbols=("ACME", "ZETA"), sentiment=BAD), mentions=mixed),
            scored("3", symbols=(), sentiment=CALM, topics={}, author=None, fingerprint="f3"),
        ],
        [],
    )

    first = polled(lease, whole_posts=True)
    assert [(each.post_id, each.symbol, each.negative) for each in first] == [
        ("test:2", "#sales", True),
        ("test:2", "*", True),
        ("test:2", "ACME", False),
        ("test:2", "ZETA", True),
        ("test:3", "*", False),
    ]
    assert first[-1] == SeenMention("*", "test:3", NOON, "f3", None, "test", False)

    posts.save([scored("2"), scored("4", sentiment=GOOD, topics={}), scored("5", published_at=NOON - HOUR)], [])
    second = polled(lease)
    assert [(each.post_id, each.symbol, each.source) for each in second] == [
        ("test:5", "ACME", "test"),
        ("test:4", "ACME", "test"),
    ]
    assert polled(lease, whole_posts=True) == []

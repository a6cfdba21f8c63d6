"""What was said in an interval, and how one spoke before, from a real Postgres."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, event

from bearometer.errors import Unavailable
from bearometer.mention import Mention, Scored
from bearometer.post import MARKET, topic_key
from storage.alerts import AlertStore
from storage.evidence import Said, find_said
from storage.posts import PostStore
from tests.stored_samples import BAD, CALM, NOON, scored

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

Find = Callable[..., Said]


@pytest.fixture
def posts(engine: Engine) -> PostStore:
    return PostStore(engine)


@pytest.fixture
def find(engine: Engine) -> Find:
    def find(key: str, start: datetime = NOON, end: datetime = NOON + HOUR, every_label: bool = False) -> Said:
        with engine.begin() as connection:
            return find_said(connection, key, start, end, every_label)

    return find


def save(posts: PostStore, *batch: Scored | Sequence[Scored]) -> None:
    posts.save([one for each in batch for one in ([each] if isinstance(each, Scored) else each)], [])


def minute(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


def test_a_text_is_shown_by_its_first_and_by_its_most_followed_post(posts: PostStore, find: Find) -> None:
    save(
        posts,
        scored("late", fingerprint="a", published_at=minute(9), followers=500, author="big"),
        scored("early", fingerprint="a", published_at=minute(1), followers=None),
        scored("middle", fingerprint="a", published_at=minute(5), followers=7),
        scored("other", fingerprint="b", published_at=minute(2), text="ACME is sued"),
    )
    first, second = sorted(find("ACME").texts, key=lambda said: -said.times)
    assert (first.times, first.first.id, first.most_followed.id) == (3, "test:early", "test:late")
    assert (first.first.repeats, first.most_followed.author, first.first.followers) == (2, "big", None)
    assert (second.times, second.first.id, second.first.text) == (1, "test:other", "ACME is sued")
    assert second.first == second.most_followed
    assert (second.first.source, second.first.url) == ("test", "https://example.org/1")


def test_the_interval_holds_its_start_and_not_its_end(posts: PostStore, find: Find) -> None:
    save(posts, [scored(str(n), fingerprint=f"f{n}", published_at=NOON + n * HOUR) for n in (-1, 0, 1)])
    assert [said.first.id for said in find("ACME").texts] == ["test:0"]


def test_sources_authors_topics_and_models_come_with_their_numbers(posts: PostStore, find: Find) -> None:
    save(
        posts,
        [scored(f"a{n}", author="ann", model="m1", topics={"sales": 1.0}) for n in range(3)],
        [scored(f"b{n}", author="bob", model="m2", topics={"law": 1.0}) for n in range(2)],
        scored("c", author=None, model="m2", topics={}),
        scored("calm", sentiment=CALM, author="bob"),
    )
    said = find("ACME")
    assert said.mentions == 6
    assert said.sources == (("test", 6),)
    assert said.authors == (("ann", 3), ("bob", 2))
    assert said.topics == (("sales", 3), ("law", 2))
    assert said.models == ("m1", "m2")


def test_a_symbol_is_judged_by_its_mention_and_not_by_the_whole_post(posts: PostStore, find: Find) -> None:
    mixed = scored("mixed", symbols=("ACME", "ZETA"))
    save(posts, Scored(mixed.post, BAD, (Mention("ACME", CALM), Mention("ZETA", BAD)), "m", mixed.topics))
    assert (find("ACME").mentions, find("ZETA").mentions) == (0, 1)
    assert find("ACME", every_label=True).mentions == 1


def test_a_topic_and_the_market_are_found_by_their_keys(posts: PostStore, find: Find) -> None:
    save(
        posts,
        scored("1", topics={"law": 1.0}, fingerprint="a"),
        scored("2", topics={"sales": 1.0}, fingerprint="b", symbols=()),
        scored("3", topics={"law": 1.0}, fingerprint="c", sentiment=CALM),
    )
    assert [said.first.id for said in find(topic_key("law")).texts] == ["test:1"]
    assert find(topic_key("law"), every_label=True).mentions == 2
    assert sorted(said.first.id for said in find(MARKET).texts) == ["test:1", "test:2"]
    assert find(MARKET, every_label=True).mentions == 3
    assert find(topic_key("nothing")).texts == ()


def test_the_weeks_before_are_sampled_and_end_where_the_interval_begins(posts: PostStore, find: Find) -> None:
    save(
        posts,
        scored("old", text="too old", published_at=NOON - 29 * DAY),
        scored("calm", text="a calm day", sentiment=CALM, published_at=NOON - 20 * DAY),
        scored("bad", text="a bad day", published_at=NOON - HOUR),
        scored("other", text="another firm", symbols=("ZETA",), published_at=NOON - 2 * HOUR),
        scored("now", text="now", published_at=NOON),
    )
    said = find("ACME")
    assert said.past == ("a calm day", "a bad day")
    assert sorted(said.elsewhere) == ["a bad day", "another firm"]
    assert find(topic_key("sales")).past == find(MARKET).past == ("a calm day", "another firm", "a bad day")


def test_long_texts_are_cut_and_many_are_chosen_from(posts: PostStore, find: Find) -> None:
    save(posts, [scored(str(n), fingerprint=f"f{n:04}", text="x" * 5000, author=f"a{n}") for n in range(700)])
    said = find("ACME")
    assert said.mentions == 700
    assert 300 <= len(said.texts) <= 600
    assert {len(text.first.text) for text in said.texts} == {2000}
    assert len(said.authors) == 10


def test_one_question_is_four_statements_and_a_time_limit(posts: PostStore, find: Find, engine: Engine) -> None:
    save(posts, [scored(str(n), fingerprint=f"f{n}") for n in range(50)])
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _cur, statement, *_: statements.append(statement))
    find("ACME")
    assert len(statements) == 5


def test_the_evaluator_asks_over_its_own_connection(posts: PostStore, find: Find, engine: Engine) -> None:
    save(posts, [scored(str(n), fingerprint=f"f{n}") for n in range(3)])
    lease = AlertStore(engine).acquire_lease()
    assert lease is not None
    assert lease.evidence("ACME", NOON, NOON + HOUR) == find("ACME")
    lease.release()
    with pytest.raises(Unavailable):
        lease.evidence("ACME", NOON, NOON + HOUR)


def test_an_empty_store_has_said_nothing(find: Find) -> None:
    assert find("ACME") == find(MARKET) == Said(0, (), (), (), (), (), (), ())

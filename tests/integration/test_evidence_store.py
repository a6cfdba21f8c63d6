"""What was said in an interval, and how one spoke before, from a real Postgres."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, event

from bearometer.errors import Unavailable
from bearometer.mention import Mention, Scored, Unscored
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


def save(posts: PostStore, *batch: Scored | Sequence[Scored | Unscored]) -> None:
    posts.save([one for each in batch for one in ([each] if isinstance(each, Scored) else each)], [])


def minute(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


def elsewhere(one: Scored, source: str) -> Scored:
    return replace(one, post=replace(one.post, source=source))


def test_a_story_is_one_entry_shown_by_its_first_post(posts: PostStore, find: Find) -> None:
    save(
        posts,
        elsewhere(scored("late", fingerprint="a1", story="a", published_at=minute(9), author="big"), "wire"),
        scored("early", fingerprint="a2", story="a", published_at=minute(1), followers=None, author=None),
        scored("middle", fingerprint="a1", story="a", published_at=minute(5), author="big"),
        scored("other", fingerprint="a1", story="b", published_at=minute(2), text="ACME is sued"),
    )
    said = find("ACME")
    first, second = sorted(said.firsts, key=lambda post: -post.repeats)
    assert (said.mentions, said.stories) == (4, 2)
    assert (first.id, first.repeats, first.accounts, first.places) == ("test:early", 2, 2, 2)
    assert (first.author, first.followers, first.since) == (None, None, None)
    assert (second.id, second.text, second.repeats, second.accounts) == ("test:other", "ACME is sued", 0, 1)
    assert (second.source, second.url, second.places) == ("test", "https://example.org/1", 1)


def test_what_was_stored_without_a_story_is_folded_by_its_fingerprint(posts: PostStore, find: Find) -> None:
    save(
        posts,
        [scored(f"old{n}", fingerprint="f", published_at=minute(n)) for n in range(3)],
        scored("new", fingerprint="f", story="s", published_at=minute(4)),
    )
    said = find("ACME")
    assert said.stories == 2
    assert [(post.id, post.repeats) for post in said.firsts] == [("test:old0", 2), ("test:new", 0)]


@pytest.mark.parametrize("key", ["ACME", MARKET, topic_key("sales")])
def test_a_story_that_began_in_the_day_before_says_since_when(key: str, posts: PostStore, find: Find) -> None:
    save(
        posts,
        scored("long ago", story="s", published_at=NOON - 25 * HOUR),
        scored("spam", story="s", published_at=NOON - 24 * HOUR, spam=("rate: 70 posts",)),
        scored("calm", story="s", sentiment=CALM, published_at=NOON - 23 * HOUR),
        scored("before", story="s", published_at=NOON - HOUR),
        scored("now", story="s"),
        scored("new", story="t"),
    )
    assert [(post.id, post.repeats, post.since) for post in find(key).firsts] == [
        ("test:now", 0, NOON - 23 * HOUR),
        ("test:new", 0, None),
    ]


@pytest.mark.parametrize("key", ["ACME", MARKET, topic_key("sales")])
def test_spam_is_left_out_and_counted_by_its_first_reason(key: str, posts: PostStore, find: Find) -> None:
    hostile = ("<script>alert(1)</script>" * 9,)
    both = ("same-text: 12 accounts", 'promotion: "new pick: coming"')
    save(
        posts,
        [scored(f"copy{n}", spam=both, author=f"bot{n}") for n in range(3)],
        scored("pick", spam=('promotion: "new pick: coming"',), model="m2", text="a pick of picks"),
        scored("hostile", spam=hostile),
        scored("calm", spam=("rate: 70 posts",), sentiment=CALM),
        scored("before", spam=both, published_at=NOON - HOUR),
        scored("real", story="s"),
    )
    said = find(key)
    assert (said.mentions, said.stories, said.models, said.authors) == (1, 1, ("test-1",), (("ann", 1),))
    assert [post.id for post in said.firsts] == ["test:real"]
    assert said.past == said.elsewhere == ()
    assert said.spam == 6
    assert said.spam_reasons == (("same-text", 3), (hostile[0][:40], 1), ("promotion", 1), ("rate", 1))
    everything = find(key, every_label=True)
    assert (everything.mentions, everything.spam) == (1, 6)


def test_what_no_model_was_asked_about_is_no_evidence(posts: PostStore, find: Find) -> None:
    before = replace(scored("0").post, published_at=NOON - HOUR)
    save(posts, [Unscored(post, "language: pt", story="s") for post in (scored("1").post, before)])
    nothing = Said(0, 0, (), (), (), (), (), 0, (), (), ())
    assert find(MARKET, every_label=True) == find("ACME", every_label=True) == nothing


def test_the_interval_holds_its_start_and_not_its_end(posts: PostStore, find: Find) -> None:
    save(posts, [scored(str(n), fingerprint=f"f{n}", published_at=NOON + n * HOUR) for n in (-1, 0, 1)])
    assert [post.id for post in find("ACME").firsts] == ["test:0"]


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
    assert [post.id for post in find(topic_key("law")).firsts] == ["test:1"]
    assert find(topic_key("law"), every_label=True).mentions == 2
    assert sorted(post.id for post in find(MARKET).firsts) == ["test:1", "test:2"]
    assert find(MARKET, every_label=True).mentions == 3
    assert find(topic_key("nothing")).firsts == ()


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
    assert said.stories == 700
    assert 300 <= len(said.firsts) <= 600
    assert {len(post.text) for post in said.firsts} == {2000}
    assert len(said.authors) == 10


def test_one_question_is_six_statements_and_a_time_limit(posts: PostStore, find: Find, engine: Engine) -> None:
    save(posts, [scored(str(n), fingerprint=f"f{n}") for n in range(50)])
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _cur, statement, *_: statements.append(statement))
    find("ACME")
    assert len(statements) == 7


def test_the_evaluator_asks_over_its_own_connection(posts: PostStore, find: Find, engine: Engine) -> None:
    save(posts, [scored(str(n), fingerprint=f"f{n}") for n in range(3)])
    lease = AlertStore(engine).acquire_lease()
    assert lease is not None
    assert lease.evidence("ACME", NOON, NOON + HOUR) == find("ACME")
    lease.release()
    with pytest.raises(Unavailable):
        lease.evidence("ACME", NOON, NOON + HOUR)


def test_an_empty_store_has_said_nothing(find: Find) -> None:
    assert find("ACME") == find(MARKET) == Said(0, 0, (), (), (), (), (), 0, (), (), ())

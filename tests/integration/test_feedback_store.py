"""FeedbackStore and the reading of recent texts, against a real Postgres."""

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import Engine, text

from bearometer.correction import Correction, Criterion
from bearometer.mention import WHOLE, Label, Mention, Scored, Sentiment
from bearometer.settings import PostgresSettings
from storage.database import connect
from storage.feedback import FeedbackStore
from storage.models import ModelStore
from storage.posts import PostStore
from storage.recent import read_recent_texts
from tests.conditions import WaitUntil
from tests.stored_samples import BAD, CALM, GOOD, NOON, scored

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
EVEN = Sentiment(0.34, 0.33, 0.33)
TORN = Sentiment(0.499, 0.002, 0.499)


@pytest.fixture
def store(engine: Engine) -> FeedbackStore:
    return FeedbackStore(engine)


def post(name: str, sentiment: Sentiment = CALM, **mentions: Sentiment) -> Scored:
    """A post with a text of its own."""
    found = scored(name, sentiment=sentiment, symbols=tuple(mentions), fingerprint=f"f-{name}", text=f"text of {name}")
    return replace(found, mentions=tuple(Mention(symbol, one) for symbol, one in mentions.items()))


def said(
    post_id: str = "test:1",
    symbol: str = WHOLE,
    label: Label | None = "negative",
    who: str = "ann",
    topic: str | None = None,
) -> Correction:
    return Correction(post_id, symbol, who, label, f"text of {post_id}", f"f-{post_id.removeprefix('test:')}", topic)


def asked(store: FeedbackStore, *criteria: Criterion, who: str = "ann", **options: str) -> list[str]:
    return [question.scored.post.id for question in store.questions(who, LONG_AGO, criteria, 10, **options)]


def test_a_correction_comes_back_as_it_was_given(store: FeedbackStore) -> None:
    given = Correction(
        "test:1", WHOLE, "ann", "positive", 'so "called" \\ 🐻', "f1", "Earnings", model="m@1", model_label="neutral"
    )

    assert store.save([given]) == 1
    assert store.corrections() == [given]


def test_the_same_correction_again_changes_nothing_not_even_the_time(store: FeedbackStore, engine: Engine) -> None:
    def times() -> list[datetime]:
        with engine.connect() as connection:
            return list(connection.execute(text("SELECT labelled_at FROM labels ORDER BY symbol")).scalars())

    given = [said(), said(symbol="ACME", label="positive")]
    store.save(given)
    before = times()

    assert store.save(given) == 0
    assert times() == before


def test_the_last_word_of_a_person_counts_and_what_it_leaves_out_stays(store: FeedbackStore) -> None:
    store.save([said(label="negative", topic="Earnings"), said(label="positive")])
    assert [(one.label, one.topic) for one in store.corrections()] == [("positive", "Earnings")]

    assert store.save([said(label=None, topic="IPO")]) == 1
    assert [(one.label, one.topic) for one in store.corrections()] == [("positive", "IPO")]


@given(st.lists(st.tuples(st.sampled_from(["negative", "positive", None]), st.sampled_from(["Earnings", "IPO", None]))))
@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_words_given_at_once_are_kept_as_if_they_were_given_one_by_one(
    store: FeedbackStore, words: list[tuple[Label | None, str | None]]
) -> None:
    def kept() -> list[tuple[Label | None, str | None]]:
        found = [(one.label, one.topic) for one in store.corrections()]
        store.withdraw("test:1", "ann")
        return found

    corrections = [said(label=label, topic=topic) for label, topic in words]
    store.save(corrections)
    at_once = kept()
    for one in corrections:
        store.save([one])
    assert kept() == at_once


def test_two_people_keep_a_word_each(store: FeedbackStore) -> None:
    store.save([said(who="ann", label="negative")])
    store.save([said(who="bob", label="positive")])

    assert {one.who: one.label for one in store.corrections()} == {"ann": "negative", "bob": "positive"}
    store.withdraw("test:1", "ann")
    assert [one.who for one in store.corrections()] == ["bob"]


def test_a_text_with_nul_is_kept_without_it(store: FeedbackStore) -> None:
    store.save([replace(said(), text="a\0b")])

    assert store.corrections()[0].text == "a\N{REPLACEMENT CHARACTER}b"


def test_the_most_uncertain_text_or_mention_comes_first(store: FeedbackStore, engine: Engine) -> None:
    PostStore(engine).save(
        [post("sure", BAD), post("even", EVEN), post("mention", Sentiment(0, 1, 0), ACME=TORN), post("calm", CALM)], []
    )

    assert asked(store, Criterion.ENTROPY) == ["test:even", "test:sure", "test:mention", "test:calm"]
    assert asked(store, Criterion.MARGIN)[:2] == ["test:mention", "test:even"]
    (first, *_) = store.questions("ann", LONG_AGO, [Criterion.MARGIN], 10)
    assert (first.criterion, first.detail) == (Criterion.MARGIN, "ACME")
    assert first.doubt == pytest.approx(1.0)
    assert first.scored == post("mention", Sentiment(0, 1, 0), ACME=TORN)


@given(st.lists(st.tuples(*[st.floats(0, 1)] * 3).filter(lambda parts: sum(parts) > 0.01), min_size=1, max_size=8))
@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_entropy_and_margin_are_those_of_their_definitions(
    store: FeedbackStore, engine: Engine, parts: list[tuple[float, float, float]]
) -> None:
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE posts, mentions, post_ids"))
    batch = [
        post(str(number), Sentiment(*(part / sum(triple) for part in triple))) for number, triple in enumerate(parts)
    ]
    PostStore(engine).save(batch, [])

    for criterion in (Criterion.ENTROPY, Criterion.MARGIN):
        found = store.questions("ann", LONG_AGO, [criterion], 10)
        assert [question.doubt for question in found] == sorted((q.doubt for q in found), reverse=True)
        for question in found:
            probabilities = sorted(_parts(question.scored.sentiment))
            entropy = -sum(p * math.log(p) for p in probabilities if p > 0) / math.log(3)
            margin = probabilities[2] - probabilities[1]
            expected = entropy if criterion is Criterion.ENTROPY else 1 - margin
            assert question.doubt == pytest.approx(expected, abs=1e-9)


def test_a_mention_that_differs_from_its_text_is_asked_about(store: FeedbackStore, engine: Engine) -> None:
    absent = post("absent", GOOD)
    PostStore(engine).save(
        [
            post("same", BAD, ACME=BAD),
            post("apart", BAD, ACME=BAD, ZETA=GOOD),
            replace(absent, mentions=(Mention("ACME", BAD, in_text=False),)),
        ],
        [],
    )

    (question,) = store.questions("ann", LONG_AGO, [Criterion.MENTIONS], 10)
    assert (question.scored.post.id, question.detail) == ("test:apart", "ZETA")
    assert question.doubt == pytest.approx((0.65 + 0.05 + 0.7) / 2)


def test_repeats_of_a_text_with_different_labels_are_asked_about_once(store: FeedbackStore, engine: Engine) -> None:
    later = NOON + timedelta(minutes=5)
    PostStore(engine).save(
        [
            replace(scored("b", sentiment=GOOD, fingerprint="twice", published_at=later), model="new@2"),
            scored("a", sentiment=BAD, fingerprint="twice"),
            scored("c", sentiment=BAD, fingerprint="once"),
            scored("d", sentiment=BAD, fingerprint="once"),
        ],
        [],
    )

    (question,) = store.questions("ann", LONG_AGO, [Criterion.REPEATS], 10)
    assert (question.scored.post.id, question.detail) == ("test:a", "negative, positive")
    assert question.doubt == pytest.approx((0.6 + 0.75) / 2)


def test_a_candidate_that_says_something_else_is_asked_about(store: FeedbackStore, engine: Engine) -> None:
    PostStore(engine).save([post("1", BAD, ACME=BAD), post("2", BAD, ACME=BAD), post("3", BAD, ACME=BAD)], [])
    shadow = """
        INSERT INTO shadow_scores (model, published_at, post_id, symbol, negative, neutral, positive, label, scored_at)
        VALUES ('new@2', :at, :post, :symbol, :negative, :neutral, :positive, :label, now())"""
    with engine.begin() as connection:
        for name, symbol, sentiment in (("1", WHOLE, GOOD), ("2", WHOLE, BAD), ("3", "ACME", CALM)):
            values = dict(zip(("negative", "neutral", "positive"), _parts(sentiment), strict=True))
            row = {"at": NOON, "post": f"test:{name}", "symbol": symbol, "label": sentiment.label, **values}
            connection.execute(text(shadow), row)

    assert asked(store, Criterion.SHADOW) == []  # nobody knows this model as the shadow
    models = ModelStore(engine)
    models.register("new@2", "new", Path("/srv/new"), {}, {}, "ann")
    models.shadow("new@2", "ann")
    questions = store.questions("ann", LONG_AGO, [Criterion.SHADOW], 10)
    assert {question.scored.post.id: question.detail for question in questions} == {
        "test:1": "positive",
        "test:3": "ACME neutral",
    }
    models.promote("new@2", "ann")
    assert asked(store, Criterion.SHADOW) == []


def test_what_a_person_has_seen_is_not_asked_again_nor_its_repeats(store: FeedbackStore, engine: Engine) -> None:
    PostStore(engine).save(
        [post("1"), post("2"), replace(scored("again", sentiment=CALM, fingerprint="f-1"), mentions=())], []
    )
    store.save([said("test:1", label=None)])

    assert asked(store, Criterion.ENTROPY) == ["test:2"]
    assert asked(store, Criterion.ENTROPY, who="bob") == ["test:1", "test:2"]


def test_criteria_take_turns_and_no_text_comes_twice(store: FeedbackStore, engine: Engine) -> None:
    PostStore(engine).save(
        [post("even", EVEN), post("torn", TORN), post("apart", BAD, ACME=GOOD), post("calm", CALM)], []
    )

    found = asked(store, Criterion.ENTROPY, Criterion.MENTIONS, Criterion.MARGIN)
    assert found[:3] == ["test:even", "test:apart", "test:torn"]
    assert sorted(found) == ["test:apart", "test:calm", "test:even", "test:torn"]


def test_only_the_symbol_and_the_time_that_were_asked_for_are_looked_at(store: FeedbackStore, engine: Engine) -> None:
    PostStore(engine).save([post("1", ACME=CALM), post("2", ZETA=CALM)], [])

    assert asked(store, Criterion.ENTROPY, symbol="ZETA") == ["test:2"]
    assert store.questions("ann", datetime(2100, 1, 1, tzinfo=UTC), list(Criterion), 10) == []


def test_a_text_is_shown_as_the_first_post_of_the_symbol_that_was_asked_for(
    store: FeedbackStore, engine: Engine
) -> None:
    later = scored("zeta", symbols=("ZETA",), sentiment=EVEN, published_at=NOON + timedelta(minutes=1))
    PostStore(engine).save([scored("acme", symbols=("ACME",), sentiment=EVEN), later], [])

    assert asked(store, Criterion.ENTROPY) == ["test:acme"]
    assert asked(store, Criterion.ENTROPY, symbol="ZETA") == ["test:zeta"]


@pytest.mark.parametrize(
    "read",
    [
        lambda engine: FeedbackStore(engine).questions("ann", LONG_AGO, [Criterion.ENTROPY], 10),
        lambda engine: list(read_recent_texts(engine, LONG_AGO, 10)),
    ],
    ids=["questions", "recent texts"],
)
def test_what_reads_every_post_may_take_longer_than_a_statement_may(
    engine: Engine, database_url: str, wait_until: WaitUntil, read: Callable[[Engine], list[object]]
) -> None:
    PostStore(engine).save([scored("1")], [])
    hasty = connect(PostgresSettings(url=SecretStr(database_url), statement_timeout_seconds=1))
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        " AND query_start < clock_timestamp() - interval '1.2 s'"
    )

    def over() -> bool:
        with engine.connect() as connection:
            return bool(connection.execute(waiting).scalar_one())

    with engine.connect() as other, ThreadPoolExecutor(1) as pool:
        other.execute(text("LOCK TABLE posts"))
        reading = pool.submit(read, hasty)
        wait_until(lambda: reading.done() or over(), what="the statement's time is over")
        other.rollback()
        assert len(reading.result(10)) == 1
    hasty.dispose()


def test_recent_texts_come_once_each(engine: Engine) -> None:
    PostStore(engine).save(
        [
            scored("2", sentiment=GOOD, fingerprint="a", published_at=NOON + timedelta(minutes=1)),
            scored("1", sentiment=BAD, fingerprint="a"),
            replace(scored("3", sentiment=CALM, fingerprint="b", text="other"), topics={}),
        ],
        [],
    )

    found = [one for chunk in read_recent_texts(engine, LONG_AGO, 10) for one in chunk]
    assert [(one.text, one.topic, one.model) for one in found] == [
        ("ACME lost a customer", "sales", "test-1"),
        ("other", None, "test-1"),
    ]
    assert found[0].score == pytest.approx(-0.6)
    assert sum(len(chunk) for chunk in read_recent_texts(engine, LONG_AGO, 1)) == 1


def _parts(sentiment: Sentiment) -> Iterable[float]:
    return (sentiment.negative, sentiment.neutral, sentiment.positive)

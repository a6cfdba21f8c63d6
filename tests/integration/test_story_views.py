"""The views and functions of stories, spam and unscored posts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from bearometer.mention import Unscored
from storage.posts import PostStore
from storage.query import ask
from tests.stored_samples import CALM, GOOD, NOON, scored


def _answer(engine: Engine, query: str) -> list[dict[str, Any]]:
    with ask(engine, query, 60) as answer:
        return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


@pytest.fixture(autouse=True)
def _three_posts(engine: Engine) -> None:
    later = scored("2", sentiment=GOOD, symbols=("ACME", "ZETA"), published_at=NOON + timedelta(hours=1), author="bob")
    next_day = scored("3", sentiment=CALM, published_at=NOON + timedelta(days=1))
    PostStore(engine).save([scored("1"), later, next_day], [])


def test_spam_and_unscored_posts_count_in_no_view_but_their_own(engine: Engine) -> None:
    views = [f"{view}_by_{unit}" for view in ("sentiment", "topics") for unit in ("minute", "hour", "day")]
    views += ["negative_posts", "stories"]
    before = {view: _answer(engine, f"SELECT * FROM {view} ORDER BY 1, 2, 3") for view in views}
    spam = replace(scored("8", author="eve", fingerprint="f8"), story="5a", spam=("rate: 80 posts", "promotion: x"))
    alone = replace(spam, post=replace(spam.post, id="test:alone", published_at=NOON + timedelta(days=5)))
    foreign = replace(scored("9", fingerprint="f9").post, language="sv", published_at=NOON + timedelta(days=6))
    PostStore(engine).save([spam, alone, Unscored(foreign, "language: sv", "9a")], [])

    for view, rows in before.items():
        after = _answer(engine, f"SELECT * FROM {view} ORDER BY 1, 2, 3")
        assert [row | {"spam": 0} for row in after] == [row | {"spam": 0} for row in rows], view
    assert [row["spam"] for row in _answer(engine, "SELECT * FROM sentiment_by_day ORDER BY day, symbol")] == [1, 0, 0]
    assert [row["spam"] for row in _answer(engine, "SELECT * FROM topics_by_day ORDER BY day")] == [1, 0]

    marked = _answer(engine, "SELECT post_id, reasons, author, story, label FROM spam_posts ORDER BY published_at")
    reasons = {"reasons": list(spam.spam), "author": "eve", "story": "5a", "label": "negative"}
    assert marked == [{"post_id": "test:8"} | reasons, {"post_id": "test:alone"} | reasons]
    unscored = _answer(engine, "SELECT post_id, because, language, spam, story FROM unscored_posts")
    assert unscored == [
        {"post_id": "test:9", "because": "language: sv", "language": "sv", "spam": False, "story": "9a"}
    ]


def test_stories_are_of_a_symbol_or_of_all_posts_and_begin_with_the_first_that_is_no_spam(engine: Engine) -> None:
    day = NOON + timedelta(days=3)
    told = [
        replace(scored("spam", published_at=day, text="buy now", fingerprint="f1"), story="a1", spam=("promotion: x",)),
        replace(scored("b", published_at=day, text="ACME falls", author=None, fingerprint="f2"), story="a1"),
        replace(scored("a", published_at=day, text="ACME fell", author=None, fingerprint="f2"), story="a1"),
        replace(scored("c", published_at=day + timedelta(hours=2), symbols=("ZETA",), sentiment=GOOD), story="a1"),
        replace(scored("d", published_at=day + timedelta(hours=1)), story="b1"),
        replace(scored("e", published_at=day + timedelta(days=1), author="zoe"), story="a1"),
    ]
    PostStore(engine).save(told, [])

    period = "'2024-04-03', '2024-04-04'"
    [first, second] = _answer(engine, f"SELECT * FROM stories_between({period}) ORDER BY posts DESC")
    assert first | {"mean_score": None} == {
        "story": "a1",
        "first_at": day,
        "last_at": day + timedelta(hours=2),
        "posts": 3,
        "distinct_authors": 3,
        "distinct_sources": 1,
        "distinct_texts": 2,
        "negative": 2,
        "neutral": 0,
        "positive": 1,
        "mean_score": None,
        "spam": 1,
        "symbols": ["ACME"],
        "source": "test",
        "author": None,
        "url": "https://example.org/1",
        "text": "ACME fell",
        "post_id": "test:a",
    }
    assert first["mean_score"] == pytest.approx((2 * -0.6 + 0.75) / 3)
    assert (second["story"], second["posts"]) == ("b1", 1)

    of_acme = _answer(
        engine, f"SELECT story, posts, spam, post_id FROM stories_of('ACME', {period}) ORDER BY posts DESC"
    )
    assert of_acme == [
        {"story": "a1", "posts": 2, "spam": 1, "post_id": "test:a"},
        {"story": "b1", "posts": 1, "spam": 0, "post_id": "test:d"},
    ]
    assert _answer(engine, f"SELECT story, posts, post_id FROM stories_of('ZETA', {period})") == [
        {"story": "a1", "posts": 1, "post_id": "test:c"}
    ]
    assert _answer(engine, "SELECT posts FROM stories WHERE story = 'a1'") == [{"posts": 4}]
    # What was stored before stories were told apart: each text is one.
    assert _answer(engine, "SELECT posts FROM stories WHERE story = 'f0'") == [{"posts": 3}]


def test_stories_of_a_day_are_read_from_its_month_alone(engine: Engine) -> None:
    PostStore(engine).save(
        [scored(str(month), published_at=datetime(2023, month, 5, tzinfo=UTC)) for month in (5, 6)], []
    )

    for told in ("stories_between('2023-06-01', '2023-07-01')", "stories_of('ACME', '2023-06-01', '2023-07-01')"):
        plan = str(_answer(engine, f"EXPLAIN SELECT text FROM {told} ORDER BY posts DESC LIMIT 5"))
        assert "_2023_06" in plan
        assert "_2023_05" not in plan

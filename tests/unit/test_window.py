from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.mention import Mention, Scored, Sentiment
from bearometer.window import Bucket, Window, floor_minute, name_buckets, parse_window, sum_buckets
from tests.fakes import NOON, make_post

LABELLED = {
    "negative": Sentiment(0.8, 0.1, 0.1),
    "neutral": Sentiment(0.1, 0.8, 0.1),
    "positive": Sentiment(0.1, 0.1, 0.8),
}


def make_scored(native_id: str, text: str = "Harbor Mills opens a plant", story: str = "", **changes: Any) -> Scored:
    return Scored(make_post(native_id, text, **changes), LABELLED["neutral"], (), "test@1", story=story)


BUCKETS = st.lists(
    st.builds(
        lambda minute, label, author, text, story, followers: Bucket.of(
            "HBRM",
            make_scored(
                f"{minute}-{author}",
                text,
                story,
                author=author,
                followers=followers,
                published_at=NOON + timedelta(minutes=minute),
            ),
            LABELLED[label],
        ),
        st.integers(-30, 90),
        st.sampled_from(sorted(LABELLED)),
        st.sampled_from(["ann", "bob", "cy"]),
        st.sampled_from(["one", "two", "three"]),
        st.sampled_from(["", "5c0ffee5c0ffee00", "d15ea5ed15ea5e00"]),
        st.sampled_from([None, 0, 3, 41_000, 5_000_000]),
    ),
    max_size=40,
)


@given(BUCKETS, st.randoms(use_true_random=False))
def test_a_window_is_the_same_whatever_the_order_of_its_buckets(buckets: list[Bucket], random: st.DataObject) -> None:
    end = NOON + timedelta(hours=1)
    shuffled = sorted(buckets, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert sum_buckets("HBRM", NOON, end, buckets) == sum_buckets("HBRM", NOON, end, shuffled)


@given(BUCKETS, st.integers(1, 59))
def test_the_counts_of_two_adjoining_windows_add_up(buckets: list[Bucket], cut: int) -> None:
    middle, end = NOON + timedelta(minutes=cut), NOON + timedelta(hours=1)
    left, right = sum_buckets("HBRM", NOON, middle, buckets), sum_buckets("HBRM", middle, end, buckets)
    whole = sum_buckets("HBRM", NOON, end, buckets)
    assert (left.posts + right.posts, left.score_micros + right.score_micros) == (whole.posts, whole.score_micros)
    assert left.weight_millis + right.weight_millis == whole.weight_millis
    assert left.weighted_score_micros + right.weighted_score_micros == whole.weighted_score_micros
    assert max(left.distinct_authors, right.distinct_authors) <= whole.distinct_authors
    assert max(left.distinct_stories, right.distinct_stories) <= whole.distinct_stories <= whole.posts


@given(BUCKETS)
def test_a_weighted_mean_lies_between_the_lowest_and_the_highest_score(buckets: list[Bucket]) -> None:
    window = sum_buckets("HBRM", NOON, NOON + timedelta(hours=1), buckets)
    if window.weighted_score is None:
        assert window.posts == 0
    else:
        assert -0.700001 <= window.weighted_score <= 0.700001


def test_a_window_takes_in_its_first_minute_and_not_the_one_after_its_last() -> None:
    minutes = [Bucket("HBRM", NOON + timedelta(minutes=m), negative=1) for m in (-1, 0, 4, 5)]
    assert sum_buckets("HBRM", NOON, NOON + timedelta(minutes=5), minutes).negative == 2


def window_of(buckets: list[Bucket]) -> Window:
    return sum_buckets("HBRM", NOON, NOON + timedelta(minutes=1), buckets)


def test_repeats_and_second_posts_count_as_posts_but_not_as_distinct() -> None:
    same = [Bucket.of("HBRM", make_scored(str(n), "one", author="ann"), LABELLED["negative"]) for n in range(3)]
    window = window_of(same)
    assert (window.posts, window.distinct_authors, window.distinct_stories) == (3, 1, 1)
    assert window.mean_score == pytest.approx(-0.7)


def test_posts_of_one_story_are_one_story_in_whatever_words_and_minutes_they_tell_it() -> None:
    words = ["Harbor Mills shuts its Bilbao plant", "Harbor Mills is to shut Bilbao plant", "Bilbao: mill shuts"]
    told = [
        Bucket.of("HBRM", make_scored(str(n), text, "5c0ffee5c0ffee00"), LABELLED["negative"])
        for n, text in enumerate(words)
    ]
    other = Bucket.of("HBRM", make_scored("9", words[0], "d15ea5ed15ea5e00"), LABELLED["neutral"])
    window = window_of([*told, other])
    assert (window.posts, window.distinct_stories) == (4, 2)


def test_the_fingerprint_stands_for_a_story_that_nobody_has_told_apart() -> None:
    old = make_scored("1", "one")
    assert Bucket.of("HBRM", old, LABELLED["neutral"]).stories == {old.post.fingerprint}


def test_an_author_whom_many_follow_weighs_more_in_the_weighted_mean_and_not_in_the_plain_one() -> None:
    star = Bucket.of("HBRM", make_scored("1", followers=999), LABELLED["negative"])
    unknown = Bucket.of("HBRM", make_scored("2", followers=None), LABELLED["positive"])
    window = window_of([star, unknown])
    assert window.mean_score == pytest.approx(0)
    assert window.weighted_score == pytest.approx((4 * -0.7 + 1 * 0.7) / 5)


@given(BUCKETS)
def test_where_no_author_has_followers_the_weighted_mean_is_the_mean(buckets: list[Bucket]) -> None:
    plain = [replace(b, weight_millis=1000, weighted_score_micros=b.score_micros) for b in buckets]
    window = sum_buckets("HBRM", NOON, NOON + timedelta(hours=1), plain)
    assert window.weighted_score == (None if window.mean_score is None else pytest.approx(window.mean_score))


def test_what_was_counted_without_weights_has_no_part_in_a_weighted_mean() -> None:
    old = Bucket("HBRM", NOON, negative=4, score_micros=-4_000_000)
    new = Bucket.of("HBRM", make_scored("1"), LABELLED["positive"])
    assert window_of([old]).weighted_score is None
    assert window_of([old, new]).weighted_score == pytest.approx(0.7)


def test_posts_without_an_author_are_authors_of_their_own() -> None:
    anonymous = [Bucket.of("HBRM", make_scored(str(n), author=None), LABELLED["neutral"]) for n in range(2)]
    assert window_of(anonymous).distinct_authors == 2


def test_an_empty_window_has_no_mean_score() -> None:
    empty = sum_buckets("HBRM", NOON, NOON, [])
    assert (empty.mean_score, empty.weighted_score) == (None, None)


def test_a_post_is_counted_for_its_symbols_as_they_are_spoken_of_and_for_topic_and_market_as_it_sounds() -> None:
    good, bad, calm = LABELLED["positive"], LABELLED["negative"], LABELLED["neutral"]
    mentions = (Mention("HBRM", good), Mention("QSTN", bad, in_text=False))
    scored = Scored(make_post("1"), calm, mentions, "test@1", topics={"Macro": 0.3, "Earnings": 0.6})

    assert list(name_buckets(scored)) == [("HBRM", good), ("QSTN", bad), ("#Earnings", calm), ("*", calm)]


def test_a_post_of_a_model_without_topics_is_counted_for_none() -> None:
    assert list(name_buckets(make_scored("1"))) == [("*", LABELLED["neutral"])]


def test_spam_is_counted_for_nobody() -> None:
    mentions = (Mention("HBRM", LABELLED["negative"]),)
    spam = ("many-symbols: 12 symbols",)
    scored = Scored(make_post("1"), LABELLED["neutral"], mentions, "test@1", topics={"Macro": 0.9}, spam=spam)
    assert list(name_buckets(scored)) == []


def test_minutes_are_floored_in_utc() -> None:
    assert floor_minute(NOON + timedelta(seconds=59, microseconds=5)) == NOON


def test_an_unknown_window_is_named_with_the_known_ones() -> None:
    assert parse_window("1h") == timedelta(hours=1)
    with pytest.raises(ValueError, match="'2h' is no window; it must be one of 1m, 5m, 15m, 1h, 24h"):
        parse_window("2h")

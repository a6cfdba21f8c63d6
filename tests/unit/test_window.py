from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.mention import Mention, Scored, Sentiment
from bearometer.window import Bucket, floor_minute, name_buckets, parse_window, sum_buckets
from tests.fakes import NOON, make_post

LABELLED = {
    "negative": Sentiment(0.8, 0.1, 0.1),
    "neutral": Sentiment(0.1, 0.8, 0.1),
    "positive": Sentiment(0.1, 0.1, 0.8),
}

BUCKETS = st.lists(
    st.builds(
        lambda minute, label, author, text: Bucket.of(
            "HBRM",
            make_post(f"{minute}-{author}", text, author=author, published_at=NOON + timedelta(minutes=minute)),
            LABELLED[label],
        ),
        st.integers(-30, 90),
        st.sampled_from(sorted(LABELLED)),
        st.sampled_from(["ann", "bob", "cy"]),
        st.sampled_from(["one", "two", "three"]),
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
    assert max(left.distinct_authors, right.distinct_authors) <= whole.distinct_authors


def test_a_window_takes_in_its_first_minute_and_not_the_one_after_its_last() -> None:
    minutes = [Bucket("HBRM", NOON + timedelta(minutes=m), negative=1) for m in (-1, 0, 4, 5)]
    assert sum_buckets("HBRM", NOON, NOON + timedelta(minutes=5), minutes).negative == 2


def test_repeats_and_second_posts_count_as_posts_but_not_as_distinct() -> None:
    same = [Bucket.of("HBRM", make_post(str(n), "one", author="ann"), LABELLED["negative"]) for n in range(3)]
    window = sum_buckets("HBRM", NOON, NOON + timedelta(minutes=1), same)
    assert (window.posts, window.distinct_authors, window.distinct_texts) == (3, 1, 1)
    assert window.mean_score == pytest.approx(-0.7)


def test_posts_without_an_author_are_authors_of_their_own() -> None:
    anonymous = [Bucket.of("HBRM", make_post(str(n), author=None), LABELLED["neutral"]) for n in range(2)]
    assert sum_buckets("HBRM", NOON, NOON + timedelta(minutes=1), anonymous).distinct_authors == 2


def test_an_empty_window_has_no_mean_score() -> None:
    assert sum_buckets("HBRM", NOON, NOON, []).mean_score is None


def test_a_post_is_counted_for_its_symbols_as_they_are_spoken_of_and_for_topic_and_market_as_it_sounds() -> None:
    good, bad, calm = LABELLED["positive"], LABELLED["negative"], LABELLED["neutral"]
    mentions = (Mention("HBRM", good), Mention("QSTN", bad, in_text=False))
    scored = Scored(make_post("1"), calm, mentions, "test@1", topics={"Macro": 0.3, "Earnings": 0.6})

    assert list(name_buckets(scored)) == [("HBRM", good), ("QSTN", bad), ("#Earnings", calm), ("*", calm)]


def test_a_post_of_a_model_without_topics_is_counted_for_none() -> None:
    assert list(name_buckets(Scored(make_post("1"), LABELLED["neutral"], (), "test@1"))) == [("*", LABELLED["neutral"])]


def test_minutes_are_floored_in_utc() -> None:
    assert floor_minute(NOON + timedelta(seconds=59, microseconds=5)) == NOON


def test_an_unknown_window_is_named_with_the_known_ones() -> None:
    assert parse_window("1h") == timedelta(hours=1)
    with pytest.raises(ValueError, match="'2h' is no window; it must be one of 1m, 5m, 15m, 1h, 24h"):
        parse_window("2h")

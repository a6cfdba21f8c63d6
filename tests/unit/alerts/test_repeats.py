import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.repeats import choose_posts, fold, likeness
from bearometer.alert import TopPost
from storage.evidence import SaidText
from tests.sample_alerts import START, hostile_text


def said(text: str, minute: int = 0, times: int = 1, negative: float = 0.7, followers: int | None = 10) -> SaidText:
    at = START + timedelta(minutes=minute)
    first = TopPost(f"test:{minute}:{text}", text, at, negative, times - 1, "ann", 1)
    followed = TopPost(f"test:{minute}b:{text}", text, at, negative, times - 1, "bob", followers)
    return SaidText(times, first, followed if times > 1 else first)


@pytest.mark.parametrize(
    "other",
    [
        "Harbor Mills recalls its flour after 14 people fell ill #recall #HBRM",
        "RT @grain_watch: Harbor Mills recalls its flour after 140 people fell ill",
        "$HBRM $ZETA HARBOR MILLS recalls its flour after 3,000 people fell ill!!",
        "Harbor Mills recalls its flour after two… @everyone",
        "Harbor Mills recalls its flour af…",
        "Harbor Mills recalls its flour after 14 people fell ill https://evil.example/1",
    ],
)
def test_texts_that_differ_in_what_varies_are_one_story(other: str) -> None:
    text = "Harbor Mills recalls its flour after 14 people fell ill"
    if "two" in other:
        other = other.replace(" two", "")
    (story,) = fold([said(text, 5, times=3), said(other, 9)])
    assert story.times == 4
    assert story.first.text == text
    assert story.first.repeats == story.most_followed.repeats == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Harbor Mills recalls its flour", "Harbor Mills recalls its bread"),
        ("#HBRM", "#ZETA"),
        ("down 5%", "up 5%"),
        ("Harbor Mills", "Harbor Mills is sued by everybody"),
        ("😀" * 20, "😡" * 20),
        ("\u0301" * 40, "\u0302" * 40),
    ],
)
def test_texts_that_say_something_else_or_next_to_nothing_stay_apart(one: str, other: str) -> None:
    assert len(fold([said(one, 1), said(other, 2)])) == 2


def test_the_first_post_and_the_most_followed_may_be_of_different_texts() -> None:
    (story,) = fold(
        [said("the mill is on fire today", 9, times=2, followers=500), said("the mill is on fire today #mill", 1)]
    )
    assert story.first.published_at == START + timedelta(minutes=1)
    assert (story.most_followed.followers, story.most_followed.author) == (500, "bob")


def test_each_post_is_chosen_once_and_says_why() -> None:
    stories = fold(
        [
            said("a first grumble about the mill", 1),
            said("the mill has burnt to the ground", 5, times=9),
            said("the worst firm there ever was", 7, negative=0.99),
            said("nobody cares about this mill", 8, followers=None),
        ]
    )
    posts = choose_posts(stories, 3)
    assert [post.roles for post in posts] == [("first",), ("most shared",), ("most negative",)]
    assert [post.roles for post in choose_posts(stories, 9)][3:] == [()]


def test_one_post_may_have_every_role() -> None:
    (post,) = choose_posts(fold([said("the mill has burnt to the ground", 5, times=2)]), 5)
    assert post.roles == ("first", "most shared", "most negative")
    assert post.author == "ann"


def test_what_was_said_once_is_not_the_most_shared() -> None:
    (post,) = choose_posts(fold([said("the mill has burnt to the ground")]), 5)
    assert post.roles == ("first", "most negative")


def test_the_first_is_the_first_that_tells_what_is_new() -> None:
    stories = fold([said("an old grumble about the mill", 1), said("a recall of the flour, alas", 5)])
    assert choose_posts(stories, 5, ["recall"])[0].text == "a recall of the flour, alas"
    assert choose_posts(stories, 5, ["call"])[0].text == "an old grumble about the mill"


def test_no_posts_are_chosen_from_nothing() -> None:
    assert choose_posts(fold([]), 5) == ()


texts = st.lists(
    st.builds(
        said,
        st.one_of(
            hostile_text,
            st.sampled_from(["the mill is on fire", "the mill is on fire #x", "RT @a: THE mill is on fire"]),
        ),
        st.integers(0, 99),
        st.integers(1, 9),
        st.floats(0, 1),
        st.none() | st.integers(0, 10**9),
    ),
    max_size=12,
    unique_by=lambda each: each.first.id,
)


@settings(deadline=None)
@given(texts, st.randoms(use_true_random=False), st.integers(1, 5))
def test_folding_loses_nothing_and_the_order_does_not_matter(
    texts: list[SaidText], rng: random.Random, limit: int
) -> None:
    stories = fold(texts)
    assert sum(story.times for story in stories) == sum(text.times for text in texts)
    assert sorted(text.first.id for story in stories for text in story.texts) == sorted(t.first.id for t in texts)
    rng.shuffle(texts)
    assert fold(texts) == stories
    posts = choose_posts(stories, limit)
    assert len(posts) == min(limit, len(stories))
    assert len({post.id for post in posts}) == len(posts)


def test_a_long_run_of_letters_is_read_in_a_moment() -> None:
    assert likeness("x" * 100_000) == "x" * 100_000
    assert likeness(f"{'x' * 100_000}1") == ""

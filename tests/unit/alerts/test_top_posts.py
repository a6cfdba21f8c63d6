import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.top_posts import choose_posts
from bearometer.alert import TopPost
from tests.sample_alerts import START, hostile_text


def first(text: str, minute: int = 0, times: int = 1, negative: float = 0.7, followers: int | None = 10) -> TopPost:
    at = START + timedelta(minutes=minute)
    return TopPost(f"test:{minute}:{text}", text, at, negative, times - 1, "ann", followers)


def test_each_post_is_chosen_once_and_says_why() -> None:
    firsts = [
        first("nobody cares about this mill", 8, followers=None),
        first("everybody reads this of the mill", 9, followers=9_000),
        first("the worst firm there ever was", 7, negative=0.99),
        first("the mill has burnt to the ground", 5, times=9),
        first("a first grumble about the mill", 1),
    ]
    assert [post.roles for post in choose_posts(firsts, 3)] == [("first",), ("most shared",), ("most negative",)]
    others = choose_posts(firsts, 9)[3:]
    assert [(post.text.split()[0], post.roles) for post in others] == [("everybody", ()), ("nobody", ())]


def test_one_post_may_have_every_role() -> None:
    (post,) = choose_posts([first("the mill has burnt to the ground", 5, times=2)], 5)
    assert post.roles == ("first", "most shared", "most negative")


def test_what_was_said_once_is_not_the_most_shared() -> None:
    (post,) = choose_posts([first("the mill has burnt to the ground")], 5)
    assert post.roles == ("first", "most negative")


def test_of_equals_the_earliest_has_the_role() -> None:
    posts = choose_posts([first("late", 3, times=2), first("early", 2, times=2)], 5)
    assert [(post.text, post.roles) for post in posts] == [
        ("early", ("first", "most shared", "most negative")),
        ("late", ()),
    ]


def test_the_first_is_the_first_that_tells_what_is_new() -> None:
    firsts = [first("an old grumble about the mill", 1), first("a recall of the flour, alas", 5)]
    assert choose_posts(firsts, 5, ["recall"])[0].text == "a recall of the flour, alas"
    assert choose_posts(firsts, 5, ["call"])[0].text == "an old grumble about the mill"


def test_no_posts_are_chosen_from_nothing() -> None:
    assert choose_posts([], 5) == ()


firsts_of_stories = st.lists(
    st.builds(
        first,
        hostile_text,
        st.integers(0, 99),
        st.integers(1, 9),
        st.floats(0, 1),
        st.none() | st.integers(0, 10**9),
    ),
    max_size=12,
    unique_by=lambda post: post.id,
)


@settings(deadline=None)
@given(firsts_of_stories, st.randoms(use_true_random=False), st.integers(1, 5))
def test_the_order_of_the_stories_changes_nothing(firsts: list[TopPost], rng: random.Random, limit: int) -> None:
    posts = choose_posts(firsts, limit, ["the"])
    assert len(posts) == min(limit, len(firsts))
    assert len({post.id for post in posts}) == len(posts)
    rng.shuffle(firsts)
    assert choose_posts(firsts, limit, ["the"]) == posts

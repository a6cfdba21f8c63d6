"""What the stories promise, on Redis and on the in-memory twin."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import TypeAlias

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from bearometer.errors import WindowsLost
from bearometer.settings import RedisSettings
from bearometer.sketch import Sketch, is_same
from bearometer.story import Placement, story_id
from storage.memory_stories import MemoryStoryStore
from storage.stories import StoryStore
from storage.story_plan import STORIES_PER_TOKEN
from tests.stored_samples import NOON
from tests.story_samples import MERGER, RECALL, RECALL_CREDITED, RECALL_SHARED, ROSES, told

Stories: TypeAlias = StoryStore | MemoryStoryStore
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WORDS = ("amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath", "islet", "knoll", "larch", "marsh")


@pytest.fixture(params=["redis", "memory"])
def stories(request: pytest.FixtureRequest) -> Stories:
    if request.param == "memory":
        return MemoryStoryStore()
    url = request.getfixturevalue("redis_url")
    restore(url)
    return StoryStore(RedisSettings(url=SecretStr(url)))


def restore(url: str) -> None:
    """Set the marker that a rebuild of the windows sets at its end."""
    with redis.Redis.from_url(url) as client:
        client.set("bearometer:complete", client.info("server")["run_id"])


def lose(stories: Stories, url: str) -> None:
    if isinstance(stories, MemoryStoryStore):
        stories.lose()
    else:
        with redis.Redis.from_url(url) as client:
            client.flushdb()


def remember_again(stories: Stories, url: str, stored: Sequence[tuple[Sketch, str]]) -> None:
    """As a rebuild of the windows does."""
    guard, token = "bearometer:rebuilding", ":a-token"
    if isinstance(stories, StoryStore):
        with redis.Redis.from_url(url) as client:
            client.set(guard, client.info("server")["run_id"] + token)
    stories.remember(stored, guard, token)
    if isinstance(stories, MemoryStoryStore):
        stories.restore()
    else:
        restore(url)


def place_one(stories: Stories, sketch: Sketch) -> Placement:
    [placement] = stories.place([sketch])
    return placement


def names(placements: Sequence[Placement]) -> list[str]:
    return [placement.story for placement in placements]


def test_a_post_like_no_other_begins_a_story(stories: Stories) -> None:
    assert place_one(stories, told("1")) == Placement(
        story=story_id("test:1"), first=True, same_text_authors=1, author_posts=1
    )


def test_an_exact_repeat_and_a_near_repeat_join_the_story_and_are_counted(stories: Stories) -> None:
    place_one(stories, told("1", author="ann"))

    repeat = place_one(stories, told("2", author="bob"))
    near = place_one(stories, told("3", RECALL_SHARED, author="cem"))

    assert repeat == Placement(story_id("test:1"), False, same_text_authors=2, author_posts=1)
    assert near == Placement(story_id("test:1"), False, same_text_authors=1, author_posts=1)


def test_posts_that_tell_something_else_have_stories_of_their_own(stories: Stories) -> None:
    placements = stories.place([told("1"), told("2", MERGER), told("3", ROSES)])

    assert names(placements) == [story_id("test:1"), story_id("test:2"), story_id("test:3")]
    assert all(placement.first for placement in placements)


def test_what_keeps_two_posts_apart_keeps_their_stories_apart(stories: Stories) -> None:
    figures = [f"Quillwater sells {n} ferries of the old line to a yard in Gdansk for scrap" for n in (12, 19)]
    placements = stories.place(
        [
            told("1", figures[0], symbols=("QLWT",)),
            told("2", figures[1], symbols=("QLWT",)),
            told("3", RECALL, symbols=("HBRM",)),
            told("4", RECALL_SHARED, symbols=("QLWT",)),
        ]
    )

    assert len(set(names(placements))) == 4


def test_a_short_text_is_told_again_by_its_exact_copies_only(stories: Stories) -> None:
    placements = stories.place([told("1", "Toasters burn"), told("2", "Toasters burn"), told("3", "Toasters burned")])

    assert names(placements) == [story_id("test:1"), story_id("test:1"), story_id("test:3")]


def test_a_post_that_comes_again_has_its_story_and_its_numbers_again_and_counts_once(stories: Stories) -> None:
    batch = [
        told("1", author="ann"),
        told("2", RECALL_SHARED, author="bob"),
        told("3", MERGER, author="ann"),
        told("4", RECALL_SHARED, author="ann"),
        told("5", RECALL_SHARED, author=None),
    ]
    before = stories.place(batch)

    again = stories.place([*batch, *reversed(batch)])

    assert again == [*before, *reversed(before)]
    assert [p.first for p in before] == [True, False, True, False, False]
    assert [p.same_text_authors for p in before] == [1, 1, 1, 2, 3]
    assert [p.author_posts for p in before] == [1, 1, 2, 3, 0]
    last = place_one(stories, told("6", RECALL_SHARED, author="ann"))
    assert (last.same_text_authors, last.author_posts) == (3, 4)


def test_a_busy_author_whose_posts_all_come_again_is_no_busier(stories: Stories) -> None:
    batch = [told(str(n)) for n in range(70)]
    before = stories.place(batch)

    assert [p.author_posts for p in before] == list(range(1, 71))
    assert stories.place(batch) == before
    assert place_one(stories, batch[0]).author_posts == 1


def test_a_post_that_stands_twice_in_a_batch_counts_once(stories: Stories) -> None:
    *_, first, again, other = stories.place([told("1", author="bob"), told("2"), told("2"), told("3")])

    assert first == again
    assert (first.same_text_authors, first.author_posts, other.author_posts) == (2, 1, 2)


def test_a_story_is_led_by_the_post_that_came_first_whatever_its_time(stories: Stories) -> None:
    later, earlier = stories.place([told("1", published_at=NOON + HOUR), told("2", published_at=NOON)])

    assert later.story == earlier.story == story_id("test:1")
    assert (later.first, earlier.first) == (True, False)


@pytest.mark.parametrize("text", [RECALL, RECALL_CREDITED], ids=["exact", "near"])
@pytest.mark.parametrize("start", [NOON, NOON - 12 * HOUR, NOON + 12 * HOUR - SECOND])
@pytest.mark.parametrize("way", [1, -1], ids=["later", "earlier"])
def test_a_story_reaches_a_day_to_either_side_of_its_first_post(
    stories: Stories, text: str, start: datetime, way: int
) -> None:
    first = place_one(stories, told("1", published_at=start))

    at_the_edge = place_one(stories, told("2", text, published_at=start + way * DAY))
    outside = place_one(stories, told("3", text, published_at=start + way * (DAY + SECOND)))

    assert at_the_edge.story == first.story
    assert outside.story == story_id("test:3")


def test_of_two_stories_of_one_text_a_post_joins_the_nearer(stories: Stories) -> None:
    stories.place([told("1", published_at=NOON), told("2", published_at=NOON + 2 * DAY)])

    placements = stories.place(
        [told("3", published_at=NOON + 23 * HOUR), told("4", published_at=NOON + 25 * HOUR), told("5")]
    )

    assert names(placements) == [story_id("test:1"), story_id("test:2"), story_id("test:1")]


def test_stories_reach_as_far_as_they_are_told_to(redis_url: str) -> None:
    restore(redis_url)
    for short in (StoryStore(RedisSettings(url=SecretStr(redis_url)), hours=0.5), MemoryStoryStore(hours=0.5)):
        placements = short.place([told(str(n), published_at=NOON + n * 20 * timedelta(minutes=1)) for n in range(3)])

        assert names(placements) == [story_id("test:0"), story_id("test:0"), story_id("test:2")]


def test_a_text_that_joined_a_story_leads_its_copies_there_though_they_come_by_another_way(stories: Stories) -> None:
    first, near = stories.place([told("1"), told("2", RECALL_SHARED)])
    # Its symbols keep it from being the same as the first post, but not from being a copy of the second.
    copy = place_one(stories, told("3", RECALL_SHARED, symbols=("QLWT",)))

    assert first.story == near.story == copy.story


def test_a_post_like_a_story_but_not_like_its_first_post_begins_another(stories: Stories) -> None:
    drift = [[*WORDS[n:], *(f"{word}side" for word in WORDS[:n])] for n in (0, 2, 5)]
    first, second, third = (told(str(n), " ".join(text)) for n, text in enumerate(drift))
    assert is_same(first.leader, second.leader)
    assert is_same(second.leader, third.leader)
    assert not is_same(first.leader, third.leader)

    placements = stories.place([first, second, third])

    assert names(placements) == [story_id("test:0"), story_id("test:0"), story_id("test:2")]


def test_a_post_joins_the_story_that_is_most_like_it(stories: Stories) -> None:
    texts = ([*WORDS[:-3], "oak", "pine", "reed"], [*WORDS, "sedge", "thorn", "umber", "vale"], WORDS)
    far, near, post = (told(str(n), " ".join(text)) for n, text in enumerate(texts))
    assert is_same(far.leader, post.leader)
    assert is_same(near.leader, post.leader)
    assert not is_same(far.leader, near.leader)

    first, second, third = stories.place([far, near, post])

    assert first.story != second.story == third.story


def test_authors_are_counted_once_and_who_has_no_name_each_for_himself(stories: Stories) -> None:
    placements = stories.place(
        [
            told("1", author="ann"),
            told("2", author="ann"),
            told("3", author=None),
            told("4", author=None),
            told("5", RECALL_SHARED, author="ann"),
            told("6", RECALL_SHARED, author="çelik"),
        ]
    )

    assert [p.same_text_authors for p in placements] == [1, 1, 2, 3, 1, 2]
    assert [p.author_posts for p in placements] == [1, 2, 0, 0, 3, 1]


def test_an_authors_posts_are_counted_by_source_and_hour_whatever_they_tell(stories: Stories) -> None:
    placements = stories.place(
        [
            told("1", published_at=NOON),
            told("2", MERGER, published_at=NOON + HOUR - SECOND),
            told("3", ROSES, published_at=NOON + HOUR),
            told("4", ROSES, published_at=NOON, source="elsewhere"),
        ]
    )

    assert [p.author_posts for p in placements] == [1, 2, 1, 1]


def test_past_a_thousand_authors_no_more_are_told_apart(stories: Stories) -> None:
    placements = stories.place([told(str(n), author=f"a{n}") for n in range(1050)])

    assert [p.same_text_authors for p in placements] == [*range(1, 1001), *[1000] * 50]


def test_stories_that_were_lost_are_never_mistaken_for_none(stories: Stories, redis_url: str) -> None:
    place_one(stories, told("1"))
    lose(stories, redis_url)

    with pytest.raises(WindowsLost):
        stories.place([told("2")])
    with pytest.raises(WindowsLost):
        stories.place([])


@pytest.mark.parametrize("way", [1, -1], ids=["in order", "backwards"])
def test_what_is_remembered_after_a_loss_is_what_was_lost(stories: Stories, redis_url: str, way: int) -> None:
    batch = [told("1"), told("2", RECALL_SHARED, author="bob"), told("3", MERGER), told("4", author="cem"), told("5")]
    before = stories.place(batch)
    lose(stories, redis_url)

    stored = list(zip(batch, names(before), strict=True))[::way]
    for _ in range(2):  # again changes nothing
        remember_again(stories, redis_url, stored)
        again = stories.place(batch)
        assert names(again) == names(before)
        assert [p.first for p in again] == [p.first for p in before]
    exact, near = stories.place([told("6", author="dan"), told("7", RECALL_CREDITED)])
    assert exact.story == near.story == story_id("test:1")
    assert (exact.same_text_authors, near.author_posts) == (3, 4), "ann has three, and one of three copies is dan's"


@pytest.mark.parametrize("way", [1, -1], ids=["in order", "backwards"])
def test_a_remembered_post_that_comes_again_is_hidden_by_nothing(stories: Stories, redis_url: str, way: int) -> None:
    batch = [*(told(str(n)) for n in range(5)), *(told(author, author=author) for author in ("bob", "cem"))]
    stored = list(zip(batch, names(stories.place(batch)), strict=True))
    lose(stories, redis_url)
    remember_again(stories, redis_url, stored[::way])

    again = stories.place([*batch, told("nobody's", author=None)])

    assert {(p.same_text_authors, p.author_posts) for p in again[:-1]} == {(1, 1)}
    assert (again[-1].same_text_authors, again[-1].author_posts) == (4, 0)


def test_a_post_that_is_remembered_while_it_is_known_keeps_its_numbers(stories: Stories, redis_url: str) -> None:
    batch = [told("1"), told("2", author="bob"), told("3")]
    before = stories.place(batch)

    remember_again(stories, redis_url, list(zip(batch, names(before), strict=True)))

    assert stories.place(batch) == before


def test_the_story_that_shares_most_bands_need_not_be_the_one_that_is_told(stories: Stories) -> None:
    post = told("3", f"BREAKING: {RECALL} 9!!")
    templates = [replace(told(f"figure-{n}", f"{RECALL} {n}"), bands=post.bands) for n in range(30, 37)]
    same = replace(told("2", f"{RECALL} 9"), bands=post.bands[:1])
    stories.place([same, *templates])

    assert place_one(stories, post).story == story_id("test:2")


def test_a_story_whose_first_post_is_gone_goes_on(stories: Stories, redis_url: str) -> None:
    lose(stories, redis_url)
    remember_again(
        stories, redis_url, [(told("2", RECALL_SHARED), story_id("test:1")), (told("3"), story_id("test:1"))]
    )

    exact, near, other = stories.place([told("4"), told("5", RECALL_CREDITED), told("6", MERGER)])

    assert exact.story == near.story == story_id("test:1")
    assert (exact.author_posts, near.author_posts) == (3, 4)
    assert not exact.first
    assert other.story == story_id("test:6")


def test_a_first_post_that_is_remembered_late_leads_its_story_again(stories: Stories, redis_url: str) -> None:
    lose(stories, redis_url)
    story = story_id("test:1")
    late = told("2", published_at=NOON + 20 * HOUR)
    remember_again(stories, redis_url, [(late, story), (told("1"), story)])

    assert place_one(stories, told("3", RECALL_CREDITED, published_at=NOON - 23 * HOUR)).story == story


@pytest.mark.parametrize("text", [RECALL, RECALL_SHARED], ids=["same text", "another"])
def test_who_led_a_story_until_its_first_post_came_is_still_counted(
    stories: Stories, redis_url: str, text: str
) -> None:
    lose(stories, redis_url)
    story = story_id("test:1")
    remember_again(stories, redis_url, [(told("2", text, author="bob"), story), (told("1"), story)])

    copies = stories.place([told("3", text, author="cem"), told("4", RECALL, author="dan")])

    assert [p.story for p in copies] == [story, story]
    assert [p.same_text_authors for p in copies] == ([3, 4] if text == RECALL else [2, 2])


def test_a_post_that_has_a_story_keeps_it_whatever_is_remembered(stories: Stories, redis_url: str) -> None:
    place_one(stories, told("1"))
    remember_again(stories, redis_url, [(told("1"), story_id("test:9"))])

    assert place_one(stories, told("1")).story == story_id("test:1")


@pytest.mark.parametrize("story", ["", "x", "0" * 15, "ABCDEF0123456789", "0123 456789abcdef", "é" * 16])
def test_what_is_no_story_is_not_remembered(stories: Stories, redis_url: str, story: str) -> None:
    remember_again(stories, redis_url, [(told("1"), story)])

    assert place_one(stories, told("1", author="bob")) == Placement(story_id("test:1"), True, 1, 1)
    assert place_one(stories, told("2")).author_posts == 1


HOSTILE = ["", "\0", "a\nb", "*", "[x]?", ":" * 50, "é" * 3000, "\ud800", "{{tag}}", "complete", "p\xff", "日本"]


@pytest.mark.parametrize("odd", HOSTILE, ids=range(len(HOSTILE)))
def test_odd_ids_authors_sources_and_symbols_are_names_like_others(stories: Stories, odd: str) -> None:
    first = told(odd, author=odd, source=odd, symbols=("HBRM",))
    plain = told("1", author="ann")
    placements = stories.place([first, plain, first])

    assert names(placements) == [story_id(first.post_id)] * 3
    assert placements[2] == placements[0]


SKETCHES = st.builds(
    lambda id_, words, minutes, author: told(
        str(id_), " ".join(words), published_at=NOON + timedelta(minutes=minutes), author=author
    ),
    st.integers(0, 40),
    st.lists(st.sampled_from([*WORDS[:9], "12", "19"]), min_size=4, max_size=9),
    st.integers(-2000, 2000),
    st.sampled_from([None, "ann", "bob"]),
)
numbers = count()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(SKETCHES, max_size=20, unique_by=lambda sketch: sketch.post_id), st.integers(1, 7), st.data())
def test_neither_the_cutting_into_batches_nor_what_comes_again_changes_anything(
    redis_url: str, batch: list[Sketch], size: int, data: st.DataObject
) -> None:
    restore(redis_url)
    whole, cut = (StoryStore(RedisSettings(url=SecretStr(redis_url), prefix=f"p{next(numbers)}")) for _ in range(2))
    with redis.Redis.from_url(redis_url) as client:
        for prefix in (whole._complete, cut._complete):
            client.set(prefix, client.info("server")["run_id"])

    at_once = whole.place(batch)
    in_parts = []
    for at in range(0, len(batch), size):
        part = batch[at : at + size]
        # As after a kill: what was placed before comes again, here and there, with what is new.
        again = data.draw(st.lists(st.integers(0, at + len(part) - 1), max_size=4))
        found = cut.place([*part, *(batch[n] for n in again)])
        in_parts += found[: len(part)]
        assert found[len(part) :] == [in_parts[n] for n in again]

    assert in_parts == at_once
    # As long as no band of the twin's, which has room for all, holds more stories than one in Redis does.
    twin = MemoryStoryStore()
    few, expected = batch[:STORIES_PER_TOKEN], at_once[:STORIES_PER_TOKEN]
    assert twin.place(few) == expected
    assert twin.place(few[::-1]) == expected[::-1]
    assert whole.place(batch) == at_once
    assert whole.place(batch[::-1]) == at_once[::-1]

"""What Redis keeps of stories, when somebody is forgotten: nothing of him, and all else as before."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis
from pydantic import SecretStr
from sqlalchemy import Engine

from bearometer.clock import SystemClock
from bearometer.errors import WindowsLost
from bearometer.post import Post
from bearometer.settings import RedisSettings
from bearometer.sketch import SKETCH_VERSION, make_sketch
from bearometer.story import story_id
from storage.forget import Whom, forget, preview
from storage.forget_stories import ForgettingStoryStore
from storage.forget_windows import ForgettingWindowStore
from storage.posts import PostStore
from storage.story_plan import Asked, author_digest
from tests.stored_samples import scored
from tests.story_samples import MERGER, RECALL, RECALL_CREDITED, RECALL_SHARED, held_in, told

BASE = f"bearometer:story:v{SKETCH_VERSION}:"
CLOCK = SystemClock()


@pytest.fixture
def windows(redis_url: str, engine: Engine) -> ForgettingWindowStore:
    store = ForgettingWindowStore(RedisSettings(url=SecretStr(redis_url)))
    store.rebuild(PostStore(engine), CLOCK)
    return store


@pytest.fixture
def stories(redis_url: str, windows: ForgettingWindowStore) -> ForgettingStoryStore:
    return ForgettingStoryStore(RedisSettings(url=SecretStr(redis_url)))


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def store_all(
    engine: Engine, windows: ForgettingWindowStore, stories: ForgettingStoryStore, posts: list[Post]
) -> dict[str, str]:
    """As a stream worker does; gives the stories by post."""
    placed = stories.place([make_sketch(post) for post in posts])
    told_ = [
        replace(scored("x"), post=post, mentions=(), story=placement.story)
        for post, placement in zip(posts, placed, strict=True)
    ]
    windows.add(PostStore(engine).save(told_, []))
    return {post.id: placement.story for post, placement in zip(posts, placed, strict=True)}


def post(id_: str, text: str, author: str | None) -> Post:
    return replace(scored(id_, author=author, text=text, symbols=(), fingerprint=text[::-1]).post)


BOBS = (post("1", RECALL, "Bad_Bob"), post("2", MERGER, "Bad_Bob"))
ANNS = (post("3", RECALL_SHARED, "ann"), post("4", f"{RECALL}!", "ann"), post("5", RECALL_CREDITED, None))


def traces(client: redis.Redis, post: Post, *, of_author: bool = True) -> list[bytes]:
    """The keys that hold the post's digest, what a story of it would be compared by, or its author's digest."""
    asked = Asked.of(make_sketch(post), 0)
    marks = [asked.tokens[0][1], asked.sketch.leader.to_bytes(), *([asked.author] if of_author else [])]
    return [
        key
        for key, held in held_in(client).items()
        if key.startswith(BASE.encode()) and any(mark in held for mark in marks)
    ]


def test_nothing_is_left_of_a_forgotten_author_and_the_others_story_goes_on(
    engine: Engine, windows: ForgettingWindowStore, stories: ForgettingStoryStore, client: redis.Redis
) -> None:
    known = store_all(engine, windows, stories, [*BOBS, *ANNS])
    assert all(traces(client, one) for one in BOBS)
    assert {known[one.id] for one in ANNS} == {story_id(BOBS[0].id)}

    done = forget(engine, windows, Whom(names=frozenset({"Bad_Bob"})), CLOCK)

    assert (done.posts, done.stories) == (2, 2)
    assert [traces(client, one) for one in BOBS] == [[], []]
    again = stories.place([make_sketch(one) for one in ANNS])
    assert [p.story for p in again] == [known[one.id] for one in ANNS], "the id of the story stays"
    assert [p.author_posts for p in again] == [1, 1, 0]
    assert {p.first for p in again} == {False}
    assert stories.place([told("6", MERGER)])[0].first, "nothing leads there any more"


def test_a_forgotten_post_is_gone_and_its_authors_others_stay(
    engine: Engine, windows: ForgettingWindowStore, stories: ForgettingStoryStore, client: redis.Redis
) -> None:
    known = store_all(engine, windows, stories, [*BOBS, *ANNS])

    done = forget(engine, windows, Whom(post_ids=frozenset({BOBS[0].id})), CLOCK)

    assert (done.posts, done.stories) == (1, 1)
    assert traces(client, BOBS[0], of_author=False) == []
    assert stories.place([make_sketch(BOBS[1])])[0].story == known[BOBS[1].id]


def test_a_dry_run_counts_and_changes_nothing(
    engine: Engine, windows: ForgettingWindowStore, stories: ForgettingStoryStore, client: redis.Redis
) -> None:
    store_all(engine, windows, stories, [*BOBS, *ANNS])
    before = {key: client.dump(key) for key in client.scan_iter()}

    found = preview(engine, windows, Whom(names=frozenset({"Bad_Bob"})))

    assert (found.posts, found.stories, found.nothing) == (2, 2, False)
    assert {key: client.dump(key) for key in client.scan_iter()} == before


def test_whom_nothing_tells_of_costs_nobody_a_rebuild(
    engine: Engine, windows: ForgettingWindowStore, stories: ForgettingStoryStore
) -> None:
    known = store_all(engine, windows, stories, [*ANNS])

    assert windows.remove_telling({"nobody"}, {"test:none"}) == (0, 0)
    assert stories.place([make_sketch(ANNS[0])])[0].story == known[ANNS[0].id]


def test_a_post_in_no_bucket_is_found_by_its_story(
    windows: ForgettingWindowStore, stories: ForgettingStoryStore
) -> None:
    stories.place([make_sketch(BOBS[0])])

    assert windows.count_telling({"Bad_Bob"}, ()) == (0, 1)
    assert windows.count_telling((), {BOBS[0].id}) == (0, 1)
    assert windows.remove_telling((), {BOBS[0].id}) == (0, 1)
    with pytest.raises(WindowsLost):
        stories.place([])


@pytest.mark.parametrize("left", ["authors", "leader", "told"])
def test_an_author_is_found_by_whatever_has_not_expired(
    stories: ForgettingStoryStore, client: redis.Redis, left: str
) -> None:
    stories.place([make_sketch(one) for one in (BOBS[0], ANNS[0], post("6", RECALL, "cem"))])
    for gone in {"authors", "leader", "told"} - {left}:
        client.delete(*client.scan_iter(f"{BASE}*{gone}*"))

    assert stories.count_telling({"Bad_Bob"}, ()) == 1
    for name in ("ann", "cem"):
        assert stories.count_telling({name}, ()) == int(left != "leader"), "neither began one"
    assert stories.count_telling({"bob", "Bad_Bo"}, ()) == 0


def test_each_author_is_found_by_his_hours_alone_whatever_bytes_his_digest_has(
    stories: ForgettingStoryStore, client: redis.Redis
) -> None:
    names = [f"author-{n}" for n in range(400)]
    assert {byte for name in names for byte in author_digest(name)} >= set(b"*?[]^\\-")
    stories.place([told(name, author=name) for name in names[::2]])
    client.delete(*client.scan_iter(f"{BASE}leader:*"), *client.scan_iter(f"{BASE}told:*"))

    found = [name for name in names if stories.count_telling({name}, ())]

    assert found == names[::2]

"""StoryStore against a real Redis: what only Redis, and other workers, can do to it."""

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import redis
from pydantic import SecretStr

from bearometer.embedded import Servers
from bearometer.errors import Transient, Unavailable, WindowsLost
from bearometer.settings import RedisSettings
from bearometer.sketch import SKETCH_VERSION, Sketch
from bearometer.story import Placement, story_id
from storage.stories import TRIES, TRIES_ALONE, StoryStore
from storage.story_plan import FIRST_BAND, SLOT
from tests.conditions import WaitUntil
from tests.stored_samples import NOON
from tests.story_samples import MERGER, RECALL, RECALL_CREDITED, RECALL_SHARED, ROSES, held_in, told

BASE = f"bearometer:story:v{SKETCH_VERSION}:"
WORKERS = 6


def store(url: str) -> StoryStore:
    return StoryStore(RedisSettings(url=SecretStr(url)))


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def stories(redis_url: str, client: redis.Redis) -> StoryStore:
    set_marker(client)
    return store(redis_url)


def set_marker(client: redis.Redis, name: str = "complete", token: str = "") -> None:
    client.set(f"bearometer:{name}", client.info("server")["run_id"] + token)


def near_repeats(count: int, text: str = RECALL) -> list[Sketch]:
    """That many texts, no two with the same fingerprint, each of which tells the same as each other."""
    return [told(f"{text}-{n}", f"{text} {'!' * n}", author=f"a{n % 7}") for n in range(count)]


def of_one_template(count: int) -> list[Sketch]:
    """That many posts with nearly the same words, each of which tells something else, by its figures."""
    return [told(f"figures-{n}", f"{RECALL} {n} {n + 1000} {n + 2000}") for n in range(count)]


def test_every_key_of_the_stories_lives_for_the_time_set(stories: StoryStore, client: redis.Redis) -> None:
    stories.place([told("1"), told("2", author="bob")])

    lives = {key.decode(): client.pttl(key) for key in client.scan_iter() if key != b"bearometer:complete"}

    slot = int(NOON.timestamp()) // SLOT
    kinds = {*(f"{slot}:{kind}" for kind in range(1, FIRST_BAND + len(told("1").bands))), f"{slot}:authors"}
    story = story_id("test:1")
    names = (*kinds, "version", "epoch", f"leader:{story}", f"told:{story}")
    assert set(lives) == {BASE + name for name in names}
    assert all(49.9 * 3600_000 < life <= 50 * 3600_000 for life in lives.values())


def test_a_story_that_grows_lives_anew_and_a_post_that_comes_again_renews_nothing(
    stories: StoryStore, client: redis.Redis
) -> None:
    stories.place([told("1")])
    for key in client.scan_iter(f"{BASE}*"):
        client.pexpire(key, 1_000_000)
    leader = f"{BASE}leader:{story_id('test:1')}"

    stories.place([told("1")])
    assert all(client.pttl(key) <= 1_000_000 for key in client.scan_iter(f"{BASE}*"))
    stories.place([told("2")])
    assert client.pttl(leader) > 1_000_000


def test_a_story_that_has_expired_begins_anew(stories: StoryStore, client: redis.Redis) -> None:
    stories.place([told("1"), told("2", RECALL_SHARED)])
    client.delete(f"{BASE}leader:{story_id('test:1')}")

    exact, near = stories.place([told("3"), told("4", RECALL_CREDITED)])

    assert exact.story == near.story == story_id("test:3")
    assert stories.place([told("1")])[0].story == story_id("test:1"), "and its posts still know it"


def test_what_nobody_of_us_wrote_is_no_leader(stories: StoryStore, client: redis.Redis) -> None:
    stories.place([told("1")])
    client.set(f"{BASE}leader:{story_id('test:1')}", b"x" * 200)

    assert stories.place([told("2", RECALL_SHARED)])[0].first


def test_redis_gets_neither_authors_nor_ids(stories: StoryStore, client: redis.Redis) -> None:
    stories.place([told(f"secret-{n}", text, author="Bad_Bob") for n, text in enumerate((RECALL, RECALL_SHARED))])

    held = b"".join(key + content for key, content in held_in(client).items())

    for word in (b"Bad_Bob", b"bad_bob", b"secret"):
        assert word not in held


def test_a_flushed_script_cache_is_filled_again(stories: StoryStore, client: redis.Redis) -> None:
    stories.place([told("1")])
    client.script_flush()

    assert stories.place([told("2")])[0].author_posts == 2


def test_a_marker_of_an_earlier_run_of_the_server_is_no_marker(stories: StoryStore, client: redis.Redis) -> None:
    client.set("bearometer:complete", "0" * 40)

    with pytest.raises(WindowsLost):
        stories.place([told("1")])


def test_while_a_rebuild_runs_it_remembers_and_nobody_places(stories: StoryStore, client: redis.Redis) -> None:
    client.flushdb()
    set_marker(client, "rebuilding", ":mine")
    stories.remember([(told("1"), story_id("test:1"))], "bearometer:rebuilding", ":mine")

    with pytest.raises(WindowsLost):
        stories.place([told("2")])
    with pytest.raises(WindowsLost):
        stories.remember([(told("1"), story_id("test:1"))], "bearometer:rebuilding", ":of another")
    set_marker(client)
    assert stories.place([told("2")])[0].story == story_id("test:1")


def test_stories_remembered_after_a_restart_of_redis_go_on(
    servers: Servers, stories: StoryStore, redis_url: str
) -> None:
    batch = [told("1"), told("2", RECALL_SHARED, author="bob"), told("3", MERGER)]
    before = stories.place(batch)
    servers.redis.kill()
    try:
        with pytest.raises(Unavailable, match="Redis"):
            stories.place([told("4")])
    finally:
        servers.redis.start()
    with pytest.raises(WindowsLost, match="rebuild-windows"):
        stories.place([told("4")])

    with redis.Redis.from_url(redis_url) as client:
        set_marker(client, "rebuilding", ":mine")
        stored = [(sketch, placement.story) for sketch, placement in zip(batch, before, strict=True)]
        stories.remember(stored, "bearometer:rebuilding", ":mine")
        set_marker(client)

    assert [p.story for p in stories.place(batch)] == [p.story for p in before]
    assert stories.place([told("4", RECALL_CREDITED)])[0].story == story_id("test:1")


def test_a_full_redis_is_unavailable(stories: StoryStore, client: redis.Redis) -> None:
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(Unavailable, match="takes no writes"):
            stories.place([told("1")])
    finally:
        client.config_set("maxmemory", 0)


class IntrudedStore(StoryStore):
    """Between its reading and its writing, another worker places the next of these posts."""

    def __init__(self, url: str, intruders: list[Sketch]) -> None:
        super().__init__(RedisSettings(url=SecretStr(url)))
        self._other = store(url)
        self._intruders = iter(intruders)
        self.intruded = 0

    def _read_leaders(self, stories: set[bytes]) -> dict[bytes, bytes]:
        leaders = super()._read_leaders(stories)
        for intruder in self._intruders:
            self.intruded += 1
            self._other.place([intruder])
            break
        return leaders


@pytest.mark.parametrize("text", [RECALL, RECALL_SHARED], ids=["exact", "near"])
def test_a_repeat_that_another_worker_places_in_between_is_noticed(
    stories: StoryStore, redis_url: str, text: str
) -> None:
    intruded = IntrudedStore(redis_url, [told("theirs")])

    mine, other = intruded.place([told("mine", text), told("unlike", MERGER)])

    assert (intruded.intruded, mine.story, mine.author_posts) == (1, story_id("test:theirs"), 2)
    assert other.first


def test_a_post_that_another_worker_places_in_between_counts_once(stories: StoryStore, redis_url: str) -> None:
    first, again = told("1"), told("2", author="bob")
    stories.place([first])

    [placed] = IntrudedStore(redis_url, [again]).place([again])

    assert placed == Placement(story_id("test:1"), False, same_text_authors=2, author_posts=1)
    assert stories.place([told("3", author="bob")])[0].author_posts == 2


def test_what_others_place_that_tells_something_else_costs_no_second_try(stories: StoryStore, redis_url: str) -> None:
    intruded = IntrudedStore(redis_url, [told("theirs", MERGER), told("never")])

    intruded.place([told("mine")])

    assert intruded.intruded == 1


def test_a_batch_that_others_intrude_on_again_and_again_goes_post_by_post(stories: StoryStore, redis_url: str) -> None:
    first, second, *others = of_one_template(TRIES + 5)
    intruded = IntrudedStore(redis_url, others)

    placements = intruded.place([first, second])

    assert [placement.story for placement in placements] == [story_id(first.post_id), story_id(second.post_id)]
    assert intruded.intruded == len(others)


def test_who_is_intruded_on_without_end_is_told_to_try_again(stories: StoryStore, redis_url: str) -> None:
    mine, *others = of_one_template(TRIES_ALONE + 1)

    with pytest.raises(Transient, match="try again"):
        IntrudedStore(redis_url, others).place([mine])

    assert stories.place([mine])[0] == Placement(
        story_id(mine.post_id), True, same_text_authors=1, author_posts=TRIES_ALONE + 1
    )


def test_another_epoch_begins_when_all_is_deleted_and_no_version_comes_again(
    stories: StoryStore, client: redis.Redis
) -> None:
    assert stories.epoch() == ""
    stories.place([told("1")])
    epoch, version = stories.epoch(), int(client.get(f"{BASE}version") or 0)
    assert stories.place([told("2")])[0].story == story_id("test:1")
    assert stories.epoch() == epoch != ""
    client.flushdb()
    set_marker(client)
    stories.place([told("1")])
    assert stories.epoch() != epoch
    assert int(client.get(f"{BASE}version") or 0) > version


def test_workers_that_meet_take_turns_and_a_turn_that_a_dead_one_holds_ends(
    stories: StoryStore, redis_url: str, client: redis.Redis
) -> None:
    intruded = IntrudedStore(redis_url, [told("theirs")])
    intruded.place([told("mine")])
    client.set(f"{BASE}turn", "of a worker that was killed", px=200)
    assert intruded.place([told("unlike", MERGER)])[0].first
    assert not client.exists(f"{BASE}turn"), "it waited for its turn, and gave it back"
    client.set(f"{BASE}turn", "of a worker that was not in the way", px=60_000)
    assert stories.place([told("more", ROSES)])[0].first, "who met nobody waits for nobody"
    assert client.exists(f"{BASE}turn")


def test_near_repeats_that_many_threads_place_at_once_all_get_one_story(stories: StoryStore, redis_url: str) -> None:
    batch = near_repeats(72)
    start = threading.Barrier(WORKERS)

    def work(worker: int) -> list[str]:
        mine, stories = batch[worker::WORKERS], store(redis_url)
        start.wait(20)
        return [p.story for at in range(0, len(mine), 3) for p in stories.place(mine[at : at + 3])]

    with ThreadPoolExecutor(WORKERS) as pool:
        found = [story for told_stories in pool.map(work, range(WORKERS)) for story in told_stories]

    assert len(set(found)) == 1
    settled = stories.place(batch)
    of_author = [sorted(p.author_posts for p in settled[n::7]) for n in range(7)]
    assert of_author == [list(range(1, len(settled[n::7]) + 1)) for n in range(7)]
    assert sum(p.first for p in settled) == 1


def holds(client: redis.Redis, key: str, enough: int) -> bool:
    return client.hlen(key) >= enough


def place_all(url: str, batch: list[Sketch]) -> None:
    """What a worker does, in a process of its own."""
    mine = store(url)
    for at in range(0, len(batch), 2):
        mine.place(batch[at : at + 2])


def test_workers_that_are_killed_and_given_their_posts_again_count_each_once(
    stories: StoryStore, redis_url: str, client: redis.Redis, wait_until: WaitUntil
) -> None:
    kinds = (RECALL, MERGER, ROSES)
    batch = [
        sketch for sketches in zip(*(near_repeats(60, kind) for kind in kinds), strict=True) for sketch in sketches
    ]
    context = multiprocessing.get_context("spawn")
    posts = f"{BASE}{int(NOON.timestamp()) // SLOT}:1"
    for enough in (5, 40, 90):
        workers = [context.Process(target=place_all, args=(redis_url, part)) for part in (batch, batch[::-1])]
        for worker in workers:
            worker.start()
        wait_until(partial(holds, client, posts, enough))
        for worker in workers:
            worker.kill()
            worker.join(20)

    settled = stories.place(batch)

    again = stories.place(batch)
    assert again == settled
    of_author: dict[str | None, list[int]] = {}
    for sketch, placement in zip(batch, again, strict=True):
        of_author.setdefault(sketch.author, []).append(placement.author_posts)
    assert all(sorted(posts) == list(range(1, len(posts) + 1)) for posts in of_author.values())
    assert len({p.story for p in again}) == len(kinds)
    assert sum(p.first for p in again) == len(kinds)

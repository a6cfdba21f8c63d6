"""The facts about Faust on which the stream rests, proven on the real broker and the real stores."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from bearometer.post import Heartbeat, Post
from bearometer.settings import Settings
from bearometer.wire import DeadLetter, decode_dead_letter
from ingest.kafka import create_topics, read_topic
from ingest.publisher import Publisher
from storage.database import connect
from storage.posts import PostStore
from storage.windows import WindowStore
from tests.conditions import wait_until
from tests.fakes import NOON, make_post

Start = Callable[..., subprocess.Popen[bytes]]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def start_worker(settings: Settings, tmp_path: Path) -> Iterator[Start]:
    """Starts workers of one group, and kills at the end those that still run."""
    workers: list[subprocess.Popen[bytes]] = []
    environment = {
        **os.environ,
        "BEAROMETER_KAFKA__SERVERS": settings.kafka.servers,
        "BEAROMETER_KAFKA__TOPIC": settings.kafka.topic,
        "BEAROMETER_KAFKA__DEAD_TOPIC": settings.kafka.dead_topic,
        "BEAROMETER_STREAM__GROUP": settings.kafka.topic,
        "BEAROMETER_POSTGRES__URL": settings.postgres.url.get_secret_value(),
        "BEAROMETER_REDIS__URL": settings.redis.url.get_secret_value(),
        "PYTHONPATH": str(ROOT),
    }

    def start(*options: str) -> subprocess.Popen[bytes]:
        log = (tmp_path / f"worker-{len(workers)}.log").open("wb")
        command = [sys.executable, "-m", "tests.stream_worker", *options]
        with log:
            worker = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.kill()
        worker.wait()


@pytest.fixture
def posts(settings: Settings) -> Iterator[PostStore]:
    engine = connect(settings.postgres)
    yield PostStore(engine)
    engine.dispose()


def publish(settings: Settings, posts: Sequence[Post | bytes]) -> dict[int, int]:
    """Put these on the topic, garbage as it is; gives the offset that the next message of each partition will get."""
    create_topics(settings.kafka)
    with closing(Publisher(settings.kafka, settings.ingest)) as publisher:
        for post in posts:
            if isinstance(post, Post):
                publisher.publish(post)
            else:
                publisher.publish_bytes(settings.kafka.topic, None, post)
        publisher.heartbeat(Heartbeat("test", NOON + timedelta(days=1)))
        publisher.flush()
        return dict(publisher.next_offsets)


def make_posts(count: int) -> list[Post]:
    return [make_post(str(n), f"text {n}", fingerprint=f"{n:x}") for n in range(count)]


def is_done(posts: PostStore, settings: Settings, next_offsets: dict[int, int]) -> bool:
    return {step.partition: step.next_offset for step in posts.progress(settings.kafka.topic)} == next_offsets


def count_stored(posts: PostStore) -> int:
    return posts.counts("test").posts


def dead_letters(settings: Settings) -> list[DeadLetter]:
    return [decode_dead_letter(record.value) for record in read_topic(settings.kafka, settings.kafka.dead_topic)]


def test_posts_land_in_both_stores_and_garbage_is_put_aside_with_its_place(
    settings: Settings, posts: PostStore, start_worker: Start
) -> None:
    windows = WindowStore(settings.redis)
    next_offsets = publish(settings, [*make_posts(200), b"garbage", make_post("x", "unscorable", fingerprint="u")])
    worker = start_worker()
    wait_until(lambda: is_done(posts, settings, next_offsets), 60, "everything is stored")
    # The stores have a batch before its dead letters are out: a worker that is stopped between leaves them to the next.
    wait_until(lambda: len(dead_letters(settings)) >= 2, 60, "the garbage is put aside")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(15) == 0
    assert count_stored(posts) == 200
    assert windows.window("HBRM", timedelta(hours=1), NOON + timedelta(minutes=1)).posts == 200
    letters = {letter.reason: letter for letter in dead_letters(settings)}
    assert sorted(letters) == ["undecodable", "unscorable"]
    assert letters["undecodable"].value == b"garbage"
    places = {(record.partition, record.offset): record for record in read_topic(settings.kafka, settings.kafka.topic)}
    assert places[letters["undecodable"].partition, letters["undecodable"].offset].value == b"garbage"


def test_a_batch_that_fails_ends_the_worker_and_the_next_worker_loses_nothing(
    settings: Settings, posts: PostStore, start_worker: Start
) -> None:
    next_offsets = publish(settings, make_posts(1_000))
    failing = start_worker("--fail-after", "300")
    assert failing.wait(60) == 1
    assert 300 <= count_stored(posts) < 1_000
    start_worker()
    wait_until(lambda: is_done(posts, settings, next_offsets), 60, "everything is stored")
    assert count_stored(posts) == 1_000


def test_a_worker_that_is_told_to_stop_in_the_middle_loses_nothing(
    settings: Settings, posts: PostStore, start_worker: Start
) -> None:
    next_offsets = publish(settings, make_posts(2_000))
    for _ in range(3):
        already = count_stored(posts)
        worker = start_worker("--slow", "0.05")
        goal = already + random.randint(50, 250)
        wait_until(lambda goal=goal: count_stored(posts) >= goal, 60, "some are stored")  # type: ignore[misc]
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(15) == 0
    start_worker()
    wait_until(lambda: is_done(posts, settings, next_offsets), 60, "everything is stored")
    assert count_stored(posts) == 2_000


def test_another_worker_takes_over_from_one_that_is_killed(
    settings: Settings, posts: PostStore, start_worker: Start
) -> None:
    next_offsets = publish(settings, make_posts(2_000))
    killed = start_worker("--slow", "0.1")
    wait_until(lambda: count_stored(posts) >= 200, 60, "some are stored")
    start_worker("--slow", "0.01")
    killed.kill()
    wait_until(lambda: is_done(posts, settings, next_offsets), 90, "everything is stored")
    assert count_stored(posts) == 2_000
    # Redis follows Postgres by a call.
    windows, end = WindowStore(settings.redis), NOON + timedelta(minutes=1)
    wait_until(lambda: windows.window("HBRM", timedelta(hours=1), end).posts == 2_000, 15, "Redis has all posts")


def test_a_flood_of_garbage_stops_the_worker_and_puts_little_aside(settings: Settings, start_worker: Start) -> None:
    publish(settings, [b"garbage"] * 400)
    assert start_worker().wait(60) == 1
    assert len(dead_letters(settings)) < 100

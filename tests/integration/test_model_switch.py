"""Running stream workers follow the registry, on the real broker and the real stores; a model is a word in a file."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from bearometer.post import Heartbeat, Post
from bearometer.registry import WorkerReport
from bearometer.settings import Settings
from ingest.kafka import create_topics
from ingest.publisher import Publisher
from storage.models import ModelStore
from storage.posts import PostStore
from storage.shadow import ShadowStore
from tests.conditions import wait_until
from tests.fakes import NOON, make_post
from tests.registry_fakes import WORD_FILE, make_folder, register

Start = Callable[..., "subprocess.Popen[bytes]"]

ROOT = Path(__file__).parents[2]


@pytest.fixture
def start_worker(settings: Settings, tmp_path: Path) -> Iterator[Start]:
    """Starts workers of one group that look at the registry five times a second, and kills those that still run."""
    workers: list[subprocess.Popen[bytes]] = []
    environment = {
        **os.environ,
        "BEAROMETER_KAFKA__SERVERS": settings.kafka.servers,
        "BEAROMETER_KAFKA__TOPIC": settings.kafka.topic,
        "BEAROMETER_KAFKA__DEAD_TOPIC": settings.kafka.dead_topic,
        "BEAROMETER_STREAM__GROUP": settings.kafka.topic,
        "BEAROMETER_STREAM__REGISTRY_SECONDS": "0.2",
        "BEAROMETER_POSTGRES__URL": settings.postgres.url.get_secret_value(),
        "BEAROMETER_REDIS__URL": settings.redis.url.get_secret_value(),
        "PYTHONPATH": str(ROOT),
    }

    def start(*options: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.stream_worker_with_registry", *options]
        with (tmp_path / f"worker-{len(workers)}.log").open("wb") as log:
            workers.append(subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log))
        return workers[-1]

    yield start
    for worker in workers:
        worker.kill()
        worker.wait()


@pytest.fixture
def models(engine: Engine) -> ModelStore:
    return ModelStore(engine)


@pytest.fixture
def posts(engine: Engine) -> PostStore:
    return PostStore(engine)


def publish(settings: Settings, posts: Sequence[Post]) -> dict[int, int]:
    """Put these on the topic; gives the offset that the next message of each partition will get."""
    create_topics(settings.kafka)
    with closing(Publisher(settings.kafka, settings.ingest)) as publisher:
        for post in posts:
            publisher.publish(post)
        publisher.heartbeat(Heartbeat("test", NOON + timedelta(days=1)))
        publisher.flush()
        return dict(publisher.next_offsets)


def make_posts(count: int, first: int = 0) -> list[Post]:
    return [make_post(str(n), f"HBRM text {n}", fingerprint=f"{n:x}") for n in range(first, first + count)]


def is_done(posts: PostStore, settings: Settings, next_offsets: dict[int, int]) -> bool:
    return {step.partition: step.next_offset for step in posts.progress(settings.kafka.topic)} == next_offsets


def scored_by(models: ModelStore) -> dict[str, int]:
    return {usage.model: usage.posts for usage in models.usage()}


def workers_want(models: ModelStore, version: str | None, count: int) -> list[WorkerReport]:
    found = models.workers(60)
    return found if len(found) == count and all(worker.wanted == version for worker in found) else []


def test_all_running_workers_switch_between_two_batches_and_back_and_lose_nothing(
    settings: Settings, models: ModelStore, posts: PostStore, start_worker: Start, tmp_path: Path
) -> None:
    a = register(models, "a", make_folder(tmp_path / "a", "text"))
    next_offsets = publish(settings, make_posts(3_000))
    workers = [start_worker("--slow", "0.2") for _ in range(2)]
    wait_until(lambda: scored_by(models).get("shipped@0", 0) >= 200, 150, "the shipped weights have scored some")
    models.promote(a, "ann")
    wait_until(lambda: workers_want(models, a, 2), 60, "both have switched")
    assert {worker.version for worker in models.workers(60)} == {a}
    wait_until(lambda: scored_by(models).get(a, 0) >= 200, 60, "the new version has scored some")
    models.rollback("ann", None)
    wait_until(lambda: workers_want(models, None, 2), 60, "both have switched back")
    wait_until(lambda: is_done(posts, settings, next_offsets), 90, "everything is stored")
    assert sum(scored_by(models).values()) == 3_000
    assert scored_by(models).keys() == {"shipped@0", a}
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(15) == 0
    assert models.workers(60) == [], "workers that end in order are not counted any more"


def test_a_damaged_version_is_refused_by_running_and_starting_workers_and_the_stream_goes_on(
    settings: Settings, models: ModelStore, posts: PostStore, start_worker: Start, tmp_path: Path
) -> None:
    good, bad = (register(models, name, make_folder(tmp_path / name, "text")) for name in ("good", "bad"))
    models.promote(good, "ann")
    start_worker()
    wait_until(lambda: workers_want(models, good, 1), 60)
    (tmp_path / "bad" / WORD_FILE).unlink()
    models.promote(bad, "ann")
    (worker,) = wait_until(lambda: workers_want(models, bad, 1), 60)
    assert (worker.version, worker.problem) == (good, f"the model folder {tmp_path / 'bad'} has no word.txt")
    start_worker()
    late = wait_until(lambda: workers_want(models, bad, 2), 60)
    assert {worker.version for worker in late} == {good}
    next_offsets = publish(settings, make_posts(100))
    wait_until(lambda: is_done(posts, settings, next_offsets), 60, "everything is stored")
    assert scored_by(models) == {good: 100}


def test_the_shadow_scores_the_same_posts_and_its_death_costs_nothing(
    settings: Settings, models: ModelStore, posts: PostStore, engine: Engine, start_worker: Start, tmp_path: Path
) -> None:
    shadow = register(models, "b", make_folder(tmp_path / "b", "text 1"))
    models.shadow(shadow, "ann")
    start_worker()
    publish(settings, make_posts(1))
    shadows = ShadowStore(engine)

    def answered() -> int:
        found = shadows.compare(shadow).posts
        return found.answers if found else 0

    wait_until(lambda: answered() == 1, 60, "the shadow runs")
    next_offsets = publish(settings, make_posts(199, first=1))
    wait_until(lambda: is_done(posts, settings, next_offsets), 60, "everything is stored")
    wait_until(lambda: answered() == 200, 60, "the shadow has answered everything")
    found = shadows.compare(shadow)
    assert found.posts is not None
    assert found.posts.shifts == {("neutral", "negative"): 111, ("neutral", "neutral"): 89}
    assert found.mentions is not None
    assert found.mentions.answers == 200
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM mentions WHERE label = 'negative'")).scalar_one() == 0

    (tmp_path / "b" / WORD_FILE).unlink()
    models.shadow(None, "ann")
    wait_until(lambda: models.workers(60)[0].shadow is None, 60, "the shadow is gone")
    models.shadow(shadow, "ann")
    problem = wait_until(lambda: models.workers(60)[0].shadow_problem, 60, "the worker says what is wrong with it")
    assert problem == f"the model folder {tmp_path / 'b'} has no word.txt"
    next_offsets = publish(settings, make_posts(300, first=200))
    wait_until(lambda: is_done(posts, settings, next_offsets), 60, "everything is stored without the shadow")
    assert scored_by(models) == {"shipped@0": 500}

"""What stories cost in Redis: bytes and Redis' own time for a post, and posts a second of several workers at once.

    python -m benchmarks.story_store [--posts 8000] [--workers 1 2 4]

The posts are made of common words, each with a name and a figure of its own; so is the template, of which every post
differs from the others by its figures alone and shares all that leads to stories: workers are in each other's way.
An embedded Redis of its own is started; nothing else is needed.
"""

import argparse
import multiprocessing
import random
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import redis
from pydantic import SecretStr

from bearometer.embedded_redis import Redis
from bearometer.post import Post
from bearometer.run_dir import RunDir
from bearometer.settings import RedisSettings
from bearometer.sketch import Sketch, make_sketch
from storage.stories import StoryStore

BATCH = 64
NOON = datetime(2026, 3, 18, 12, tzinfo=UTC)
TEMPLATE = "Harbour Mills recalls every toaster oven of the spring series after two kitchens burned in Lund"
SHARES = (0.0, 0.1, 0.3, 1.0)
"""How many of the posts are of the template."""
CALLS = ("cmdstat_evalsha", "cmdstat_eval", "cmdstat_mget")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=8_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bearometer-benchmark-") as folder:
        run_dir = RunDir(Path(folder))
        run_dir.open()
        server = Redis(run_dir)
        try:
            server.start()
            measure_kinds(server.url(), given.posts)
            print()
            for share in SHARES:
                for workers in given.workers:
                    measure_workers(server.url(), given.posts // 4, share, workers)
        finally:
            server.stop()
            run_dir.close()


def measure_kinds(url: str, count: int) -> None:
    """Each kind of post on a store that holds those before it."""
    client, store = _empty(url), StoryStore(RedisSettings(url=SecretStr(url)))
    texts = make_texts(count, share=0.0, seed=1)
    first = make_sketches("first", texts)
    step(client, store, "begins a story", first)
    for n in (1, 2):
        step(client, store, f"exact copy {n}, another author", make_sketches(f"copy{n}", texts))
    step(client, store, "near-repeat, another author", make_sketches("near", [f"{text} now" for text in texts]))
    step(client, store, "delivered again", first)


def step(client: redis.Redis, store: StoryStore, name: str, sketches: Sequence[Sketch]) -> None:
    """Place these and print what a post took."""
    bytes_before, micros_before, started = _used(client), _micros(client), time.perf_counter()
    for at in range(0, len(sketches), BATCH):
        store.place(sketches[at : at + BATCH])
    wall = (time.perf_counter() - started) * 1e6 / len(sketches)
    taken, spent = _used(client) - bytes_before, _micros(client) - micros_before
    size, micros = taken / len(sketches), spent / len(sketches)
    print(f"{name:<30} {size:6.0f} bytes {micros:5.0f} µs of Redis {wall:6.0f} µs in all", flush=True)


def measure_workers(url: str, count: int, share: float, workers: int) -> None:
    """Posts a second of so many workers, which begin together, until the last is done."""
    _empty(url)
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(workers + 1)
    each = count // workers
    crew = [context.Process(target=work, args=(url, n, each, share, start)) for n in range(workers)]
    for worker in crew:
        worker.start()
    start.wait(120)
    started = time.perf_counter()
    for worker in crew:
        worker.join()
    seconds = time.perf_counter() - started
    print(f"{share:4.0%} of one template, {workers} workers: {each * workers / seconds:6.0f} posts/s", flush=True)


def work(url: str, number: int, count: int, share: float, start: Barrier) -> None:
    """What a worker does, in a process of its own."""
    store = StoryStore(RedisSettings(url=SecretStr(url)))
    sketches = make_sketches(f"worker{number}", make_texts(count, share, seed=number))
    start.wait(120)
    for at in range(0, len(sketches), BATCH):
        store.place(sketches[at : at + BATCH])


def make_texts(count: int, share: float, seed: int) -> list[str]:
    """Texts of which so many are of the template; the same for the same seed."""
    chance = random.Random(seed)
    words = files("bearometer.gazetteer").joinpath("common.csv").read_text("ascii").split()[1:]

    def own(n: int) -> str:
        return f"{' '.join(chance.choices(words, k=16))} Corp{seed}x{n} {n}"

    return [f"{TEMPLATE} {seed * count + n} {n + 7}" if chance.random() < share else own(n) for n in range(count)]


def make_sketches(name: str, texts: Sequence[str]) -> list[Sketch]:
    """A post of an author of its own for each text, some seconds apart."""
    return [
        make_sketch(
            Post(
                id=f"bench:{name}-{n}",
                source="bench",
                text=text,
                published_at=NOON + timedelta(seconds=2 * n),
                ingested_at=NOON + timedelta(seconds=2 * n),
                fingerprint=text,
                symbols=(f"S{n % 50}",) if text[:7] != TEMPLATE[:7] else ("HBRM",),
                author=f"{name} {n}",
            )
        )
        for n, text in enumerate(texts)
    ]


def _empty(url: str) -> redis.Redis:
    """As a rebuild from an empty Postgres leaves it."""
    client = redis.Redis.from_url(url)
    client.flushall()
    info: Any = client.info("server")
    client.set("bearometer:complete", info["run_id"])
    return client


def _used(client: redis.Redis) -> int:
    memory: Any = client.info("memory")
    return int(memory["used_memory"])


def _micros(client: redis.Redis) -> int:
    calls: Any = client.info("commandstats")
    return sum(call["usec"] for name, call in calls.items() if name in CALLS)


if __name__ == "__main__":
    main()

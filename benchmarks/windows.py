"""Memory that windows take in Redis, in MB for a million posts.

    python -m benchmarks.windows [--posts 60000]

The posts are our own, of 1.25 symbols each: one in six repeats a story, an author has three posts on average, and all
are on one of five topics, or on none where it says so. An embedded Redis of its own is started; nothing else is needed.
"""

import argparse
import hashlib
import random
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import redis
from pydantic import SecretStr

from bearometer.embedded_redis import Redis
from bearometer.mention import Mention, Scored, Sentiment
from bearometer.post import Post
from bearometer.run_dir import RunDir
from bearometer.settings import RedisSettings
from storage.windows import WindowStore

BATCH = 256
NOON = datetime(2026, 3, 18, 12, tzinfo=UTC)
TOPICS = ("Earnings", "M&A | Investments", "Stock Movement", "Macro", "Legal | Regulation")
MOODS = (Sentiment(0.7, 0.2, 0.1), Sentiment(0.1, 0.8, 0.1), Sentiment(0.05, 0.15, 0.8))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=60_000)
    count = parser.parse_args().posts
    with tempfile.TemporaryDirectory(prefix="bearometer-benchmark-") as folder:
        run_dir = RunDir(Path(folder))
        run_dir.open()
        server = Redis(run_dir)
        try:
            server.start()
            for a_minute, topics in ((400, True), (100, True), (20, True), (0.05, True), (100, False), (0.05, False)):
                measure(server.url(), count, a_minute, topics=topics)
        finally:
            server.stop()
            run_dir.close()


def measure(url: str, count: int, a_minute: float, *, topics: bool) -> None:
    """Count so many posts that come so often, and print."""
    client = redis.Redis.from_url(url)
    client.flushall()
    # As a rebuild from an empty Postgres leaves it.
    info: Any = client.info("server")
    client.set("bearometer:complete", info["run_id"])
    store = WindowStore(RedisSettings(url=SecretStr(url), timeout_seconds=60))
    before = _used(client)
    for batch in make_posts(count, a_minute, topics=topics):
        store.add(batch)
    taken = (_used(client) - before) / count
    name = f"{a_minute:g} a minute, {'with' if topics else 'no'} topics"
    print(f"{name:<24} {taken:4.0f} MB for a million posts", flush=True)


def make_posts(count: int, a_minute: float, *, topics: bool) -> Iterator[Sequence[Scored]]:
    """Batches of posts in a random order of time, the same each time."""
    chance = random.Random(7)
    symbols = [f"S{n:04d}" for n in range(20 if a_minute >= 1 else 2000)]
    minutes = max(1, round(count / a_minute))
    batch: list[Scored] = []
    for n in range(count):
        story = hashlib.blake2b(str(chance.randrange(count * 3)).encode(), digest_size=8).hexdigest()
        mood = chance.choice(MOODS)
        moment = NOON + timedelta(minutes=chance.randrange(minutes))
        named = tuple(chance.sample(symbols, 1 + (n % 4 == 0)))
        post = Post(
            id=f"bench:{n}",
            source="bench",
            text="",
            published_at=moment,
            ingested_at=moment,
            fingerprint=story,
            symbols=named,
            author=f"author_{chance.randrange(count // 3):07d}",
            followers=chance.randrange(5000),
        )
        said = {chance.choice(TOPICS): 0.9} if topics else {}
        batch.append(Scored(post, mood, tuple(Mention(symbol, mood) for symbol in named), "bench@1", said, story))
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch


def _used(client: redis.Redis) -> int:
    memory: Any = client.info("memory")
    return int(memory["used_memory"])


if __name__ == "__main__":
    main()
